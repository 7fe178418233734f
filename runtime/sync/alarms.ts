import { unreachable } from '../base/errors.ts'
import { ALARM_CAUSES_MAX } from '../base/limits.ts'
import { type Alarm, NO_OUTPUTS, type Output } from './output.ts'

/**
 * Raises an alarm when its cause is met first, and again for new evidence of it: the second, fourth, eighth time and so on,
 * so that what goes on is not forgotten and nobody can flood people. Nothing of it survives a restart: what is still true
 * then is met again.
 */
export class Alarms {
  readonly #causes = new Map<string, { readonly evidence: string; readonly count: number }>()

  raiseAll(alarms: readonly Alarm[]): readonly Output[] {
    return alarms.length === 0 ? NO_OUTPUTS : alarms.flatMap((alarm) => this.raise(alarm))
  }

  raise(alarm: Alarm): Output[] {
    const cause = causeOf(alarm)
    const evidence = evidenceOf(alarm)
    const known = this.#causes.get(cause)
    if (known?.evidence === evidence) return []
    const count = (known?.count ?? 0) + 1
    this.#causes.delete(cause)
    this.#causes.set(cause, { evidence, count })
    for (const oldest of this.#causes.keys()) {
      if (this.#causes.size <= ALARM_CAUSES_MAX) break
      this.#causes.delete(oldest)
    }
    return Number.isInteger(Math.log2(count)) ? [{ kind: 'alarm', alarm }] : []
  }
}

/** Alarms of one cause are about one thing; the newest tells most of it. */
export function causeOf(
  alarm: { readonly name: string } & ({} | { readonly member: string } | { readonly token: string }),
): string {
  if ('member' in alarm) return `${alarm.name} ${alarm.member}`
  return 'token' in alarm ? `${alarm.name} ${alarm.token}` : alarm.name
}

function evidenceOf(alarm: Alarm): string {
  switch (alarm.name) {
    case 'late-operation':
    case 'cut-below-floor':
      return `${alarm.seq}`
    case 'identity-used-twice':
      return `${alarm.seq} ${alarm.digests.join(' ')}`
    case 'divergence':
      return `${alarm.floor}`
    case 'epoch-conflict':
    case 'epoch-forced':
      return `${alarm.number}`
    case 'second-key':
      return ''
    case 'welcome-doubted':
      return alarm.by.join(' ')
    case 'token-overused':
      return `${alarm.used}`
    case 'regressed':
    case 'untrue-announcement':
    case 'newer-release':
      return alarm.reason
    case 'journal-long':
      return alarm.waitingFor ?? ''
    default:
      return unreachable(alarm)
  }
}
