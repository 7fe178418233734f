import type { Clock, Monotonic } from '../../base/clock.ts'
import { MIRROR_AGE_INTERVAL_MS, MIRROR_QUALITY_INTERVAL_MS } from '../../base/limits.ts'
import type { Path } from '../../state/path.ts'
import type { PathQuality } from '../qualities.ts'

export interface QualityLeavesOptions {
  readonly clock: Clock
  readonly qualities: () => ReadonlyMap<string, PathQuality>
  readonly isShown: (path: Path) => boolean
  /** @param quality null: nobody reports the point any more @returns false: there is no room at present */
  readonly publish: (path: Path, quality: PathQuality | null) => boolean
}

/** Says of each value that a device reports how far it can be relied on: when that changes, and its age once in a while. */
export class QualityLeaves {
  readonly #options: QualityLeavesOptions
  readonly #said = new Map<string, { readonly quality: string; readonly at: Monotonic }>()
  /** Whose quality was known at the last look. */
  #known: ReadonlySet<string> = new Set()
  #cancel: () => void = () => undefined

  constructor(options: QualityLeavesOptions) {
    this.#options = options
  }

  /** A broker may know none of them. */
  begin(): void {
    this.#said.clear()
    this.#look()
  }

  hold(): void {
    this.#cancel()
  }

  /** Whether the point had a quality at the last look: a look goes over all points of the fleet, and a broker may ask for each. */
  has(path: string): boolean {
    return this.#known.has(path)
  }

  /** Soon, since something has happened. */
  lookSoon(): void {
    const { clock } = this.#options
    this.#cancel()
    this.#cancel = clock.schedule(clock.now() + SOON_MS, () => this.#look())
  }

  #look(): void {
    const { clock } = this.#options
    this.#cancel()
    this.#cancel = clock.schedule(clock.now() + MIRROR_QUALITY_INTERVAL_MS, () => this.#look())
    this.#say(clock.now())
  }

  #say(now: Monotonic): void {
    const { qualities, isShown, publish } = this.#options
    const all = qualities()
    this.#known = new Set(all.keys())
    for (const [path, quality] of all) {
      if (!isShown(path as Path)) continue
      const before = this.#said.get(path)
      const isDue = before?.quality !== quality.quality || now - before.at >= MIRROR_AGE_INTERVAL_MS
      if (!isDue) continue
      if (!publish(path as Path, quality)) return
      this.#said.set(path, { quality: quality.quality, at: now })
    }
    for (const path of this.#said.keys()) {
      if (all.has(path)) continue
      if (!publish(path as Path, null)) return
      this.#said.delete(path)
    }
  }
}

const SOON_MS = 100
