import type { CampaignFleet } from './campaign-fleet.ts'
import { GATEWAYS } from './plan.ts'
import type { Records } from './records.ts'
import type { Sample, TrafficReport } from './report.ts'

/** So many looks at each gateway over a whole campaign are enough for any page. */
const SAMPLES_MAX = 400
const SAMPLE_INTERVAL_MS_MIN = 2000

/** Looks at every gateway by interval, and counts bytes. */
export class Sampler {
  readonly samples: Sample[] = []
  readonly #fleet: CampaignFleet
  readonly #records: Records
  readonly #elapsedMs: () => number
  readonly #timer: NodeJS.Timeout
  /** By gateway: what its former processes used, and the last that was seen of the present one. */
  readonly #cpuMs = new Map<string, { past: number; last: number }>()

  constructor(fleet: CampaignFleet, records: Records, minutes: number, elapsedMs: () => number) {
    this.#fleet = fleet
    this.#records = records
    this.#elapsedMs = elapsedMs
    const intervalMs = Math.max(SAMPLE_INTERVAL_MS_MIN, (minutes * 60_000) / SAMPLES_MAX)
    this.#timer = setInterval(() => void this.#sample(), intervalMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Until now. */
  traffic(): TrafficReport {
    const sent = GATEWAYS.map(({ name }) => this.#fleet.backbone.traffic(name).sent)
    const delivered = [...this.#fleet.cables.values()].map(({ line }) => line.delivered)
    return {
      networkBytes: sumOf(sent),
      serialBytes: sumOf(delivered),
      neededBytes: this.#records.durableBytes * (GATEWAYS.length - 1),
    }
  }

  cpuMs(): number {
    return sumOf([...this.#cpuMs.values()].map(({ past, last }) => past + last))
  }

  async #sample(): Promise<void> {
    const atMs = this.#elapsedMs()
    const statuses = await this.#fleet.statuses()
    for (const [gateway, process] of this.#fleet.gateways) {
      const status = statuses.get(gateway)
      const cpuMs = process.cpuMs() ?? 0
      this.#noteCpu(gateway, cpuMs)
      this.samples.push({
        atMs,
        gateway,
        isUp: status !== undefined,
        isMember: status?.status === 'member',
        stage: status?.last.stage ?? 0,
        floor: status?.floor ?? 0,
        journal: status?.journalLength ?? 0,
        rssKib: process.rssKib() ?? 0,
        cpuMs,
        diskBytes: status?.storage.diskBytes ?? 0,
        sentBytes: process.sentBytes() ?? 0,
      })
    }
  }

  #noteCpu(gateway: string, now: number): void {
    const known = this.#cpuMs.get(gateway) ?? { past: 0, last: 0 }
    // A process that has used less than before is another one.
    const past = now < known.last ? known.past + known.last : known.past
    this.#cpuMs.set(gateway, { past, last: now })
  }
}

export function trafficBetween(before: TrafficReport, after: TrafficReport): TrafficReport {
  return {
    networkBytes: after.networkBytes - before.networkBytes,
    serialBytes: after.serialBytes - before.serialBytes,
    neededBytes: after.neededBytes - before.neededBytes,
  }
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0)
}
