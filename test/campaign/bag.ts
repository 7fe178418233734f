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

  draw(scene: Scene, count: number): readonly (readonly [string, Trouble])[] {
    const drawn: (readonly [string, Trouble])[] = []
    const claimed = new Set<string>()
    while (drawn.length < count && this.#kinds.length > 0) {
      if (this.#rest.length === 0) this.#rest = [...this.#kinds]
      const kind = this.#rest.splice(this.#below(this.#rest.length), 1)[0] ?? ''
      const trouble = TROUBLES[kind]?.(scene)
      if (trouble === undefined) continue
      if (trouble.claims.some((claim) => claimed.has(claim))) {
        this.#rest.push(kind)
        break
      }
      for (const claim of trouble.claims) claimed.add(claim)
      drawn.push([kind, trouble])
    }
    return drawn
  }
}
