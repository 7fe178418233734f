import type { Command } from 'commander'
import * as v from 'valibot'
import type { PointView } from '../../gateway/point-view.ts'
import { recordOf } from '../answer-form.ts'
import { ask } from '../connect.ts'
import { print, table, valueText } from '../output.ts'

export async function showState(command: Command): Promise<void> {
  const { device } = command.optsWithGlobals<{ readonly device?: string }>()
  const points = await ask(command, 'state.show', device === undefined ? {} : { device }, v.array(pointSchema))
  print(command, points, () => pointsText(points))
}

const pointSchema = recordOf<PointView>({
  path: v.string(),
  units: v.optional(v.string()),
  changedAgoMs: v.optional(v.number()),
  quality: v.optional(v.string()),
  readAgoMs: v.optional(v.number()),
})

function pointsText(points: readonly PointView[]): string {
  if (points.length === 0)
    return 'this gateway has no profile, so nothing says which points it has: fleetstep state get'
  const rows = points.map((point) => [
    point.path,
    withUnits(point.value, point),
    'reported' in point ? withUnits(point.reported, point) : '',
    deltaText(point),
    ageText(point),
    readText(point),
    point.quality ?? '',
    healthText(point.health),
  ])
  return table([['point', 'value', 'reported', 'delta', 'seen to change', 'read', 'quality', 'health'], ...rows])
}

function withUnits(value: unknown, { units }: PointView): string {
  if (value === undefined) return '-'
  return units === undefined || units === '1' ? valueText(value) : `${valueText(value)} ${units}`
}

/** What the device has not followed yet. */
function deltaText({ delta }: PointView): string {
  if (delta === undefined) return ''
  return typeof delta === 'number' ? `${delta > 0 ? '+' : ''}${delta}` : 'differs'
}

function ageText({ value, reported, changedAgoMs }: PointView): string {
  if (value === undefined && reported === undefined) return ''
  return changedAgoMs === undefined ? 'before the start' : agoText(changedAgoMs)
}

/** Of what nobody has read, nothing. */
function readText({ readAgoMs, quality }: PointView): string {
  if (quality === undefined) return ''
  return readAgoMs === undefined ? 'nobody says when' : agoText(readAgoMs)
}

function agoText(agoMs: number): string {
  const seconds = Math.round(agoMs / 1000)
  return seconds < 120 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`
}

function healthText(health: unknown): string {
  if (typeof health !== 'object' || health === null || !('state' in health)) return ''
  const state = valueText(health.state)
  return 'error' in health ? `${state}: ${valueText(health.error)}` : state
}
