import type { Command } from 'commander'
import { isRecord } from '../../gateway/control-protocol.ts'
import { withGateway } from '../connect.ts'
import { print, table, valueText } from '../output.ts'

export async function getState(command: Command, path: string | undefined): Promise<void> {
  const { settled = false, telemetry = false } = command.opts<{ readonly settled?: true; readonly telemetry?: true }>()
  const { points, readings } = await withGateway(command, async (gateway) => ({
    points: telemetry ? {} : await gateway.call('state.get', { path, settled }),
    readings: settled ? [] : await gateway.call('telemetry.list', { path }),
  }))
  if (telemetry) print(command, readings, () => readingsText(readings))
  else print(command, points, () => pointsText(points, readings))
}

function pointsText(points: unknown, readings: unknown): string {
  const notes = new Map(listOf(readings).map((reading) => [reading['path'], noteOf(reading)]))
  const rows = Object.entries(isRecord(points) ? points : {}).map(([path, value]) => [
    path,
    valueText(value),
    notes.get(path) ?? '',
  ])
  return rows.length === 0 ? 'there are no points yet: fleetstep state set PATH VALUE makes one' : table(rows)
}

function readingsText(readings: unknown): string {
  const rows = listOf(readings).map((reading) => [
    String(reading['path']),
    valueText(reading['value']),
    noteOf(reading),
    `read by ${String(reading['node'])}`,
  ])
  return rows.length === 0 ? 'there is no telemetry here' : table(rows)
}

function noteOf({ quality, ageMs }: Readonly<Record<string, unknown>>): string {
  return `${String(quality)}, ${ageText(Number(ageMs))} old`
}

function ageText(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}

function listOf(data: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(data) ? data.filter(isRecord) : []
}
