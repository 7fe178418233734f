import { unreachable } from '../base/errors.ts'
import type { MemberId } from '../base/ids.ts'
import type { Verdict } from './consistency.ts'
import type { LateOperations } from './late.ts'
import { keepsOwn } from './life.ts'
import { type Batch, firstOf, lastOf } from './message.ts'
import { NO_OUTPUTS, type Output } from './output.ts'
import type { ReplicaCore } from './replica-core.ts'
import { conflictsOfRemoved } from './settlement.ts'

/** Operations that do not stand: they leave the journal or do not come in, and people are told. */
export class Discards {
  readonly #core: ReplicaCore

  constructor(core: ReplicaCore) {
    this.#core = core
  }

  /** Operations of a member behind a seq leave the journal; what is undone goes where people see it. */
  truncate({ member, seq }: Pick<LateOperations, 'member' | 'seq'>): Output[] {
    const core = this.#core
    const store = core.writer.store({ kind: 'truncated', member, seq })
    const removal = core.history.truncate([[member, seq]], (other) => keepsOwn(core.life, other))
    const conflicts = removal.entries.flatMap(({ operation }) => conflictsOfRemoved(operation, core.history.local))
    const outputs = [store, ...core.remove(removal)]
    for (const conflict of conflicts)
      if (core.history.conflicts.keep(conflict)) outputs.push({ kind: 'conflict', conflict })
    return outputs
  }

  /** The same of what is late: of a retired member it lies beyond the cut from now on. */
  truncateLate({ member, seq }: LateOperations): Output[] {
    const [first] = this.#core.history.log(member).between(seq, seq + 1)
    const outputs = this.truncate({ member, seq })
    return [...outputs, ...this.#lowerCut(member, first)]
  }

  /** What came late of a retired member does not stand, whatever some who count held of it when they froze. */
  #lowerCut(member: MemberId, late: Batch | undefined): Output[] {
    const core = this.#core
    const { retirement } = core.history
    if (!retirement.isRetired(member)) return []
    const cuts = retirement.lowerCut(core.history.log(member).held, late)
    return cuts === null ? [] : [core.writer.store({ kind: 'cuts', cuts })]
  }

  /** Counts, and tells people, what was not executed. */
  describe(batch: Batch, verdict: Verdict): readonly Output[] {
    const core = this.#core
    const { member, seq } = lastOf(batch).current.id
    switch (verdict.kind) {
      case 'late':
        core.dropped.add('operation at or below the floor')
        // Before the join that counts it would be void: an earlier join was cut, and nobody was set back.
        if (firstOf(batch).current.stage <= (core.history.membership.get(member)?.since ?? 0)) return NO_OUTPUTS
        return [
          ...core.storeFloor(),
          ...this.#lowerCut(member, batch),
          ...core.alarms.raise({ name: 'late-operation', member, seq }),
        ]
      case 'used-twice':
        core.dropped.add('operation of a second life of its member')
        return [
          ...core.storeFloor(),
          ...core.alarms.raise({
            name: 'identity-used-twice',
            member,
            seq,
            digests: [core.history.log(member).digestAt(seq), batch.digest],
          }),
        ]
      case 'cut':
        core.dropped.add('operation of a retired member that does not stand')
        return NO_OUTPUTS
      case 'refused':
        core.dropped.add(verdict.reason)
        return NO_OUTPUTS
      case 'wait':
      case 'known':
      case 'ready':
        return NO_OUTPUTS
      default:
        return unreachable(verdict)
    }
  }
}
