/** A priority queue: what is first in the order of `compare` is taken first. To add or take one of n costs log n steps. */
export class BinaryHeap<Item> {
  readonly #compare: (left: Item, right: Item) => number
  readonly #items: Item[] = []

  /** @param compare negative if `left` comes first */
  constructor(compare: (left: Item, right: Item) => number) {
    this.#compare = compare
  }

  get length(): number {
    return this.#items.length
  }

  add(item: Item): void {
    this.#items.push(item)
    this.#rise(this.#items.length - 1)
  }

  /** Removes and returns the first. */
  take(): Item | undefined {
    const [first] = this.#items
    const last = this.#items.pop()
    if (last === undefined || this.#items.length === 0) return last
    this.#items[0] = last
    this.#sink(0)
    return first
  }

  #rise(index: number): void {
    let child = index
    while (child > 0) {
      const parent = (child - 1) >> 1
      if (this.#isOrdered(parent, child)) return
      this.#swap(parent, child)
      child = parent
    }
  }

  #sink(index: number): void {
    let parent = index
    for (;;) {
      const left = 2 * parent + 1
      if (left >= this.#items.length) return
      const right = left + 1
      const lower = right < this.#items.length && this.#isOrdered(right, left) ? right : left
      if (this.#isOrdered(parent, lower)) return
      this.#swap(parent, lower)
      parent = lower
    }
  }

  #isOrdered(first: number, second: number): boolean {
    return this.#compare(this.#items[first] as Item, this.#items[second] as Item) <= 0
  }

  #swap(left: number, right: number): void {
    const item = this.#items[left] as Item
    this.#items[left] = this.#items[right] as Item
    this.#items[right] = item
  }
}
