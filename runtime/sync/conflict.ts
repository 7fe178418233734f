import { formatOperationId, type OperationId } from '../base/ids.ts'
import { CONFLICTS_MAX } from '../base/limits.ts'
import type { Clash } from '../state/executor.ts'
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
  /**
   * A clash of an execution stands for itself: to whom the loser yields can change without a change of its outcome. Those that
   * no execution here has brought about are found by their ids.
   */
  readonly #conflicts = new Map<Clash | string, Clash | Conflict>()
  /** Clashes of the journal that have taken the place of a conflict which a snapshot held, with its id. */
  readonly #restored = new Map<Clash, string>()
  /** How many are found by their ids. */
  #named = 0
  readonly #kept = new Set<string>()
  readonly #resolved = new Set<string>()
  #forgotten = 0

  get size(): number {
    return this.#conflicts.size
  }

  /** How many had to go because the list was full. */
  get forgotten(): number {
    return this.#forgotten
  }

  get(id: string): Conflict | undefined {
    return this.list().find((conflict) => conflict.id === id)
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
      this.#name(conflict)
      if (isOfOriginal(conflict)) this.#kept.add(conflict.id)
    }
    for (const id of resolved) this.#resolved.add(id)
    this.#forgotten = forgotten
  }

  resolve(id: string): void {
    for (const [key, conflict] of this.#conflicts) if (asItIsNow(conflict).id === id) this.#delete(key)
    this.#resolved.add(id)
    for (const oldest of this.#resolved) {
      if (this.#resolved.size <= CONFLICTS_MAX) return
      this.#resolved.delete(oldest)
    }
  }

  /**
   * Follows executions: the clashes that they had before go, those that they have now come.
   * @returns the new ones
   */
  follow(executed: readonly Executed[]): readonly Conflict[] {
    let came: Conflict[] | null = null
    for (const { before, after } of executed) {
      if (before !== null) for (const clash of before.clashes) this.#leave(clash)
      for (const clash of after.clashes) {
        const conflict = conflictOf(clash)
        if (this.#resolved.size > 0 && this.#resolved.has(conflict.id)) continue
        ;(came ??= []).push(conflict)
        this.#add(clash, conflict)
      }
    }
    this.#shrink()
    return came ?? NONE
  }

  /** Adds one that no operation of the journal carries: a draft that yielded, or a second life. It stays until a person acts. */
  keep(conflict: Conflict): boolean {
    if (this.#resolved.has(conflict.id)) return false
    this.#kept.add(conflict.id)
    this.#name(conflict)
    this.#shrink()
    return true
  }

  /** The clashes of an entry that left the journal. */
  leave(entry: Entry): void {
    for (const clash of entry.execution?.clashes ?? []) this.#leave(clash)
  }

  #name(conflict: Conflict): void {
    if (!this.#conflicts.has(conflict.id)) this.#named += 1
    this.#conflicts.set(conflict.id, conflict)
  }

  #add(clash: Clash, { id }: Conflict): void {
    const isNamed = this.#named > 0 && this.#conflicts.has(id)
    if (isNamed) this.#restored.set(clash, id)
    this.#conflicts.set(isNamed ? id : clash, clash)
  }

  #leave(clash: Clash): void {
    const key = this.#restored.get(clash) ?? clash
    if (this.#conflicts.get(key) === clash) this.#delete(key)
    if (key !== clash) this.#restored.delete(clash)
  }

  #delete(key: Clash | string): void {
    if (this.#conflicts.delete(key) && typeof key === 'string') this.#named -= 1
  }

  #shrink(): void {
    if (this.#conflicts.size <= CONFLICTS_MAX) return
    for (const key of this.#conflicts.keys()) {
      if (this.#conflicts.size <= CONFLICTS_MAX) return
      this.#delete(key)
      this.#forgotten += 1
    }
  }
}

const NONE: readonly Conflict[] = []

function asItIsNow(conflict: Conflict | Clash): Conflict {
  return 'id' in conflict ? conflict : conflictOf(conflict)
}

function conflictOf(clash: Clash): Conflict {
  const [standing] = clash.standing
  const winner = standing?.writer ?? clash.winner
  return {
    id: idOf(clash),
    path: clash.path,
    winner: {
      operation: winner.id,
      stage: winner.stage,
      value: standing === undefined ? clash.winnerValue : standing.value,
    },
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
