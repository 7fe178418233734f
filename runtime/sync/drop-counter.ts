/** Kinds of reasons that are told apart; whoever floods us with new ones only raises the last counter. */
const REASONS_MAX = 64
const OTHER = 'other'

/** Counts what was dropped, by reason. */
export class DropCounter {
  readonly #counts = new Map<string, number>()

  add(reason: string): void {
    const key = this.#counts.has(reason) || this.#counts.size < REASONS_MAX ? reason : OTHER
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  toJSON(): Record<string, number> {
    return Object.fromEntries(this.#counts)
  }
}
