import type { CborData } from '../base/cbor.ts'
import { memberIdToBytes } from '../base/ids.ts'
import { TELEMETRY_READINGS_PER_MESSAGE_MAX, TELEMETRY_VALUE_BYTES_MAX } from '../base/limits.ts'
import { belowDevice, type Path, pathProblem } from '../state/path.ts'
import { ownValue, type Value, valueBytes } from '../state/value.ts'
import { invalid, listOf, memberFrom, tupleOf, uintOf, unknownHere } from './codec-fields.ts'
import { QUALITIES, type Reading, type Telemetry } from './message.ts'

/** Readings of one device, see `sync.cddl`; the points without the name of the device, and a quality only if it is not good. */
export function encodeTelemetry({ member, start, number, device, readings }: Telemetry): CborData {
  return [memberIdToBytes(member), start, number, device, readings.map(encodeReading)]
}

/** @throws FleetstepError `message-invalid` */
export function decodeTelemetry(data: CborData | undefined): Telemetry {
  const [member, start, number, device, list] = tupleOf(data, 'telemetry', 5)
  if (typeof device !== 'string' || device.includes('/')) throw invalid('device', 'is not one name')
  const readings = listOf(list, 'readings', TELEMETRY_READINGS_PER_MESSAGE_MAX).map((one) => decodeReading(one, device))
  if (readings.length === 0) throw invalid('readings', 'are none')
  if (new Set(readings.map(({ path }) => path)).size < readings.length)
    throw invalid('readings', 'are of one point twice')
  return {
    member: memberFrom(member, 'member'),
    start: uintOf(start, 'start'),
    number: uintOf(number, 'number'),
    device,
    readings,
  }
}

/** Why a point cannot be telemetry, or null. */
export function telemetryProblem(path: Path, value: Value): string | null {
  if (belowDevice(path) === '') return 'telemetry is of a point below a device, as in pump3/pressure'
  return valueBytes(value) > TELEMETRY_VALUE_BYTES_MAX
    ? `a value that is telemetry has at most ${TELEMETRY_VALUE_BYTES_MAX} bytes`
    : null
}

/** Bytes that a reading takes in a message, at most. */
export function readingBytes({ path, value }: Pick<Reading, 'path' | 'value'>): number {
  return Buffer.byteLength(belowDevice(path)) + valueBytes(value) + READING_HEADS_BYTES
}

/** The heads of the list, the point and the value, an age, and a quality. */
const READING_HEADS_BYTES = 20

function encodeReading({ path, value, quality, ageMs }: Reading): CborData {
  const place = QUALITIES.indexOf(quality)
  return [belowDevice(path), value, ageMs, ...(place === 0 ? [] : [place])]
}

function decodeReading(data: CborData, device: string): Reading {
  const hasQuality = Array.isArray(data) && data.length === 4
  const [below, value, ageMs, place = 0] = tupleOf(data, 'reading', hasQuality ? 4 : 3)
  if (typeof below !== 'string') throw invalid('point', 'is not text')
  const path = `${device}/${below}` as Path
  if (pathProblem(path) !== null) throw invalid('point', 'is no path')
  const quality = QUALITIES[uintOf(place, 'quality')]
  if (quality === undefined) throw unknownHere('quality')
  if (hasQuality && quality === 'good') throw invalid('quality', 'is good and not left out')
  return { path, value: valueFrom(value), quality, ageMs: uintOf(ageMs, 'age') }
}

function valueFrom(data: CborData | undefined): Value {
  if (data === undefined || valueBytes(data) > TELEMETRY_VALUE_BYTES_MAX)
    throw invalid('value', `is not one of at most ${TELEMETRY_VALUE_BYTES_MAX} bytes`)
  // Byte strings are views of the frame, which is not to be kept.
  return ownValue(data)
}
