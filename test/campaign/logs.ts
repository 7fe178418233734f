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
  readonly message: string
}

/** Alarms of all gateways, also of starts that are over. */
export function alarmsSince(fleet: CampaignFleet, marks: LogMarks): LoggedAlarm[] {
  return [...fleet.known].flatMap((gateway) =>
    logSince(fleet, marks, gateway)
      .split('\n')
      .flatMap((line) => {
        if (!line.includes('"alarm":{')) return []
        const parsed: unknown = JSON.parse(line)
        if (!isRecord(parsed) || !isRecord(parsed['alarm'])) return []
        return [{ gateway, name: String(parsed['alarm']['name']), message: String(parsed['msg']) }]
      }),
  )
}
