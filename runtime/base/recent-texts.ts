/**
 * Texts in ASCII that were read lately, found by their bytes: whoever reads one again gets the same text, and makes none that it
 * throws away. It keeps at most so many as it has slots, whatever is read.
 */
export class RecentTexts<T extends string> {
  readonly #slots: (T | null)[]
  readonly #mask: number

  /** @param slots a power of two */
  constructor(slots: number) {
    this.#slots = Array.from({ length: slots }, () => null)
    this.#mask = slots - 1
  }

  /** The text of the bytes from `start` to `end`, if it is here. */
  find(bytes: Uint8Array, start: number, end: number): T | null {
    const slot = hashOf(bytes, start, end) & this.#mask
    const first = this.#slots[slot] as T | null
    if (first !== null && isTextOf(first, bytes, start, end)) return first
    const second = this.#slots[slot ^ 1] as T | null
    return second !== null && isTextOf(second, bytes, start, end) ? second : null
  }

  /** @param text in ASCII, or it is not kept; it takes the place of another one if its two are taken */
  keep(text: T): void {
    if (!ASCII.test(text)) return
    const bytes = Buffer.from(text, 'latin1')
    const slot = hashOf(bytes, 0, bytes.length) & this.#mask
    this.#slots[this.#slots[slot] === null ? slot : slot ^ 1] = text
  }
}

const ASCII = /^[ -~]*$/

/** FNV-1a, folded so that the low bits depend on all of it. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c_9dc5
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x0100_0193)
  return hash ^ (hash >>> 15)
}

function isTextOf(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) !== bytes[start + index]) return false
  return true
}
