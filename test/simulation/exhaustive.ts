import assert from 'node:assert/strict'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import type { MemberId } from '../../runtime/base/ids.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { type Join, type Operation, type OperationRequest, pathsMet } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import { rulesPoint } from '../../runtime/state/reserved-point.ts'
import { rulesDigest } from '../../runtime/state/rules/rules-codec.ts'
import { sealBatch } from '../../runtime/sync/batch-codec.ts'
import { History } from '../../runtime/sync/history.ts'
import { checkOperation } from '../../runtime/sync/issue.ts'
import { fleetIdOf, type Genesis, Membership } from '../../runtime/sync/membership.ts'
import type { Batch, SyncMessage } from '../../runtime/sync/message.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import { Replica } from '../../runtime/sync/replica.ts'
import { rulesRequest } from '../../runtime/sync/standing-rules.ts'
import { operationsOf } from '../sync/reference-fleet.ts'
import { executeAll } from '../sync/reference-model.ts'

/** What each issuer issues, in order. Who is no member of the genesis issues once it holds its join. */
export type Plan = ReadonlyMap<MemberId, readonly Planned[]>

export type Planned = { readonly request: OperationRequest } | { readonly join: Join }

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
 * @param requests what the operations of a node are
 */
export function checkAllOrders(
  genesis: Genesis,
  operationsPerNode: number,
  stride: number,
  requests: typeof requestOf = requestOf,
): ExhaustiveCounts {
  const all = configurations(genesis, planOf(genesis, operationsPerNode, requests))
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
export function configurations(genesis: Genesis, plan: Plan): Configuration[] {
  const issuers = [...plan.keys()]
  const count = [...plan.values()].reduce((sum, planned) => sum + planned.length, 0)
  let level = new Map<string, Partial>([['', { batches: [], heard: issuers.map(() => []) }]])
  for (let round = 0; round < count; round++) {
    const next = new Map<string, Partial>()
    for (const partial of level.values()) {
      for (const [index, id] of issuers.entries()) {
        const own = partial.batches.filter(({ origin }) => origin === id).length
        const planned = plan.get(id)?.[own]
        if (planned === undefined) continue
        for (const heard of supersets(partial.batches, partial.heard[index]!)) {
          const batch = issueHaving(genesis, id, own, planned, heard)
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

function planOf(genesis: Genesis, operationsPerNode: number, requests: typeof requestOf): Plan {
  const issuers = new Membership(genesis).list().slice(0, -1)
  return new Map(
    issuers.map(({ id }) => [
      id,
      Array.from({ length: operationsPerNode }, (_, index) => ({ request: requests(id, index) })),
    ]),
  )
}

/** What the operations of a node are: blind writes of one point, then a counter beside it, the last one under a guard. */
export function requestOf(member: MemberId, index: number): OperationRequest {
  const p = 'p' as Path
  const write = { path: p, kind: 'set', argument: `${member.slice(0, 2)}${index}` } as const
  if (index === 0) return { writes: [write], guards: [] }
  const guards = member.startsWith('0c') ? [{ path: p, comparison: '!=', value: '0a0' } as const] : []
  return { writes: [{ path: 'n' as Path, kind: 'add', argument: 1 }, write], guards }
}

/** The same where two nodes set rules, and some of what is written does not fit the one, the other, or both. */
export function requestUnderRules(member: MemberId, index: number): OperationRequest {
  const set = (argument: number) => ({ path: 'd/p' as Path, kind: 'set', argument }) as const
  const add = { path: 'd/n' as Path, kind: 'add', argument: 1 } as const
  const plan: Readonly<Record<string, readonly OperationRequest[]>> = {
    '0a': [rulesUpTo(5, 'p', 'n'), { writes: [set(3)], guards: [] }],
    '0b': [{ writes: [set(9)], guards: [] }, rulesUpTo(9, 'p')],
    '0c': [
      { writes: [add], guards: [] },
      { writes: [set(7), add], guards: [] },
    ],
  }
  return plan[member.slice(0, 2)]![index]!
}

function rulesUpTo(maximum: number, ...names: readonly string[]): OperationRequest {
  const points = names.map((path) => ({ path, valueType: 'Int8', access: 'RW', maximum }) as const)
  return rulesRequest('d', { node: null, profile: { name: 'd', digest: EMPTY_DIGEST }, points })
}

/** The message of `member` if it holds exactly `heard`; null if nobody can hold just these, or it is no member then. */
function issueHaving(
  genesis: Genesis,
  member: MemberId,
  index: number,
  planned: Planned,
  heard: readonly Batch[],
): Batch | null {
  const history = new History(new Membership(genesis), 0, EMPTY_DIGEST)
  for (const batch of heard) history.receive(batch)
  const priority = history.membership.get(member)?.priority
  if (priority === undefined) return null
  if (history.waitingList.length > 0 || history.log(member).held.seq !== index) return null
  const join = 'join' in planned ? planned.join : null
  const nothing = { writes: [], guards: [], paths: [] }
  const checked = 'request' in planned ? checkOperation(planned.request, (path) => history.local.cell(path)) : nothing
  const previous = history.highWater
  const message: SyncMessage = {
    current: {
      id: { member, seq: index + 1 },
      stage: previous.stage + 1,
      floor: 0,
      priority,
      writes: checked.writes,
      guards: checked.guards,
      join,
      original: null,
      paths: pathsMet(checked.paths, member, join, null),
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
    this.#expected = textOfReference(operationsOf(batches))
  }

  deliver(order: readonly number[]): void {
    const recovered = { snapshot: null, records: [], last: 0 }
    const replica = new Replica({ self: this.#observer, genesis: this.#genesis, random: seededRandom(1), recovered })
    for (const index of order) replica.receive({ kind: 'frame', link: 'air', bytes: this.#frames[index]! }, 0)
    const reached = textOfReplica(replica)
    if (reached !== this.#expected) assert.equal(reached, this.#expected, `delivery order ${order.join(' ')}`)
  }
}

/** Order, outcomes, state and conflicts, in a form that is compared at once. */
export function textOfReplica(replica: Replica): string {
  return textOf(
    replica
      .inspect(0)
      .journal()
      .map(({ operation, outcome }) => `${operation}=${outcome}`),
    [...replica.entries(), ...replica.rules().map(({ device, digest }) => [rulesPoint(device), digest])],
    replica.conflicts().map(({ id, winner, loser }) => [id, winner, loser]),
  )
}

/** The same of what the reference makes of `operations`. */
export function textOfReference(operations: readonly Operation[]): string {
  const { order, outcomes, state, conflicts } = executeAll(operations)
  return textOf(
    order.map((operation) => `${operation}=${outcomes.get(operation)}`),
    [...state].map(([path, value]) => [path, path.startsWith('\u0000') ? rulesDigest(value as Uint8Array) : value]),
    [...conflicts].map(([id, { winner, loser }]) => [id, winner, loser]),
  )
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

export function permutations(count: number): number[][] {
  if (count === 0) return [[]]
  return permutations(count - 1).flatMap((rest) =>
    Array.from({ length: count }, (_, at) => rest.toSpliced(at, 0, count - 1)),
  )
}
