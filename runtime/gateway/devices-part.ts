import type { Logger } from '../base/logger.ts'
import { openPinBackend } from '../device/gpio/backend.ts'
import { SimulatedPins } from '../device/gpio/simulated-pin.ts'
import type { ConfigSettings } from './config-schema.ts'
import { Devices } from './devices/devices.ts'
import { InstrumentPorts } from './devices/instrument-ports.ts'
import type { Gateway } from './gateway.ts'
import { systemClock } from './system-clock.ts'

/** The devices of this machine; they begin with `start(profile)`. */
export function devicesPart(
  gateway: Gateway,
  { gpio, ports }: Pick<ConfigSettings, 'gpio' | 'ports'>,
  logger: Logger,
  guardProgram: readonly string[] | null,
): Devices {
  const openPins = async () =>
    gpio.backend === 'simulated'
      ? new SimulatedPins(systemClock)
      : await openPinBackend(gpio.sysfs, systemClock, logger)
  const instruments = { ports: new InstrumentPorts(ports), portNames: ports, guardProgram }
  return new Devices({ gateway, ...instruments, openPins, clock: systemClock, logger })
}
