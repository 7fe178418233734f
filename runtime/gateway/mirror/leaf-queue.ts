import type { Clock, Monotonic } from '../../base/clock.ts'
import { MIRROR_INTERVAL_MS } from '../../base/limits.ts'
import type { Path } from '../../state/path.ts'

/**
 * Which leaves are to be published, at most once in a second each: the newest value counts. It holds paths, not values, so
 * it is no larger than the state.
 */
export class LeafQueue {
  readonly #clock: Clock
  /** @returns false to be asked again after `resume` */
  readonly #publish: (path: Path) => boolean
  readonly #due = new Map<Path, Monotonic>()
  readonly #last = new Map<Path, Monotonic>()
  #cancel: (() => void) | null = null
  #isHeld = true

  constructor(clock: Clock, publish: (path: Path) => boolean) {
    this.#clock = clock
    this.#publish = publish
  }

  add(path: Path): void {
    if (this.#due.has(path)) return
    this.#due.set(path, (this.#last.get(path) ?? -Infinity) + MIRROR_INTERVAL_MS)
    this.#schedule()
  }

  /** There is a connection, and room in it. */
  resume(): void {
    this.#isHeld = false
    this.#schedule()
  }

  /** Until `resume` nothing can be published; what was added stays. */
  hold(): void {
    this.#isHeld = true
    this.#cancel?.()
    this.#cancel = null
  }

  #schedule(): void {
    if (this.#isHeld || this.#cancel !== null || this.#due.size === 0) return
    // Changes of one moment go together, and those that must wait are looked at a few times in a second.
    this.#cancel = this.#clock.schedule(this.#clock.now() + LOOK_MS, () => {
      this.#cancel = null
      this.#flush()
    })
  }

  #flush(): void {
    const now = this.#clock.now()
    for (const [path, at] of this.#last) if (now - at >= MIRROR_INTERVAL_MS) this.#last.delete(path)
    for (const [path, at] of this.#due) {
      if (at > now) continue
      if (!this.#publish(path)) return this.hold()
      this.#due.delete(path)
      this.#last.set(path, now)
    }
    this.#schedule()
  }
}

const LOOK_MS = 50
