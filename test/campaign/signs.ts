import type { CampaignFleet } from './campaign-fleet.ts'
import { type LogMarks, logSince, recordOf } from './logs.ts'
import type { GatewayProcess } from './gateway-process.ts'

/*
 * What shows that a trouble has struck, as the gateways, their logs or the kernel say it: what did nothing was not tried.
 */

/** That a process was ended, by a signal that it cannot catch. */
export function killed(gateway: GatewayProcess, pid: number | null): string | null {
  return pid !== null && gateway.pid !== pid && gateway.endedBy === 'SIGKILL' ? `process ${pid} was killed` : null
}

/** That one of these gateways had this link and has not. @param link its name in the config */
export async function linkDown(fleet: CampaignFleet, link: string, names?: readonly string[]): Promise<string | null> {
  for (const [name, { links }] of await fleet.statuses()) {
    if (names?.includes(name) === false) continue
    const down = links.find((one) => one.name === link && one.state !== 'up')
    if (down !== undefined) return `${name} lost its link ${link}: ${down.cause ?? down.state}`
  }
  return null
}

/** The gateways whose link of this name is up, to this server if one is named. */
export async function linkedTo(fleet: CampaignFleet, link: string, server = ''): Promise<string[]> {
  return [...(await fleet.statuses())].flatMap(([name, { links }]) =>
    links.some((one) => one.name === link && one.state === 'up' && one.peer.includes(server)) ? [name] : [],
  )
}

/** That it has logged this since. */
export function logged(fleet: CampaignFleet, marks: LogMarks, name: string, sign: RegExp): string | null {
  const line = logSince(fleet, marks, name)
    .split('\n')
    .findLast((one) => sign.test(one))
  return line === undefined ? null : `${name} said: ${textOf(line)}`
}

/** That it has logged since with a time of day that is off by a day at least. @param log lines of JSON */
export function strangeTime(name: string, log: string, nowMs: number): string | null {
  for (const line of log.split('\n')) {
    const time = recordOf(line)?.['time']
    if (typeof time === 'string' && Math.abs(Date.parse(time) - nowMs) > DAY_MS) return `${name} logged at ${time}`
  }
  return null
}

const DAY_MS = 86_400_000

/** What a line of a log says to people. */
function textOf(line: string): string {
  const message = recordOf(line)?.['msg']
  return typeof message === 'string' ? message : line
}
