import { equalValues, type Value } from '../../state/value.ts'
import type { DeviceResource } from './profile.ts'

/**
 * Reporting by exception: the first reading is worth a report, and then each that differs from the last one reported, a
 * number by at least the `onChangeThreshold` of its resource.
 */
export class ChangeFilter {
  readonly #threshold: number
  #last: Value | undefined = undefined

  constructor({ properties }: DeviceResource) {
    this.#threshold = properties.optional.onChangeThreshold ?? 0
  }

  /** Asked once for each reading; a reading that is worth a report counts as reported. */
  isWorthReport(value: Value): boolean {
    if (!this.#hasMoved(value)) return false
    this.#last = value
    return true
  }

  /** The next reading is worth a report whatever it is: what was reported is not known, or not there, any more. */
  forget(): void {
    this.#last = undefined
  }

  #hasMoved(value: Value): boolean {
    const last = this.#last
    if (last === undefined) return true
    if (equalValues(last, value)) return false
    if (typeof value !== typeof last) return true
    if (typeof value === 'number' && typeof last === 'number') return Math.abs(value - last) >= this.#threshold
    // A bigint beyond 2^53 moves by far more than a threshold, or is compared as it is.
    if (typeof value === 'bigint' && typeof last === 'bigint') return Number(abs(value - last)) >= this.#threshold
    return true
  }
}

function abs(difference: bigint): bigint {
  return difference < 0n ? -difference : difference
}
