import assert from 'node:assert/strict'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import type { MemberId } from '../../runtime/base/ids.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { OperationRequest } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import { sealBatch } from '../../runtime/sync/batch-codec.ts'
import { History } from '../../runtime/sync/history.ts'
import { checkOperation } from '../../runtime/sync/issue.ts'
import { fleetIdOf, type Genesis, Membership } from '../../runtime/sync/membership.ts'
import type { Batch, SyncMessage } from '../../runtime/sync/message.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import { Replica } from '../../runtime/sync/replica.ts'
import { operationsOf } from '../sync/reference-fleet.ts'
import { executeAll } from '../sync/reference-model.ts'

/** Every message that a small fleet can come to send, whatever each had heard when it issued: one configuration. */
export interface Configuration {
  readonly batches: readonly Batch[]
}

/** Each so-manieth order of a configuration is what CI has the time for. It is prime, so that all orders have their turn. */
export const SAMPLE_STRIDE = 47

export interface ExhaustiveCounts {
  readonly configurations: number
  readonly deliveryOrders: number
}

/**
 * Delivers the messages of every configuration in every order to a real replica, which must end as the reference does.
 * @param genesis the issuers and one more, the last, who only observes
 * @param stride only each so-manieth order, with another start for each configuration; 1 for all
 */
export function checkAllOrders(genesis: Genesis, operationsPerNode: number, stride: number): ExhaustiveCounts {
  const all = configurations(genesis, operationsPerNode)
  const orders = permutations((genesis.founders.length - 1) * operationsPerNode)
  let deliveryOrders = 0
  for (const [index, configuration] of all.entries()) {
    const check = new OrderCheck(genesis, configuration)
    for (let at = index % stride; at < orders.length; at += stride) {
      check.deliver(orders[at]!)
      deliveryOrders += 1
    }
  }
  return { configurations: all.length, deliveryOrders }
}

/**
 * All interleavings of issues and deliveries, told apart by what was issued. From each partial configuration, each node
 * that has something left issues it, having heard any set of messages that a node can hold (and all that it had before).
 */
function configurations(genesis: Genesis, operationsPerNode: number): Configuration[] {
  const issuers = new Membership(genesis).list().slice(0, -1)
  let level = new Map<string, Partial>([['', { batches: [], heard: issuers.map(() => []) }]])
  for (let round = 0; round < issuers.length * operationsPerNode; round++) {
    const next = new Map<string, Partial>()
    for (const partial of level.values()) {
      for (const [index, { id }] of issuers.entries()) {
        const own = partial.batches.filter(({ origin }) => origin === id).length
        if (own === operationsPerNode) continue
        for (const heard of supersets(partial.batches, partial.heard[index]!)) {
          const batch = issueHaving(genesis, id, own, heard)
          if (batch === null) continue
          const grown = { batches: [...partial.batches, batch], heard: partial.heard.with(index, [...heard, batch]) }
          next.set(keyOf(grown), grown)
        }
      }
    }
    level = next
  }
  const byContent = new Map([...level.values()].map(({ batches }) => [contentOf(batches), { batches }]))
  return [...byContent.values()]
}

interface Partial {
  readonly batches: readonly Batch[]
  /** What each issuer had heard when it issued last, and that operation. */
  readonly heard: readonly (readonly Batch[])[]
}

/** What the operations of a node are: blind writes of one point, then a counter beside it, the last one under a guard. */
function requestOf(member: MemberId, index: number): OperationRequest {
  const p = 'p' as Path
  const write = { path: p, kind: 'set', argument: `${member.slice(0, 2)}${index}` } as const
  if (index === 0) return { writes: [write], guards: [] }
  const guards = member.startsWith('0c') ? [{ path: p, comparison: '!=', value: '0a0' } as const] : []
  return { writes: [{ path: 'n' as Path, kind: 'add', argument: 1 }, write], guards }
}

/** The message of `member` if it holds exactly `heard`; null if nobody can hold just these. */
function issueHaving(genesis: Genesis, member: MemberId, index: number, heard: readonly Batch[]): Batch | null {
  const history = new History(new Membership(genesis), 0, EMPTY_DIGEST)
  for (const batch of heard) history.receive(batch)
  if (history.waitingList.length > 0 || history.log(member).held.seq !== index) return null
  const checked = checkOperation(requestOf(member, index), (path) => history.local.cell(path))
  const previous = history.highWater
  const message: SyncMessage = {
    current: {
      id: { member, seq: index + 1 },
      stage: previous.stage + 1,
      floor: 0,
      priority: history.membership.get(member)!.priority,
      writes: checked.writes,
      guards: checked.guards,
      join: null,
      original: null,
      paths: checked.paths,
    },
    previous,
  }
  return sealBatch(member, history.log(member).held.digest, [message])
}

/** One configuration and what the reference makes of it. */
class OrderCheck {
  readonly #genesis: Genesis
  readonly #frames: readonly Uint8Array[]
  readonly #observer: MemberId
  readonly #expected: string

  constructor(genesis: Genesis, { batches }: Configuration) {
    this.#genesis = genesis
    const fleet = fleetIdOf(genesis)
    this.#frames = batches.map((batch) => encodeFrame(fleet, { kind: 'batch', batch }))
    this.#observer = new Membership(genesis).list().at(-1)!.id
    const { order, outcomes, state, conflicts } = executeAll(operationsOf(batches))
    this.#expected = textOf(
      order.map((operation) => `${operation}=${outcomes.get(operation)}`),
      [...state],
      [...conflicts].map(([id, { winner, loser }]) => [id, winner, loser]),
    )
  }

  deliver(order: readonly number[]): void {
    const recovered = { snapshot: null, records: [], last: 0 }
    const replica = new Replica({ self: this.#observer, genesis: this.#genesis, random: seededRandom(1), recovered })
    for (const index of order) replica.receive({ kind: 'frame', link: 'air', bytes: this.#frames[index]! }, 0)
    const reached = textOf(
      replica
        .inspect(0)
        .journal()
        .map(({ operation, outcome }) => `${operation}=${outcome}`),
      [...replica.entries()],
      replica.conflicts().map(({ id, winner, loser }) => [id, winner, loser]),
    )
    if (reached !== this.#expected) assert.equal(reached, this.#expected, `delivery order ${order.join(' ')}`)
  }
}

function textOf(order: readonly string[], state: readonly unknown[], conflicts: readonly unknown[]): string {
  return [order, sorted(state), sorted(conflicts)].map((part) => JSON.stringify(part)).join('\n')
}

function sorted(parts: readonly unknown[]): string[] {
  return parts.map((part) => JSON.stringify(part)).toSorted()
}

/** Every choice from `all` that has the whole of `base` in it. */
function* supersets(all: readonly Batch[], base: readonly Batch[]): Generator<Batch[]> {
  const others = all.filter((batch) => !base.includes(batch))
  for (let bits = 0; bits < 1 << others.length; bits++) {
    yield [...base, ...others.filter((_, index) => (bits >> index) & 1)]
  }
}

function keyOf({ batches, heard }: Partial): string {
  return [batches, ...heard].map(contentOf).join('|')
}

function contentOf(batches: readonly Batch[]): string {
  return batches
    .map(({ digest }) => digest)
    .toSorted()
    .join(' ')
}

function permutations(count: number): number[][] {
  if (count === 0) return [[]]
  return permutations(count - 1).flatMap((rest) =>
    Array.from({ length: count }, (_, at) => rest.toSpliced(at, 0, count - 1)),
  )
}
