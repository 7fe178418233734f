import type { LoggedAlarm } from './logs.ts'
import type { AlarmCause } from './trouble.ts'

/** Whether a trouble explains it: the alarm by its name, whoever raised it, and the member that it names. */
export function isExplained({ name, gateway, about }: LoggedAlarm, causes: readonly AlarmCause[]): boolean {
  return causes.some(
    (cause) => cause.name === name && cause.about === about && (cause.by === null || cause.by.includes(gateway)),
  )
}

/** @param causes of all troubles so far @returns one line for each alarm of a gateway that none of them explains */
export function alarmsWithoutCause(alarms: readonly LoggedAlarm[], causes: readonly AlarmCause[]): string[] {
  return alarms.flatMap((alarm) =>
    isExplained(alarm, causes)
      ? []
      : [`${alarm.gateway} raised ${alarm.name} about ${alarm.about ?? 'nobody'} without a cause: ${alarm.message}`],
  )
}
