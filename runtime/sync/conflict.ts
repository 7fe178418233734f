import { formatOperationId, type OperationId } from '../base/ids.ts'
import { assert } from '../base/errors.ts'
import { CONFLICTS_MAX } from '../base/limits.ts'
import type { Clash } from '../state/executor.ts'
import type { Positioned } from '../state/operation.ts'
import type { Path } from '../state/path.ts'
import { showPoint } from '../state/reserved-point.ts'
import type { Entry } from '../state/register.ts'
import type { Value } from '../state/value.ts'
import type { Executed } from './local-state.ts'

/** A change that had to yield, shown to people: two changes of one point of which neither issuer had seen the other. */
export interface Conflict {
  /** `<operation id of the loser>@<path>`; with a word before it of an operation that is in no journal. */
  readonly id: string
  readonly path: Path
  readonly winner: ConflictSide
  readonly loser: ConflictSide
}

/** `value` is undefined for a deletion. */
export interface ConflictSide {
  readonly operation: OperationId
  readonly stage: number
  readonly value: Value | undefined
}

/** The conflicts of the journal and those that are settled, oldest first. The same on every replica but for the bound. */
export class ConflictList {
  readonly #conflicts = new Map<string, Conflict | Carried>()
  readonly #kept = new Set<string>()
  readonly #resolved = new Set<string>()
  #forgotten = 0

  /** How many had to go because the list was full. */
  get forgotten(): number {
    return this.#forgotten
  }

  get(id: string): Conflict | undefined {
    const conflict = this.#conflicts.get(id)
    return conflict === undefined ? undefined : asItIsNow(conflict)
  }

  list(): readonly Conflict[] {
    return [...this.#conflicts.values()].map(asItIsNow)
  }

  /** Those that no operation of the journal carries. */
  kept(): readonly Conflict[] {
    return this.list().filter(({ id }) => this.#kept.has(id))
  }

  /** Ids that a person has dealt with: they do not come back when their operations execute again. */
  resolved(): readonly string[] {
    return [...this.#resolved]
  }

  restore(conflicts: readonly Conflict[], forgotten: number, resolved: readonly string[]): void {
    for (const conflict of conflicts) {
      this.#conflicts.set(conflict.id, conflict)
      if (isOfOriginal(conflict)) this.#kept.add(conflict.id)
    }
    for (const id of resolved) this.#resolved.add(id)
    this.#forgotten = forgotten
  }

  resolve(id: string): void {
    this.#conflicts.delete(id)
    this.#resolved.add(id)
    for (const oldest of this.#resolved) {
      if (this.#resolved.size <= CONFLICTS_MAX) return
      this.#resolved.delete(oldest)
    }
  }

  /**
   * Follows executions: the clashes that they had before go, those that they have now come. All go before any comes, since
   * a write may yield to another operation than before.
   * @returns the new ones
   */
  follow(executed: readonly Executed[]): readonly Conflict[] {
    for (const { before } of executed) {
      if (before !== null) for (const clash of before.clashes) this.#conflicts.delete(idOf(clash))
    }
    const came: Conflict[] = []
    for (const { entry, after } of executed) {
      for (const clash of after.clashes) {
        const conflict = conflictOf(clash)
        if (this.#resolved.has(conflict.id)) continue
        came.push(conflict)
        this.#conflicts.set(conflict.id, { entry, id: conflict.id, path: clash.path, loser: clash.loser })
      }
    }
    this.#shrink()
    return came
  }

  /** Adds one that no operation of the journal carries: a draft that yielded, or a second life. It stays until a person acts. */
  keep(conflict: Conflict): boolean {
    if (this.#resolved.has(conflict.id)) return false
    this.#kept.add(conflict.id)
    this.#conflicts.set(conflict.id, conflict)
    this.#shrink()
    return true
  }

  /** The clashes of an entry that left the journal. */
  leave(entry: Entry): void {
    for (const clash of entry.execution?.clashes ?? []) this.#conflicts.delete(idOf(clash))
  }

  #shrink(): void {
    if (this.#conflicts.size <= CONFLICTS_MAX) return
    for (const id of this.#conflicts.keys()) {
      if (this.#conflicts.size <= CONFLICTS_MAX) return
      this.#conflicts.delete(id)
      this.#forgotten += 1
    }
  }
}

/** One that an operation of the journal carries. To whom the loser yields can change without a change of its outcome. */
interface Carried {
  readonly id: string
  readonly path: Path
  readonly loser: Positioned
  readonly entry: Entry
}

function asItIsNow(conflict: Conflict | Carried): Conflict {
  if (!('entry' in conflict)) return conflict
  const { entry, path, loser } = conflict
  const clash = entry.execution?.clashes.find((one) => one.path === path && one.loser === loser)
  assert(clash, 'what does not yield any more is not in the list')
  return conflictOf(clash)
}

function conflictOf(clash: Clash): Conflict {
  return {
    id: idOf(clash),
    path: clash.path,
    winner: { operation: clash.winner.id, stage: clash.winner.stage, value: clash.winnerValue },
    loser: { operation: clash.loser.id, stage: clash.loser.stage, value: clash.loserValue },
  }
}

/** Its id begins with the kind of its original. */
export function isOfOriginal({ id }: Conflict): boolean {
  return id.startsWith('draft ') || id.startsWith('operation ')
}

function idOf(clash: Clash): string {
  return `${formatOperationId(clash.loser.id)}@${showPoint(clash.path)}`
}
