import type { Command } from 'commander'
import * as v from 'valibot'
import { recordOf } from '../answer-form.ts'
import { askOf, withGateway } from '../connect.ts'
import { print, table, valueText } from '../output.ts'

export async function getState(command: Command, path: string | undefined): Promise<void> {
  const { settled = false, telemetry = false } = command.opts<{ readonly settled?: true; readonly telemetry?: true }>()
  const { points, readings } = await withGateway(command, async (gateway) => ({
    points: telemetry ? {} : await askOf(gateway, 'state.get', { path, settled }, pointsSchema),
    readings: settled ? [] : await askOf(gateway, 'telemetry.list', { path }, v.array(readingSchema)),
  }))
  if (telemetry) print(command, readings, () => readingsText(readings))
  else print(command, points, () => pointsText(points, readings))
}

/** A reading that is no operation, in JSON. */
interface ShownReading {
  readonly path: string
  readonly value?: unknown
  readonly quality: string
  readonly ageMs: number
  readonly node: string
}

const readingSchema = recordOf<ShownReading>({
  path: v.string(),
  quality: v.string(),
  ageMs: v.number(),
  node: v.string(),
})
const pointsSchema = v.record(v.string(), v.unknown())

function pointsText(points: Readonly<Record<string, unknown>>, readings: readonly ShownReading[]): string {
  const notes = new Map(readings.map((reading) => [reading.path, noteOf(reading)]))
  const rows = Object.entries(points).map(([path, value]) => [path, valueText(value), notes.get(path) ?? ''])
  return rows.length === 0 ? 'there are no points yet: fleetstep state set PATH VALUE makes one' : table(rows)
}

function readingsText(readings: readonly ShownReading[]): string {
  const rows = readings.map((reading) => [
    reading.path,
    valueText(reading.value),
    noteOf(reading),
    `read by ${reading.node}`,
  ])
  return rows.length === 0 ? 'there is no telemetry here' : table(rows)
}

function noteOf({ quality, ageMs }: ShownReading): string {
  return `${quality}, ${ageText(ageMs)} old`
}

function ageText(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}
