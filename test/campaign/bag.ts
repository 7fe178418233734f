import type { Scene, Trouble } from './trouble.ts'
import { TROUBLES } from './troubles.ts'

/** Every kind comes before any comes again. */
export class Bag {
  readonly #kinds: readonly string[]
  readonly #below: (limit: number) => number
  #rest: string[] = []

  constructor(kinds: readonly string[], below: (limit: number) => number) {
    this.#kinds = kinds
    this.#below = below
  }

  /** What does not go with what is drawn already stays for the next time. */
  draw(scene: Scene, count: number): readonly (readonly [string, Trouble])[] {
    const drawn: (readonly [string, Trouble])[] = []
    const left: string[] = []
    const claimed = new Set<string>()
    while (drawn.length < count) {
      if (this.#rest.length === 0) {
        if (drawn.length > 0 || this.#kinds.length === 0) break
        this.#rest = [...this.#kinds]
      }
      const kind = this.#rest.splice(this.#below(this.#rest.length), 1)[0] ?? ''
      const trouble = TROUBLES[kind]?.(scene)
      if (trouble === undefined) continue
      if (trouble.claims.some((claim) => claimed.has(claim))) {
        left.push(kind)
        continue
      }
      for (const claim of trouble.claims) claimed.add(claim)
      drawn.push([kind, trouble])
    }
    this.#rest.push(...left)
    return drawn
  }

  /** What did nothing was not tried: it comes again. */
  putBack(kind: string): void {
    if (!this.#rest.includes(kind)) this.#rest.push(kind)
  }
}
