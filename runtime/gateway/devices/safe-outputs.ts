import { stringify } from 'yaml'
import type { Clock } from '../../base/clock.ts'
import { DEVICE_RETRY_MIN_MS, OUTPUT_GUARD_ROUNDS } from '../../base/limits.ts'
import { retryDelayMs } from '../../device/drivers/back-off.ts'
import { bindAll, type Bound, boundTo, byPort } from '../../device/drivers/bound.ts'
import type { DeviceDriver, DriverEvents } from '../../device/drivers/driver.ts'
import { LineDriver } from '../../device/instruments/line-driver.ts'
import { ModbusDriver } from '../../device/instruments/modbus-driver.ts'
import { readProfileText } from '../../device/profiles/document.ts'
import { acceptedProfile } from '../../device/profiles/load.ts'
import type { DeviceResource } from '../../device/profiles/profile.ts'
import { InstrumentPorts, type PortNames } from './instrument-ports.ts'

/*
 * What the guard of the outputs does to instruments when the daemon is gone, in a process of its own: it opens their ports and
 * writes the safe value of each output. What it is to do is in its words, one for each output: a profile with one point.
 */

/** The outputs on instruments that have a safe value, each as a word for {@link makeSafe}. */
export function safeWords(resources: Iterable<DeviceResource>, names: PortNames): string[] {
  const words: string[] = []
  for (const { name, attributes, properties } of resources) {
    const { driver, port, request: _request, response: _response, ...wiring } = attributes
    const { valueType, scale, offset, base, optional } = properties
    const isInstrument = driver === 'serial' || driver === 'modbus'
    if (!isInstrument || typeof port !== 'string' || optional.safeValue === undefined) continue
    const resource = {
      name,
      attributes: { ...wiring, driver, port: names[port] ?? port },
      // Only set: nothing is read on the way.
      properties: { valueType, readWrite: 'W', scale, offset, base, optional: { safeValue: optional.safeValue } },
    }
    words.push(stringify({ apiVersion: '1', name: 'outputs', deviceResources: [resource] }))
  }
  return words
}

/** What came of one output: null, or why it could not be made safe. */
export type SafeOutcome = ReadonlyMap<string, string | null>

/** Tries OUTPUT_GUARD_ROUNDS times. @param words of {@link safeWords} @throws FleetstepError `profile-invalid` */
export async function makeSafe(words: readonly string[], clock: Clock): Promise<SafeOutcome> {
  const profiles = words.map((text) => acceptedProfile({ file: 'the outputs', text, reading: readProfileText(text) }))
  const bound = profiles.flatMap(({ profile }) => bindAll(profile))
  const ports = new InstrumentPorts({})
  const lines = byPort(boundTo(bound, 'serial')).map((bindings) => {
    const openPort: InstrumentPorts['open'] = (settings, told) => ports.open(settings, told)
    return safeOnPort(bindings, new LineDriver({ bindings, openPort, clock, events: NO_EVENTS }), clock)
  })
  const modbus = byPort(boundTo(bound, 'modbus')).map((bindings) => {
    const [{ wiring }] = bindings
    const openMaster = async (onGone: () => void) => await ports.openModbus(wiring, onGone)
    return safeOnPort(bindings, new ModbusDriver({ bindings, openMaster, clock, events: NO_EVENTS }), clock)
  })
  return new Map((await Promise.all([...lines, ...modbus])).flat())
}

async function safeOnPort(
  bindings: readonly Bound<unknown>[],
  driver: DeviceDriver,
  clock: Clock,
): Promise<[string, string | null][]> {
  driver.start()
  const outcomes = await Promise.all(
    bindings.map(async ({ resource, output }): Promise<[string, string | null]> => {
      const { name } = resource
      const value = output?.safeValue
      return [name, value === undefined ? null : await written(driver, name, value, clock)]
    }),
  )
  await driver.close()
  return outcomes
}

async function written(
  driver: DeviceDriver,
  name: string,
  value: Parameters<DeviceDriver['write']>[1],
  clock: Clock,
): Promise<string | null> {
  for (let round = 1; ; round++) {
    const problem = await new Promise<string | null>((resolve) => {
      driver.write(name, value, resolve)
    })
    if (problem === null || round === OUTPUT_GUARD_ROUNDS) return problem
    await new Promise<void>((resolve) => {
      clock.schedule(clock.now() + Math.max(DEVICE_RETRY_MIN_MS, retryDelayMs(round)), resolve)
    })
  }
}

const NO_EVENTS: DriverEvents = { taken: () => undefined, reading: () => undefined, health: () => undefined }
