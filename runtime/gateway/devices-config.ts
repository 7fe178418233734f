import * as v from 'valibot'
import { DEVICE_PORTS_MAX } from '../base/limits.ts'

/** How GPIO is reached. */
export interface GpioSettings {
  /** `auto`: the lines of this machine. `simulated`: none, for trying a profile on any machine. */
  readonly backend: 'auto' | 'simulated'
  /** Where sysfs is mounted, which in a container may be elsewhere than /sys. */
  readonly sysfs: string
}

/** Names of serial ports, for profiles that many gateways share. */
export type PortSettings = Readonly<Record<string, string>>

export const GPIO_SETTINGS: v.GenericSchema<unknown, GpioSettings> = v.strictObject({
  backend: v.optional(v.picklist(['auto', 'simulated']), 'auto'),
  sysfs: v.optional(v.pipe(v.string(), v.regex(/^\/[^\s]*$/, 'sysfs is an absolute path such as /sys')), '/sys'),
})

export function portSettings(
  name: v.GenericSchema<string, string>,
  port: v.GenericSchema<string, string>,
): v.GenericSchema<unknown, PortSettings> {
  return v.pipe(
    v.record(name, port),
    v.check(
      (ports) => Object.keys(ports).length <= DEVICE_PORTS_MAX,
      `a gateway names at most ${DEVICE_PORTS_MAX} ports`,
    ),
  )
}
