import assert from 'node:assert/strict'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { formatOperationId, type MemberId, memberIdOf } from '../../runtime/base/ids.ts'
import { type Join, type Operation, type OperationRequest, pathsMet } from '../../runtime/state/operation.ts'
import { memberOfPoint } from '../../runtime/state/reserved-point.ts'
import { sealBatch } from '../../runtime/sync/batch-codec.ts'
import { History } from '../../runtime/sync/history.ts'
import { checkOperation } from '../../runtime/sync/issue.ts'
import { type Genesis, Membership } from '../../runtime/sync/membership.ts'
import { type Batch, lastOf, type SyncMessage } from '../../runtime/sync/message.ts'
import { executeAll } from './reference-model.ts'

/**
 * Members that issue honestly: each operation is made from what its issuer has executed (its stage, its floor, what each
 * write replaces), as a replica makes it, but without network, disk and time.
 */
export class IssuingFleet {
  readonly issuers: readonly Issuer[]
  /** Every batch that was sealed, in the order of sealing. */
  readonly batches: Batch[] = []

  constructor(genesis: Genesis) {
    this.issuers = new Membership(genesis).list().map(({ id }) => new Issuer(id, genesis))
  }

  /** The first issuer alone is a founder; it has admitted all the others, which take part from there on. */
  static ofJoined(genesis: Genesis): IssuingFleet {
    const [founder, ...others] = genesis.founders
    const fleet = new IssuingFleet({ ...genesis, founders: founder === undefined ? [] : [founder] })
    const [sponsor] = fleet.issuers as [Issuer]
    for (const { node, tier = 0 } of others) {
      const member = memberIdOf(node, 1)
      sponsor.admit({ member, tier, key: new Uint8Array() })
      ;(fleet.issuers as Issuer[]).push(new Issuer(member, sponsor.genesis))
    }
    fleet.seal(sponsor)
    for (const issuer of fleet.issuers) fleet.sync(sponsor, issuer)
    return fleet
  }

  issue(issuer: Issuer, request: OperationRequest): void {
    issuer.issue(request)
  }

  seal(issuer: Issuer): void {
    const batch = issuer.seal()
    if (batch !== null) this.batches.push(batch)
  }

  /** Gives `to` everything that `from` holds. */
  sync(from: Issuer, to: Issuer): void {
    for (const batch of this.batches) {
      if (lastOf(batch).current.id.seq <= from.history.log(batch.origin).held.seq) to.history.receive(batch)
    }
  }

  /** The highest stage that the floor of `issuer` may have now: nobody can order anything at or below it any more. */
  floorFor(issuer: Issuer): number {
    let stage = Math.min(...this.issuers.map(({ history }) => history.highWater.stage))
    for (const other of this.issuers) if (other.firstUnsealed !== null) stage = Math.min(stage, other.firstUnsealed - 1)
    for (const batch of this.batches) {
      const isHeldByAll = this.issuers.every(
        ({ history }) => history.log(batch.origin).held.seq >= lastOf(batch).current.id.seq,
      )
      if (!isHeldByAll) stage = Math.min(stage, (batch.messages[0] as SyncMessage).current.stage - 1)
    }
    return Math.max(stage, issuer.history.floor)
  }
}

export class Issuer {
  readonly member: MemberId
  readonly genesis: Genesis
  readonly history: History
  /** Operation ids that were folded here, in order. */
  readonly folded: string[] = []
  readonly outcomes: Map<string, string> = new Map()
  #unsealed: SyncMessage[] = []
  #seq = 0

  constructor(member: MemberId, genesis: Genesis) {
    this.member = member
    this.genesis = genesis
    this.history = new History(new Membership(genesis), 0, EMPTY_DIGEST)
  }

  get firstUnsealed(): number | null {
    return this.#unsealed[0]?.current.stage ?? null
  }

  issue(request: OperationRequest): void {
    this.#issue(
      checkOperation(request, (path) => this.history.local.cell(path)),
      null,
    )
  }

  admit(join: Join): void {
    this.#issue({ writes: [], guards: [], paths: [] }, join)
  }

  #issue({ writes, guards, paths }: Pick<Operation, 'writes' | 'guards' | 'paths'>, join: Join | null): void {
    const { history, member } = this
    const previous = history.highWater
    this.#seq += 1
    const current: Operation = {
      id: { member, seq: this.#seq },
      stage: previous.stage + 1,
      floor: history.floor,
      priority: memberOf(history, member).priority,
      writes,
      guards,
      join,
      original: null,
      paths: pathsMet(paths, member, join, null),
    }
    history.execute(current)
    this.#unsealed.push({ current, previous })
  }

  seal(): Batch | null {
    if (this.#unsealed.length === 0) return null
    const batch = sealBatch(this.member, this.history.log(this.member).held.digest, this.#unsealed)
    this.history.seal(batch)
    this.#unsealed = []
    return batch
  }

  /** The same observations as of a replica that only receives. */
  fold(stage: number): void {
    if (stage <= this.history.floor) return
    for (const { operation, execution } of this.history.fold(stage)) {
      const id = formatOperationId(operation.id)
      this.folded.push(id)
      this.outcomes.set(id, execution?.outcome ?? 'none')
    }
  }
}

/** Order, outcomes, state, conflicts and digest of `issuer` are those of the reference for `operations`. */
export function assertEqualsReference(issuer: Issuer, operations: readonly Operation[], when: string): void {
  const { history } = issuer
  const expected = executeAll(operations, issuer.genesis)
  const journal = [...history.journal.entries()]
  const order = [...issuer.folded, ...journal.map(({ operation }) => formatOperationId(operation.id))]
  assert.deepEqual(order, expected.order, `order ${when}`)
  const outcomes = new Map(issuer.outcomes)
  for (const { operation, execution } of journal) {
    outcomes.set(formatOperationId(operation.id), execution?.outcome ?? 'none')
  }
  assert.deepEqual(outcomes, expected.outcomes, `outcomes ${when}`)
  const state = new Map<string, unknown>()
  for (const { path, cell } of history.local.registers())
    if (cell.value !== undefined && memberOfPoint(path) === null) state.set(path, cell.value)
  assert.deepEqual(state, expected.state, `state ${when}`)
  const conflicts = new Map(
    history.conflicts.list().map(({ id, path, winner, loser }) => [id, { path, winner, loser }]),
  )
  assert.deepEqual(conflicts, expected.conflicts, `conflicts ${when}`)
  assert.equal(history.floorDigest, expected.digestAt(history.floor), `digest at the floor ${when}`)
}

export function operationsOf(batches: Iterable<Batch>): Operation[] {
  return [...batches].flatMap(({ messages }) => messages.map(({ current }) => current))
}

function memberOf(history: History, id: MemberId): { readonly priority: Operation['priority'] } {
  const member = history.membership.get(id)
  assert(member !== undefined, 'an issuer is a member')
  return member
}
