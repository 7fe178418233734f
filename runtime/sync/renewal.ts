import type { Monotonic } from '../base/clock.ts'
import type { OperationId } from '../base/ids.ts'
import type { Path } from '../state/path.ts'
import type { Value } from '../state/value.ts'
import { heardOf, newsOf } from './adopted-news.ts'
import type { Draft } from './draft.ts'
import { FloorKeeper } from './floor-keeper.ts'
import type { Issuing } from './issuing.ts'
import type { Fetched, Joining } from './joining.ts'
import { newLife } from './life.ts'
import type { Output } from './output.ts'
import { adopt, markAllStored } from './recovery.ts'
import type { Repeater } from './repeater.ts'
import type { ReplicaCore } from './replica-core.ts'
import type { Sponsoring } from './sponsoring.ts'

/** Whoever holds something of the life or of the history that was. */
interface Parts {
  readonly issuing: Issuing
  readonly sponsoring: Sponsoring
  readonly joining: Joining
  readonly repeater: Repeater
  /** Every point that has a value, drafts with it. */
  readonly entries: () => Iterable<readonly [Path, Value]>
}

/** How a node goes on as somebody else, or with another history than its own. */
export class Renewal {
  readonly #core: ReplicaCore
  readonly #parts: Parts

  constructor(core: ReplicaCore, parts: Parts) {
    this.#core = core
    this.#parts = parts
  }
  /** A new life begins: what we have issued so far stays in our log, and comes back as drafts where it does not stand. */
  asDraft(reason: string, now: Monotonic): Output[] {
    const core = this.#core
    const outputs: Output[] = []
    core.seal(outputs)
    if (core.isSetBack) outputs.push(...core.alarms.raise({ name: 'regressed', reason }))
    core.begin(newLife(core.node, core.options.random, reason, this.#trusted()))
    core.history.waitingList.clear()
    outputs.push(core.writer.store({ kind: 'life', life: core.life }))
    this.#rebase(this.#parts.issuing.drafts.list, now)
    this.#parts.sponsoring.reset()
    this.#core.relay.clear()
    return [...outputs, { kind: 'standing', member: core.self, draftReason: reason }]
  }

  /** A draft that begins another life has issued nothing in between. One that has joined since its start issued all of it then. */
  #trusted(): OperationId {
    const { life, self, lastAtStart } = this.#core
    if (lastAtStart.member === self) return lastAtStart
    return life.trusted ?? { member: self, seq: Number.MAX_SAFE_INTEGER }
  }

  /** Goes on with what another node has given us, together with what was ours. */
  adopt({ purpose, bytes }: Fetched, now: Monotonic): Output[] {
    const core = this.#core
    const outputs: Output[] = []
    core.seal(outputs)
    const heard = heardOf(core.history, this.#parts.entries())
    const old = { life: core.life, history: core.history, drafts: this.#parts.issuing.drafts.list }
    const { life, history, drafts, floor } = adopt(old, core.options.genesis, purpose, bytes)
    const own = core.history.log(core.self).stored
    core.begin(life)
    core.history = history
    core.watchSignatures()
    core.floor = new FloorKeeper(history, core.peers)
    core.speaking.noteAdopted()
    markAllStored(history, history.log(own.member).held.seq > own.seq ? own : null)
    core.writer.noteAdopted(history.highWater.stage, floor)
    this.#rebase(drafts, now)
    const settled = this.#parts.issuing.settle()
    outputs.push({ kind: 'standing', member: life.member, draftReason: life.draftReason }, ...settled)
    return [...outputs, ...newsOf(history, heard, this.#parts.entries())]
  }

  #rebase(drafts: readonly Draft[], now: Monotonic): void {
    this.#core.dropVector()
    this.#core.antiEntropy.rebase(this.#core.self, this.#core.history)
    this.#core.antiEntropy.announceFullBy(now)
    this.#parts.issuing.rebase(drafts)
    this.#parts.joining.reset(now)
    this.#parts.repeater.clear()
  }
}
