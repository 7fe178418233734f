import { assert } from '../base/errors.ts'
import { formatOperationId, type OperationId } from '../base/ids.ts'
import { CONFLICTS_MAX } from '../base/limits.ts'
import type { Entry } from '../state/entry.ts'
import { type Clash, yielding } from '../state/executor.ts'
import type { Positioned } from '../state/operation.ts'
import type { Path } from '../state/path.ts'
import { showPoint } from '../state/reserved-point.ts'
import type { Value } from '../state/value.ts'
import { Yielded, type YieldedTogether } from '../state/yielded.ts'
import type { Effects } from './effects.ts'

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
  readonly #conflicts = new Map<Clash | Yielded | string, Clash | Yielded | Conflict>()
  /** Clashes of the journal that have taken the place of a conflict which a snapshot held, with its id. */
  readonly #restored = new Map<Clash, string>()
  /** How many are found by their ids. */
  #named = 0
  readonly #kept = new Set<string>()
  readonly #resolved = new Set<string>()
  #forgotten = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  /** How many had to go because the list was full. */
  get forgotten(): number {
    return this.#forgotten
  }

  get(id: string): Conflict | undefined {
    return this.list().find((conflict) => conflict.id === id)
  }

  list(): readonly Conflict[] {
    const conflicts: Conflict[] = []
    for (const one of this.#conflicts.values()) {
      if (one instanceof Yielded) for (const entry of one.counted()) conflicts.push(conflictOf(clashOf(entry)))
      else conflicts.push(asItIsNow(one))
    }
    return conflicts
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
    for (const [key, one] of this.#conflicts) {
      if (one instanceof Yielded) this.#leaveResolved(one, (other) => other === id)
      else if (asItIsNow(one).id === id) this.#delete(key)
    }
    this.#resolved.add(id)
    for (const oldest of this.#resolved) {
      if (this.#resolved.size <= CONFLICTS_MAX) return
      this.#resolved.delete(oldest)
    }
  }

  /**
   * Follows executions: the clashes that they had before go, those that they have now come. Of many that have come to yield
   * together, each is looked at when the list is.
   * @returns the new ones, without those
   */
  follow({ executed, yielded }: Pick<Effects, 'executed' | 'yielded'>): readonly Conflict[] {
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
    for (const { yielded: together } of yielded) {
      this.#set(together, together, together.size)
      if (this.#resolved.size > 0) this.#leaveResolved(together, (id) => this.#resolved.has(id))
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
    this.#set(conflict.id, conflict, 1)
  }

  #add(clash: Clash, { id }: Conflict): void {
    const isNamed = this.#named > 0 && this.#conflicts.has(id)
    if (isNamed) this.#restored.set(clash, id)
    this.#set(isNamed ? id : clash, clash, 1)
  }

  #set(key: Clash | Yielded | string, one: Clash | Yielded | Conflict, size: number): void {
    if (!this.#conflicts.has(key)) this.#size += size
    this.#conflicts.set(key, one)
  }

  #leave(clash: Clash): void {
    const { together } = clash
    if (together !== null && this.#conflicts.has(together)) this.#leaveTogether(together, clash.loser)
    const key = this.#restored.get(clash) ?? clash
    if (this.#conflicts.get(key) === clash) this.#delete(key)
    if (key !== clash) this.#restored.delete(clash)
  }

  #leaveTogether(together: Yielded, loser: Positioned): void {
    if (together.leave(loser)) this.#size -= 1
    if (together.size === 0) this.#conflicts.delete(together)
  }

  #leaveResolved(together: Yielded, isResolved: (id: string) => boolean): void {
    for (const entry of together.counted()) {
      if (isResolved(idOf(clashOf(entry)))) this.#leaveTogether(together, entry.operation)
    }
  }

  #delete(key: Clash | Yielded | string): void {
    const one = this.#conflicts.get(key)
    if (one === undefined) return
    this.#conflicts.delete(key)
    this.#size -= one instanceof Yielded ? one.size : 1
    if (typeof key === 'string') this.#named -= 1
  }

  #shrink(): void {
    if (this.#size <= CONFLICTS_MAX) return
    for (const [key, one] of this.#conflicts) {
      const excess = this.#size - CONFLICTS_MAX
      if (excess <= 0) return
      this.#forgotten += one instanceof Yielded ? Math.min(excess, one.size) : 1
      if (one instanceof Yielded && one.size > excess) {
        one.forgetFirst(excess)
        this.#size -= excess
      } else this.#delete(key)
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

/** The one clash of a plain write that has come to yield. */
function clashOf(entry: Entry): Clash {
  const clash = entry.execution?.clashes[0]
  assert(clash !== undefined, 'what yields has a clash')
  return clash
}

/** The conflicts of operations that have come to yield together, as they were then. */
export function* conflictsOf({ entries, yielded }: YieldedTogether): Generator<Conflict> {
  for (const { operation } of entries) {
    const [clash] = yielding(operation, [yielded.standing], null).clashes
    if (clash !== undefined && !yielded.hasLeft(operation)) yield conflictOf(clash)
  }
}

/** Its id begins with the kind of its original. */
export function isOfOriginal({ id }: Conflict): boolean {
  return id.startsWith('draft ') || id.startsWith('operation ')
}

function idOf(clash: Clash): string {
  return `${formatOperationId(clash.loser.id)}@${showPoint(clash.path)}`
}
