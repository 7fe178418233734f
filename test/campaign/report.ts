import type { CampaignFleet } from './campaign-fleet.ts'

export interface RoundReport {
  readonly troubles: readonly {
    readonly kind: string
    readonly what: string
    readonly fromMs: number
    readonly untilMs: number
  }[]
  /** What must have been noticed of the troubles, and was not. */
  readonly unnoticed: readonly string[]
  /** When the last trouble was over, since the start. */
  readonly healedMs: number
  /** From then until all held the same operations in one order. */
  readonly convergedMs: number
  /** From then until all had settled alike. */
  readonly settledMs: number
  /** What all gateways sent over the network until then. */
  readonly bytesToConverge: number
}

export interface Sample {
  readonly atMs: number
  readonly gateway: string
  readonly isUp: boolean
  readonly isMember: boolean
  readonly stage: number
  readonly floor: number
  readonly journal: number
  readonly rssKib: number
  /** Since the start of its process. */
  readonly cpuMs: number
  readonly diskBytes: number
}

export interface CampaignReport {
  readonly seed: number
  readonly minutes: number
  readonly elapsedMs: number
  readonly operations: number
  readonly durable: number
  readonly unknown: number
  readonly rounds: readonly RoundReport[]
  readonly samples: readonly Sample[]
  readonly falls: readonly string[]
  readonly broken: readonly string[]
}

const SAMPLE_INTERVAL_MS = 2000

/** Looks at every gateway by interval. */
export class Sampler {
  readonly samples: Sample[] = []
  readonly #fleet: CampaignFleet
  readonly #elapsedMs: () => number
  readonly #timer: NodeJS.Timeout

  constructor(fleet: CampaignFleet, elapsedMs: () => number) {
    this.#fleet = fleet
    this.#elapsedMs = elapsedMs
    this.#timer = setInterval(() => void this.#sample(), SAMPLE_INTERVAL_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** What all gateways have sent over the network so far. */
  bytesSent(): number {
    return [...this.#fleet.gateways.keys()]
      .filter((name) => name.startsWith('gateway-'))
      .reduce((sum, name) => sum + this.#fleet.backbone.traffic(name).sent, 0)
  }

  async #sample(): Promise<void> {
    const atMs = this.#elapsedMs()
    const statuses = await this.#fleet.statuses()
    for (const [gateway, process] of this.#fleet.gateways) {
      const status = statuses.get(gateway)
      this.samples.push({
        atMs,
        gateway,
        isUp: status !== undefined,
        isMember: status?.status === 'member',
        stage: status?.last.stage ?? 0,
        floor: status?.floor ?? 0,
        journal: status?.journalLength ?? 0,
        rssKib: process.rssKib() ?? 0,
        cpuMs: process.cpuMs() ?? 0,
        diskBytes: status?.storage.diskBytes ?? 0,
      })
    }
  }
}
