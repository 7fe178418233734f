import type { DriverEvents, Health } from '../../runtime/device/drivers/driver.ts'
import type { Value } from '../../runtime/state/value.ts'

/** What a driver has told. */
export interface DriverLog {
  readonly events: DriverEvents
  /** The newest of each resource. */
  readonly values: Map<string, Value>
  readonly health: Map<string, Health>
  /** All readings in their order, as `name value`. */
  readonly readings: string[]
  error(resource: string): string
}

export function driverLog(): DriverLog {
  const values = new Map<string, Value>()
  const health = new Map<string, Health>()
  const readings: string[] = []
  return {
    values,
    health,
    readings,
    error(resource) {
      const found = health.get(resource)
      return found?.state === 'down' ? found.error : ''
    },
    events: {
      taken: () => undefined,
      reading(resource, value) {
        values.set(resource, value)
        readings.push(`${resource} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
      },
      health: (resource, state) => void health.set(resource, state),
    },
  }
}
