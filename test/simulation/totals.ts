import type { ScheduleResult } from './schedule.ts'

/** What a run of schedules came to, in a few lines. */
export class Totals {
  failures = 0
  #schedules = 0
  #batches = 0
  #conflicts = 0
  #crashes = 0
  #simulatedMs = 0
  readonly #endings = new Map<string, number>()
  readonly #startedMs = performance.now()
  readonly #troubles = new Map<string, number>()
  readonly #alarms = new Map<string, number>()

  add({ ending, troubles, alarms, batches, conflicts, crashes, simulatedMs }: ScheduleResult): void {
    this.#schedules += 1
    this.#endings.set(ending, (this.#endings.get(ending) ?? 0) + 1)
    this.#batches += batches
    this.#conflicts += conflicts
    this.#crashes += crashes
    this.#simulatedMs += simulatedMs
    for (const trouble of troubles) this.#troubles.set(trouble, (this.#troubles.get(trouble) ?? 0) + 1)
    for (const [alarm, count] of alarms) this.#alarms.set(alarm, (this.#alarms.get(alarm) ?? 0) + count)
  }

  addFailure(): void {
    this.#schedules += 1
    this.failures += 1
  }

  text(): string {
    const seconds = (performance.now() - this.#startedMs) / 1000
    return (
      `${this.#schedules} schedules, ${this.failures} failed; endings: ${listed(this.#endings)}; ` +
      `${this.#batches} batches, ${this.#crashes} crashes, ${this.#conflicts} conflicts, ` +
      `${(this.#simulatedMs / 3_600_000).toFixed(1)} hours simulated in ${seconds.toFixed(1)} s ` +
      `(${(this.#schedules / seconds).toFixed(0)} per second)\n` +
      `schedules with: ${listed(this.#troubles)}\nalarms that were due: ${listed(this.#alarms)}`
    )
  }
}

function listed(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, count]) => `${name} ${count}`).join(', ') || 'none'
}
