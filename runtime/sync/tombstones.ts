import type { MemberId } from '../base/ids.ts'
import type { Path } from '../state/path.ts'
import { isTombstoneUnneeded } from './floor.ts'
import type { History } from './history.ts'
import type { Peers } from './peers.ts'

/** Settled deletions. A tombstone goes when nobody can come any more who has not seen it (PROTOCOL section 7). */
export class Tombstones {
  readonly #history: History
  /** The stage of the deletion. */
  readonly #stages = new Map<Path, number>()

  constructor(history: History) {
    this.#history = history
    for (const register of history.local.registers()) this.#note(register.path)
  }

  /** @param settled paths whose settled cell may have changed */
  follow(settled: Iterable<Path>, peers: Peers, self: MemberId): void {
    for (const path of settled) this.#note(path)
    const highest = Math.max(0, ...this.#stages.values())
    if (highest === 0 || !isTombstoneUnneeded(Math.min(...this.#stages.values()), this.#history, peers, self)) return
    for (const [path, stage] of this.#stages) {
      if (!isTombstoneUnneeded(stage, this.#history, peers, self)) continue
      this.#stages.delete(path)
      this.#history.local.forget(path)
    }
  }

  #note(path: Path): void {
    const cell = this.#history.local.settledCell(path)
    if (cell.value === undefined && cell.writer !== null) this.#stages.set(path, cell.writer.stage)
    else this.#stages.delete(path)
  }
}
