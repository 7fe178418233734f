import type { DeviceRules } from '../state/rules/rules.ts'
import type { Replica } from '../sync/replica.ts'
import { type MisfitLine, rulesRequest, type StandingRules } from '../sync/standing-rules.ts'
import type { Pump } from './pump.ts'
import type { Receipt, Receipts } from './receipt.ts'

/**
 * The rules of the fleet's devices: what every member judges writes by, wherever they come from. They are part of the
 * replicated state, and changed as any point is.
 */
export class ProfileAccess {
  readonly #replica: Replica
  readonly #pump: Pump
  readonly #receipts: Receipts

  constructor(replica: Replica, pump: Pump, receipts: Receipts) {
    this.#replica = replica
    this.#pump = pump
    this.#receipts = receipts
  }

  /** By device. */
  list(): readonly StandingRules[] {
    return this.#replica.rules()
  }

  /** Whether this node may set rules, as far as is known here: a draft sets none. */
  mayApply(): boolean {
    return this.#replica.maySetRules()
  }

  /**
   * Sets the rules of a device. Each operation is judged by the rules that stand at its place in the one order; values that stand
   * already stay, see {@link misfits}.
   * @throws FleetstepError `rules-invalid`, `operation-invalid` (the name of the device), `operation-refused` (this node may not:
   * in a fleet with keys an operator or the founder does it, in any other whoever is no observer)
   */
  apply(device: string, rules: DeviceRules): Receipt {
    return this.#receipts.add(this.#pump.issue(rulesRequest(device, rules), 0))
  }

  /** Takes the rules of a device away: its points are free again. @throws FleetstepError as {@link apply} */
  remove(device: string): Receipt {
    return this.#receipts.add(this.#pump.issue(rulesRequest(device, null), 0))
  }

  /** Values of a device that could not be written now, under the rules that stand, or under `rules` if they stood. */
  misfits(device: string, rules?: DeviceRules): readonly MisfitLine[] {
    return this.#replica.misfits(device, rules)
  }
}
