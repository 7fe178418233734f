import type { Value } from '../../state/value.ts'

/** When an output may follow the state, and what it takes when the device is on its own. */
export interface OutputRules {
  /** `tentative`: at once. `settled`: only what no member of the fleet can overturn any more. */
  readonly drive: 'tentative' | 'settled'
  /** Least time between two changes. */
  readonly dwellMs: number
  /** Time without any link after which it is safe; null if the gateway goes on alone. */
  readonly safeAfterMs: number | null
  /** Undefined if the profile names none: then it stays as it is. */
  readonly safeValue: Value | undefined
}
