import { INSTRUMENTED } from './device-profile.ts'
import { GUARD_ALARM } from './logs.ts'
import type { AlarmCause } from './trouble.ts'

/** Whoever kills a gateway with outputs wakes the guard of its outputs, which says so. No other gateway has one. */
export function guardCauses(gateway: string): readonly AlarmCause[] {
  return gateway === INSTRUMENTED ? [{ name: GUARD_ALARM, by: [gateway], about: null }] : []
}
