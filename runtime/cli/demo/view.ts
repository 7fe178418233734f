import { isDeepStrictEqual } from 'node:util'
import { valueText } from '../output.ts'
import type { DemoFleet, Sight } from './demo-fleet.ts'
import type { Reading } from './reading.ts'
import { fitted, type Style, wrapped } from './terminal-text.ts'

/** What there is room for. */
export interface Screen {
  readonly columns: number
  readonly rows: number
  readonly style: Style
}

/** The fleet as a table: a column for each gateway, so that it is seen where the replicas differ. */
export function fleetView(fleet: DemoFleet, sights: readonly Sight[], { columns, rows, style }: Screen): string {
  const width = Math.min(COLUMN_WIDTH_MAX, Math.floor((columns - 1 - LABEL_WIDTH) / sights.length))
  const draw = (row: Row): string => drawn(row, width, style)
  const rule = style.dim('─'.repeat(Math.min(columns - 1, LABEL_WIDTH + width * sights.length)))
  const gateways = gatewayRows(fleet, sights).map(draw)
  // Beside the two rules; a few are shown even where there is no room.
  const space = Math.max(4, rows - gateways.length - 2)
  const points = stateRows(sights)
  const shown = points.slice(0, points.length > space ? space - 1 : space)
  const more = points.length - shown.length
  const rest = more === 0 ? [] : wrapped(`and ${more} more points: npx fleetstep state get`, columns - 1).map(style.dim)
  return [rule, ...gateways, rule, ...shown.map(draw), ...rest].join('\n')
}

const LABEL_WIDTH = 26
const COLUMN_WIDTH_MAX = 26

type Mark = 'plain' | 'good' | 'warning' | 'bad' | 'title'

interface Row {
  readonly label: string
  readonly cells: readonly { readonly text: string; readonly mark: Mark }[]
}

function drawn({ label, cells }: Row, width: number, style: Style): string {
  const paint = {
    plain: (text: string) => text,
    good: style.green,
    warning: style.yellow,
    bad: style.red,
    title: style.bold,
  }
  const texts = cells.map(({ text, mark }) => paint[mark](fitted(text, width - 1)))
  return `${style.dim(fitted(label, LABEL_WIDTH - 1))} ${texts.join(' ')}`
}

function gatewayRows(fleet: DemoFleet, sights: readonly Sight[]): Row[] {
  const row = (label: string, cell: (reading: Reading) => string): Row => ({
    label,
    cells: sights.map(({ reading }) => ({ text: reading === null ? '-' : cell(reading), mark: 'plain' as const })),
  })
  return [
    { label: 'gateway', cells: sights.map(({ gateway }) => ({ text: gateway.name, mark: 'title' })) },
    { label: 'link', cells: sights.map(({ reading }) => linkCell(reading)) },
    { label: 'process, priority', cells: sights.map(({ gateway }) => ({ text: processText(gateway), mark: 'plain' })) },
    row('hears', hearsText),
    row('stage', ({ stage }) => String(stage)),
    row('last operation', ({ lastOperation }) => (lastOperation === null ? '-' : fleet.shortOperation(lastOperation))),
    row('waiting', waitingText),
    row('journal above floor', ({ journal, floor }) => `${journal.length} above ${floor}`),
    row('conflicts', ({ conflicts }) => String(conflicts.length)),
  ]
}

function linkCell(reading: Reading | null): Row['cells'][number] {
  if (reading === null) return { text: 'down', mark: 'bad' }
  return { text: reading.link, mark: reading.link === 'up' ? 'good' : 'warning' }
}

function processText({ pid, tier }: Sight['gateway']): string {
  return `${pid === null ? '-' : pid}, tier ${tier}`
}

function hearsText({ heard, others, heardAgoMs }: Reading): string {
  if (heardAgoMs === null) return `${heard} of ${others}`
  const agoS = Math.round(heardAgoMs / 1000)
  return `${heard} of ${others}, ${agoS === 0 ? 'now' : `${agoS} s ago`}`
}

/** The deferred queue is a part of the list that waits behind an operation of higher priority. */
function waitingText({ waitingList, deferredQueue, reexecutions }: Reading): string {
  const deferred = deferredQueue === 0 ? '' : `+${deferredQueue}`
  return `list ${waitingList}${deferred}, undone ${reexecutions}`
}

/** The points of the story first, then what the gateways measure, the same reading of each one below the other. */
function stateRows(sights: readonly Sight[]): Row[] {
  const readings = sights.flatMap(({ reading }) => (reading === null ? [] : [reading]))
  const paths = [...new Set(readings.flatMap(({ state }) => Object.keys(state)))]
  const names = sights.map(({ gateway }) => gateway.name)
  const isMeasured = (path: string): boolean => names.some((name) => path.startsWith(`${name}/`))
  const order = (path: string): string => (isMeasured(path) ? `1 ${measuredOrder(path)} ${path}` : `0 ${path}`)
  paths.sort((left, right) => (order(left) < order(right) ? -1 : 1))
  return paths.map((path) => {
    const isSame = readings.every(({ state }) => isDeepStrictEqual(state[path], readings[0]?.state[path]))
    const cells = sights.map(({ reading }) => ({
      text: reading === null ? '-' : valueText(reading.state[path]),
      mark: isSame ? ('plain' as const) : ('warning' as const),
    }))
    return { label: path, cells }
  })
}

/** What moves most comes first. */
function measuredOrder(path: string): string {
  const resource = path.slice(path.indexOf('/') + 1)
  const place = LIVELY.indexOf(resource)
  return `${place < 0 ? LIVELY.length : place} ${resource}`
}

const LIVELY = ['load', 'memoryUsed', 'cpuTemperature']
