/** What will happen, by time; events of one time happen in the order in which they were added. A binary heap. */
export class EventQueue {
  readonly #heap: { readonly at: number; readonly number: number; readonly happen: () => void }[] = []
  #added = 0

  get nextAt(): number {
    return this.#heap[0]?.at ?? Infinity
  }

  add(at: number, happen: () => void): void {
    this.#added += 1
    this.#heap.push({ at, number: this.#added, happen })
    let child = this.#heap.length - 1
    while (child > 0) {
      const parent = (child - 1) >> 1
      if (!this.#isBefore(child, parent)) return
      this.#swap(parent, child)
      child = parent
    }
  }

  take(): (() => void) | undefined {
    const first = this.#heap[0]
    const last = this.#heap.pop()
    if (first === undefined || last === undefined) return undefined
    if (first !== last) {
      this.#heap[0] = last
      this.#sink()
    }
    return first.happen
  }

  #sink(): void {
    let parent = 0
    for (;;) {
      const left = 2 * parent + 1
      if (left >= this.#heap.length) return
      const child = left + 1 < this.#heap.length && this.#isBefore(left + 1, left) ? left + 1 : left
      if (!this.#isBefore(child, parent)) return
      this.#swap(parent, child)
      parent = child
    }
  }

  #isBefore(left: number, right: number): boolean {
    const one = this.#heap[left]!
    const other = this.#heap[right]!
    return one.at !== other.at ? one.at < other.at : one.number < other.number
  }

  #swap(left: number, right: number): void {
    const held = this.#heap[left]!
    this.#heap[left] = this.#heap[right]!
    this.#heap[right] = held
  }
}
