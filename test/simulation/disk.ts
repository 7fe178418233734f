/** A disk that keeps what was synced when its node loses power; a commit in flight then is kept whole or lost whole. */
export class SimulatedDisk {
  #snapshot: { readonly bytes: Uint8Array; readonly through: number } | null = null
  #records: { readonly number: number; readonly bytes: Uint8Array }[] = []
  #last = 0
  /** Handed over, and not in a commit yet. */
  #written: { readonly number: number; readonly bytes: Uint8Array }[] = []
  #committing: { readonly number: number; readonly bytes: Uint8Array }[] = []

  get hasWritten(): boolean {
    return this.#written.length > 0
  }

  get isCommitting(): boolean {
    return this.#committing.length > 0
  }

  recover(): { snapshot: Uint8Array | null; records: readonly Uint8Array[]; last: number } {
    return {
      snapshot: this.#snapshot?.bytes ?? null,
      records: this.#records.map(({ bytes }) => bytes),
      last: this.#last,
    }
  }

  write(number: number, bytes: Uint8Array): void {
    this.#written.push({ number, bytes })
  }

  /** Group commit: all that was written goes into one commit, which takes its time. */
  startCommit(): void {
    this.#committing = this.#written
    this.#written = []
  }

  /** @returns the records that are on the medium now, and the number of the last one */
  finishCommit(): { readonly through: number; readonly records: readonly Uint8Array[] } {
    const committed = this.#committing
    this.#committing = []
    this.#records.push(...committed)
    this.#last = committed.at(-1)?.number ?? this.#last
    return { through: this.#last, records: committed.map(({ bytes }) => bytes) }
  }

  /** Replaces the snapshot, once its bytes are on the medium. */
  takeSnapshot(bytes: Uint8Array, through: number): void {
    if (through < (this.#snapshot?.through ?? 0)) return
    this.#snapshot = { bytes, through }
    this.#records = this.#records.filter(({ number }) => number > through)
  }

  /** @returns what the commit in flight brought onto the medium */
  losePower(keepsCommit: boolean): readonly Uint8Array[] {
    this.#written = []
    if (keepsCommit) return this.finishCommit().records
    this.#committing = []
    return []
  }
}
