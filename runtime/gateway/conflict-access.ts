import { FleetstepError } from '../base/errors.ts'
import type { Path } from '../state/path.ts'
import { deviceOfRules } from '../state/reserved-point.ts'
import { decodeRules } from '../state/rules/rules-codec.ts'
import type { Value } from '../state/value.ts'
import type { Conflict } from '../sync/conflict.ts'
import type { Replica } from '../sync/replica.ts'
import type { ProfileAccess } from './profile-access.ts'
import type { Pump } from './pump.ts'
import type { Receipt } from './receipt.ts'
import type { StateAccess } from './state-access.ts'

/** The changes that had to yield. Each method that names one throws FleetstepError `path-unknown` if there is none. */
export class ConflictAccess {
  readonly #replica: Replica
  readonly #pump: Pump
  readonly #state: StateAccess
  readonly #profiles: ProfileAccess

  constructor(replica: Replica, pump: Pump, state: StateAccess, profiles: ProfileAccess) {
    this.#replica = replica
    this.#pump = pump
    this.#state = state
    this.#profiles = profiles
  }

  list(): readonly Conflict[] {
    return this.#replica.conflicts()
  }

  /** Makes the change that yielded again, now knowing the one that stood, and takes it off the list. */
  reapply(id: string): Receipt {
    const { path, loser } = this.#get(id)
    const receipt = this.#apply(path, loser.value)
    this.#pump.resolve(id)
    return receipt
  }

  #apply(path: Path, value: Value | undefined): Receipt {
    const device = deviceOfRules(path)
    if (device === null) return value === undefined ? this.#state.delete(path) : this.#state.set(path, value)
    return value instanceof Uint8Array
      ? this.#profiles.apply(device, decodeRules(value))
      : this.#profiles.remove(device)
  }

  /** Takes it off this gateway's list. */
  dismiss(id: string): void {
    this.#pump.resolve(this.#get(id).id)
  }

  #get(id: string): Conflict {
    const conflict = this.list().find((candidate) => candidate.id === id)
    if (conflict === undefined) {
      throw new FleetstepError('path-unknown', `there is no conflict ${id}: list them with fleetstep conflict list`)
    }
    return conflict
  }
}
