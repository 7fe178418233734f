import type { Monotonic } from '../base/clock.ts'
import { assert, FleetstepError } from '../base/errors.ts'
import {
  DRAFTS_BYTES_MAX,
  DRAFTS_MAX,
  OPERATIONS_PER_BATCH_MAX,
  PATHS_MAX,
  SETTLED_DRAFTS_BYTES_TARGET,
} from '../base/limits.ts'
import {
  type Join,
  type Operation,
  type OperationRequest,
  type Original,
  pathsMet,
  pathsOf,
} from '../state/operation.ts'
import type { Path } from '../state/path.ts'
import type { RuleTable } from '../state/rules/rules.ts'
import { sealBatch } from './batch-codec.ts'
import type { Conflict } from './conflict.ts'
import { changesSince } from './describe-integration.ts'
import { type Draft, Drafts, encodeDraft } from './draft.ts'
import { checkOperation, type CheckedOperation, type Issued } from './issue.ts'
import { journalProblem } from './journal-room.ts'
import type { SyncMessage } from './message.ts'
import { NO_OUTPUTS, type Output } from './output.ts'
import type { ReplicaCore } from './replica-core.ts'
import { assertMayIssue } from './permission.ts'
import { settlementOf } from './settlement.ts'

/** Our own operations: issued as a member, drafted as a draft, and settled when the draft has become a member. */
export class Issuing {
  readonly #core: ReplicaCore
  drafts: Drafts
  #nextSeq = 1
  /** Drafts whose record is not on the disk yet. */
  #unstored: { readonly record: number; readonly original: Original }[] = []

  constructor(core: ReplicaCore, drafts: readonly Draft[]) {
    this.#core = core
    this.drafts = new Drafts(drafts)
    this.rebase(drafts)
  }

  /** This node goes on as another member, or with another history. */
  rebase(drafts: readonly Draft[]): void {
    const { history, self } = this.#core
    this.drafts = new Drafts(drafts)
    this.drafts.refresh(history.local)
    this.#nextSeq = history.log(self).held.seq + 1
  }

  /** @throws FleetstepError `operation-invalid`, `limit-reached`; nothing has changed then */
  issue(request: OperationRequest, sealAt: Monotonic): Issued {
    const { local } = this.#core.history
    const checked = checkOperation(request, (path) => this.drafts.cell(path, local))
    const { self, role, history } = this.#core
    const rulesOf = (path: Path): RuleTable | null => this.drafts.rulesOf(path, local)
    assertMayIssue(checked.writes, { self, role, charter: history.membership.charter, rulesOf })
    this.#assertRoomFor(checked.paths)
    return this.#core.isDraft ? this.#draft(checked) : this.#issue(checked, sealAt)
  }

  /** Admits a member, as its sponsor. The join is in a batch at once. */
  admit(join: Join, now: Monotonic): Output[] {
    const message = this.#messageOf({ writes: [], guards: [], paths: [] }, join, null)
    const integration = this.#core.history.execute(message.current)
    this.#core.outbox.add(message, now)
    const outputs: Output[] = []
    this.#core.describe(integration, outputs)
    this.#core.seal(outputs)
    return outputs
  }

  /** Issues the drafts of a node that has become a member, in order: each is gone and in the fleet in one stored record. */
  settle(): readonly Output[] {
    if (this.drafts.list.length === 0 || this.#core.isDraft) return NO_OUTPUTS
    const outputs: Output[] = []
    while (this.drafts.list.length > 0) outputs.push(...this.#settleSome())
    this.drafts.refresh(this.#core.history.local)
    return outputs
  }

  /** Operations of our former lives did not stand after all. */
  takeBack(drafts: readonly Draft[]): void {
    this.drafts.takeBack(drafts)
    this.drafts.refresh(this.#core.history.local)
  }

  noteStored(through: number): readonly Output[] {
    if (this.#unstored.length === 0) return NO_OUTPUTS
    const stored = this.#unstored.filter(({ record }) => record <= through)
    this.#unstored = this.#unstored.slice(stored.length)
    return stored.map(({ original }) => ({ kind: 'draft-durable', draft: original.id }))
  }

  #issue(checked: CheckedOperation, sealAt: Monotonic): Issued {
    this.#assertRoomInJournal()
    const message = this.#messageOf(checked, null, null)
    const { id, stage } = message.current
    const integration = this.#core.history.execute(message.current)
    this.#core.outbox.add(message, sealAt)
    const execution = integration.entries[0]?.execution
    assert(execution, 'a local operation is executed at once')
    const outputs: Output[] = []
    this.#core.describe(integration, outputs)
    return { id, stage, isDraft: false, execution, outputs }
  }

  #draft(checked: CheckedOperation): Issued {
    const { history, self, writer } = this.#core
    this.#assertRoomForDraft()
    const original: Original = { kind: 'draft', id: { member: self, seq: this.drafts.nextSeq(self) } }
    const { current, previous } = this.#messageOf(checked, null, original)
    const draft: Draft = { current: { ...current, id: original.id, original }, previous }
    const { execution, before } = this.drafts.add(draft, history.local)
    const outputs = [writer.store({ kind: 'draft', draft })]
    this.#unstored.push({ record: writer.lastNumber, original })
    outputs.push(...changesSince(before, (path) => this.drafts.cell(path, history.local)))
    return { id: original.id, stage: current.stage, isDraft: true, execution, outputs }
  }

  #settleSome(): Output[] {
    const { history, self, priority, role, writer, outbox } = this.#core
    const settler = { self, priority, role, charter: history.membership.charter }
    const outputs: Output[] = []
    const messages: SyncMessage[] = []
    const conflicts: Conflict[] = []
    let count = 0
    for (let bytes = 0; count < this.drafts.list.length; count++) {
      const draft = this.drafts.list[count] as Draft
      bytes += encodeDraft(draft).length
      if (count > 0 && (bytes > SETTLED_DRAFTS_BYTES_TARGET || messages.length === OPERATIONS_PER_BATCH_MAX)) break
      const settlement = settlementOf(draft, settler, history.local)
      const { original, guards } = draft.current
      if (settlement.kind === 'conflict') conflicts.push(settlement.conflict)
      if (settlement.kind === 'issue') {
        const { writes } = settlement
        const message = this.#messageOf({ writes, guards, paths: pathsOf(writes, guards) }, null, original)
        messages.push(message)
        this.#core.describe(history.execute(message.current), outputs)
      }
      outputs.push({
        kind: 'draft-settled',
        original,
        issued: settlement.kind === 'issue' ? (messages.at(-1)?.current ?? null) : null,
      })
    }
    const batch =
      messages.length === 0 ? null : this.#core.sign(sealBatch(self, history.log(self).held.digest, messages))
    if (batch !== null) {
      history.seal(batch)
      outbox.noteHandedOver(batch)
    }
    for (const conflict of conflicts) if (history.conflicts.keep(conflict)) outputs.push({ kind: 'conflict', conflict })
    this.drafts.remove(count)
    return [...outputs, writer.store({ kind: 'settled', count, batch, conflicts })]
  }

  #messageOf(
    { writes, guards, paths }: Pick<CheckedOperation, 'writes' | 'guards' | 'paths'>,
    join: Join | null,
    original: Original | null,
  ): SyncMessage {
    const { history, self, priority, isDraft } = this.#core
    const previous = history.highWater
    const current: Operation = {
      id: { member: self, seq: this.#nextSeq },
      stage: previous.stage + 1,
      floor: history.floor,
      priority,
      writes,
      guards,
      join,
      original,
      paths: pathsMet(paths, self, join, original),
    }
    if (!isDraft) this.#nextSeq += 1
    return { current, previous }
  }

  #assertRoomInJournal(): void {
    const problem = journalProblem(this.#core)
    if (problem !== null) throw new FleetstepError('limit-reached', problem)
  }

  #assertRoomForDraft(): void {
    const { list, memoryBytes } = this.drafts
    if (list.length < DRAFTS_MAX && memoryBytes < DRAFTS_BYTES_MAX) return
    throw new FleetstepError(
      'limit-reached',
      `there are ${list.length} drafts, which take ${memoryBytes} bytes of memory: this node has to join the fleet first`,
    )
  }

  #assertRoomFor(paths: readonly Path[]): void {
    const { local } = this.#core.history
    if (local.size + paths.length <= PATHS_MAX || paths.every((path) => local.has(path))) return
    throw new FleetstepError(
      'limit-reached',
      `the state is full with ${PATHS_MAX} points: remove some that are not used`,
    )
  }
}
