import { HEALTH_ERROR_LENGTH_MAX } from '../../base/limits.ts'
import { isReadable } from '../../state/rules/value-type.ts'
import type { Value } from '../../state/value.ts'
import { assertionProblem } from '../profiles/assertion.ts'
import { ChangeFilter } from '../profiles/change-filter.ts'
import type { DeviceResource } from '../profiles/profile.ts'
import { checkReading } from '../profiles/value-check.ts'
import type { DriverEvents, Health } from './driver.ts'
import { valueOfRaw } from './scaling.ts'

/**
 * Stands between a driver and the state for one resource: makes the value of what was read, drops what the profile does
 * not allow, keeps back what is not worth a report, and knows whether the resource is healthy.
 */
export class Reporter {
  readonly #resource: DeviceResource
  readonly #events: DriverEvents
  readonly #filter: ChangeFilter
  #health: Health | null = null

  constructor(resource: DeviceResource, events: DriverEvents) {
    this.#resource = resource
    this.#events = events
    this.#filter = new ChangeFilter(resource)
  }

  /** @param raw what the device gave: numbers are scaled as the profile says */
  take(raw: Value): void {
    const isNumber = typeof raw === 'number' || typeof raw === 'bigint'
    this.takeValue(isNumber ? valueOfRaw(this.#resource.properties, raw) : raw)
  }

  /** @param value in the unit of the profile */
  takeValue(value: Value): void {
    const { name } = this.#resource
    const problem = checkReading(this.#resource, value)
    if (problem !== null) return this.fail(`the reading ${problem}`)
    if (this.#filter.isWorthReport(value)) this.#events.reading(name, value)
    this.#events.taken(name)
    const illness = assertionProblem(this.#resource, value)
    if (illness === null) this.#become({ state: 'up' })
    else this.fail(illness)
  }

  /** The device took a value, and has it now. */
  takeSet(value: Value): void {
    if (isReadable(this.#resource.properties.readWrite)) this.takeValue(value)
    else this.#become({ state: 'up' })
  }

  /**
   * The device did not answer, or gave nonsense: the last value stays, and the health says why it is old.
   * @param isGone its port is not there
   */
  fail(error: string, isGone: boolean = false): void {
    this.#become({ state: 'down', error: error.slice(0, HEALTH_ERROR_LENGTH_MAX), isGone })
  }

  #become(health: Health): void {
    const isNewlyGone =
      health.state === 'down' && health.isGone && !(this.#health?.state === 'down' && this.#health.isGone)
    if (this.#health?.state === health.state && !isNewlyGone) return
    this.#health = health
    this.#events.health(this.#resource.name, health)
  }
}
