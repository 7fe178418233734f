import { type Cell, sameCell } from '../state/cell.ts'
import type { Entry } from '../state/entry.ts'
import type { Clash, Execution } from '../state/executor.ts'
import type { Path } from '../state/path.ts'
import type { Register } from '../state/register.ts'
import type { YieldedTogether } from '../state/yielded.ts'

/** What an integration did to the state: as it was right after it, whatever has been integrated since. */
export interface Effects {
  /** Points whose cell differs from before. */
  readonly changed: readonly ChangedCell[]
  /** Entries that were executed for the first time or came to another outcome or other losers. */
  readonly executed: readonly Executed[]
  /** Entries that were applied and are superseded now, many at a time. */
  readonly yielded: readonly YieldedTogether[]
}

export interface ChangedCell {
  readonly path: Path
  readonly before: Cell
  readonly after: Cell
}

export interface Executed {
  readonly entry: Entry
  /** The result that it had, or null. */
  readonly before: Execution | null
  readonly after: Execution
}

/** What one input does to the state, while it is done. It is made once, so that the code for it outlives the tidying of memory. */
export class Run {
  executed: Executed[] = []
  yielded: YieldedTogether[] = []
  /** Rules may stand elsewhere in this run than entries were judged by before. */
  rulesMoved = false
  #met: Register[] = []

  /** `register` may change in this run. */
  note(register: Register): void {
    if (register.atStart !== null) return
    register.atStart = register.cell
    this.#met.push(register)
  }

  /** @param before the result that it had; what matters to nobody but a list of conflicts, which looks again, is left out */
  noteExecuted(entry: Entry, before: Execution | null): void {
    const after = entry.execution
    if (after === null) return
    if (before !== null && isSameResult(before, after)) keepClashes(before, after)
    else this.executed.push({ entry, before, after })
  }

  /** All of it, which is forgotten here: entries that leave the journal must not stay because nothing else has happened since. */
  effects(): Effects {
    const { executed, yielded } = this
    const changed: ChangedCell[] = []
    for (const register of this.#met) {
      const { path, cell, atStart } = register
      register.atStart = null
      if (atStart !== null && !sameCell(atStart, cell)) changed.push({ path, before: atStart, after: cell })
    }
    this.executed = []
    this.yielded = []
    this.rulesMoved = false
    this.#met = []
    return { changed, executed, yielded }
  }
}

/** The list of conflicts holds the clashes themselves. */
function keepClashes(before: Execution, after: Execution): void {
  if (before.clashes.length === 0) return
  for (let index = 0; index < before.clashes.length; index++) {
    const [clash, now] = [before.clashes[index] as Clash, after.clashes[index] as Clash]
    clash.standing = now.standing
    clash.winner = now.winner
    clash.winnerValue = now.winnerValue
    clash.loserValue = now.loserValue
  }
  after.clashes = before.clashes
}

/** To whom a loser yields, and with which values, may differ: that stands in the execution itself. */
function isSameResult(left: Execution, right: Execution): boolean {
  if (left.outcome !== right.outcome || left.clashes.length !== right.clashes.length) return false
  return left.clashes.every(({ path, loser }, index) => {
    const other = right.clashes[index]
    return path === other?.path && loser === other.loser
  })
}
