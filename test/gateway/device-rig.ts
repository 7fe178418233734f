import type { TestContext } from 'node:test'
import type { Clock } from '../../runtime/base/clock.ts'
import { silentLogger } from '../../runtime/base/logger.ts'
import { SimulatedPins } from '../../runtime/device/gpio/simulated-pin.ts'
import type { PinBackend } from '../../runtime/device/gpio/pin.ts'
import { readProfileText } from '../../runtime/device/profiles/document.ts'
import type { DeviceProfile } from '../../runtime/device/profiles/profile.ts'
import { Devices, type DevicesOptions } from '../../runtime/gateway/devices/devices.ts'
import type { Gateway } from '../../runtime/gateway/gateway.ts'
import { realClock } from '../links/clocks.ts'

/** A profile of resources, each as `name: { attributes } { properties }`. */
export function profileOf(
  ...resources: readonly (readonly [name: string, attributes: string, properties: string])[]
): DeviceProfile {
  const lines = resources.map(
    ([name, attributes, properties]) =>
      `  - { name: ${name}, attributes: { ${attributes} }, properties: { ${properties} } }`,
  )
  const reading = readProfileText(["apiVersion: '1'", 'name: test', 'deviceResources:', ...lines, ''].join('\n'))
  if (reading.kind === 'accepted') return reading.profile.profile
  throw new Error(reading.problems.map(({ message }) => message).join('; '))
}

export interface DeviceRig {
  readonly devices: Devices
  readonly pins: SimulatedPins
  /** When each output was written, and what. */
  readonly writes: { readonly at: number; readonly value: boolean }[]
}

/** Devices below `gateway` with simulated GPIO; they end with the test. */
export function startDevices(
  t: TestContext,
  gateway: Gateway,
  profile: DeviceProfile,
  options: Partial<DevicesOptions> = {},
): DeviceRig {
  const clock = options.clock ?? realClock
  const pins = new SimulatedPins(clock)
  const writes: { at: number; value: boolean }[] = []
  const devices = new Devices({
    gateway,
    ports: {
      open: () => {
        throw new Error('this profile has no instruments')
      },
      openModbus: () => Promise.reject(new Error('this profile has no instruments')),
    },
    openPins: () => Promise.resolve(noted(pins, clock, writes)),
    clock,
    logger: silentLogger,
    ...options,
  })
  void devices.use(profile)
  t.after(async () => await devices.stop())
  return { devices, pins, writes }
}

function noted(pins: PinBackend, clock: Clock, writes: { at: number; value: boolean }[]): PinBackend {
  return {
    name: 'simulated',
    openInput: async (request, events) => await pins.openInput(request, events),
    async openOutput(request) {
      writes.push({ at: clock.now(), value: request.initial })
      const pin = await pins.openOutput(request)
      return {
        ...pin,
        write(value) {
          writes.push({ at: clock.now(), value })
          pin.write(value)
        },
      }
    },
  }
}
