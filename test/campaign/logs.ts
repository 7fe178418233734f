import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isRecord } from '../../runtime/gateway/control-protocol.ts'
import type { CampaignFleet } from './campaign-fleet.ts'

/** How much each gateway had logged at some moment. */
export type LogMarks = ReadonlyMap<string, number>

/** What gateways have logged over all their starts; also of those that are gone. */
export function logOf(folder: string, name: string): string {
  const file = join(folder, `${name}.log`)
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

export function logMarks(fleet: CampaignFleet): LogMarks {
  return new Map([...fleet.known].map((name) => [name, logOf(fleet.folder, name).length]))
}

export function logSince(fleet: CampaignFleet, marks: LogMarks, name: string): string {
  return logOf(fleet.folder, name).slice(marks.get(name) ?? 0)
}

export interface LoggedAlarm {
  readonly gateway: string
  readonly name: string
  /** The node of the member that it names, or null. */
  readonly about: string | null
  readonly message: string
}

/** Alarms of all gateways, also of starts that are over. */
export function alarmsSince(fleet: CampaignFleet, marks: LogMarks): LoggedAlarm[] {
  return [...fleet.known].flatMap((gateway) => alarmsIn(gateway, logSince(fleet, marks, gateway)))
}

/** @param log lines of JSON */
export function alarmsIn(gateway: string, log: string): LoggedAlarm[] {
  return log.split('\n').flatMap((line) => {
    if (GUARD_SAYS.test(line)) return [{ gateway, name: GUARD_ALARM, about: null, message: line }]
    const parsed = line.includes('"alarm":{') ? recordOf(line) : null
    if (parsed === null || !isRecord(parsed['alarm'])) return []
    const { name, member, waitingFor } = parsed['alarm']
    const named = member ?? waitingFor
    const about = typeof named === 'string' ? (named.split('.')[0] ?? null) : null
    return [{ gateway, name: String(name), about, message: String(parsed['msg']) }]
  })
}

/** The name under which the line counts that the guard of the outputs says when its gateway is gone: it needs a cause as alarms do. */
export const GUARD_ALARM = 'output-guard'

const GUARD_SAYS = /^fleetstep: the gateway (is gone|hung)/

/** What a line of a log says, or null if it is no JSON: the last one may not be whole yet. */
export function recordOf(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const parsed: unknown = JSON.parse(line)
    return isRecord(parsed) ? parsed : null
  } catch {
    return null
  }
}
