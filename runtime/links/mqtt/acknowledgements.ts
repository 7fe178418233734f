import type { Clock } from '../../base/clock.ts'
import { MQTT_ACKNOWLEDGE_LOOKS } from '../../base/limits.ts'

export interface AcknowledgementWatchOptions {
  readonly clock: Clock
  readonly lookMs: number
  /** Whether anything that was published is not acknowledged yet. */
  readonly isWaiting: () => boolean
  readonly onSilence: () => void
}

/**
 * Whether a broker still acknowledges what is published on one connection. One that answers pings and takes nothing any more, as a
 * cluster without a majority does, looks alive in every other way, and its clients would wait for it while another server might
 * do. Looks are counted and not time, so that a process that stood still does not blame the broker.
 */
export class AcknowledgementWatch {
  readonly #options: AcknowledgementWatchOptions
  #cancelLook: (() => void) | null = null
  #silentLooks = 0

  constructor(options: AcknowledgementWatchOptions) {
    this.#options = options
  }

  notePublished(): void {
    if (this.#cancelLook === null) this.#lookLater()
  }

  noteAcknowledged(): void {
    this.#silentLooks = 0
  }

  /** The connection is over: the next one is judged anew. */
  stop(): void {
    this.#cancelLook?.()
    this.#cancelLook = null
    this.#silentLooks = 0
  }

  #lookLater(): void {
    const { clock, lookMs } = this.#options
    this.#cancelLook = clock.schedule(clock.now() + lookMs, () => this.#look())
  }

  #look(): void {
    this.#cancelLook = null
    this.#silentLooks = this.#options.isWaiting() ? this.#silentLooks + 1 : 0
    if (this.#silentLooks >= MQTT_ACKNOWLEDGE_LOOKS) this.#options.onSilence()
    else if (this.#silentLooks > 0) this.#lookLater()
  }
}
