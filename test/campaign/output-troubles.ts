import { INSTRUMENTED, VALVE, VALVE_MAX, VALVE_SAFE } from './device-profile.ts'
import { guardCauses } from './guard-causes.ts'
import { type Scene, trouble, type Trouble, type TroubleKind, within } from './trouble.ts'

/** Troubles about what gateways move. */
export const outputTroubles: Readonly<Record<string, TroubleKind>> = { outputs }

/**
 * A gateway that holds a valve open is killed: the valve is told to be safe, by whoever comes first of the guard and the next
 * daemon, which may be started while the guard has the terminal. Then it follows the state again.
 */
function outputs({ fleet, load, below, one }: Scene): Trouble {
  const name = INSTRUMENTED
  const gateway = fleet.gateway(name)
  const isStartedAtOnce = one([true, false])
  const problems: string[] = []
  let sign: string | null = null
  return trouble({
    what: `the valve of ${name} is opened, and kill -9 of ${name}${isStartedAtOnce ? ', which is started at once' : ''}`,
    claims: [name],
    begin: async () => {
      const { instrument } = fleet
      if (instrument === null) throw new Error('the fleet has no instrument')
      await load.change(gateway, 'open the valve', { set: { [VALVE]: 1 + below(VALVE_MAX) } })
      if (!(await within(FOLLOW_MS, () => instrument.isOpen))) problems.push('its valve was not opened')
      const { pid } = gateway
      const position = instrument.told.at(-1)
      const { length: before } = instrument.told
      const killedAt = performance.now()
      await gateway.kill()
      if (isStartedAtOnce) await gateway.start()
      const isSafe = await within(SAFE_MS, () => instrument.told.slice(before).includes(VALVE_SAFE))
      const tookMs = Math.round(performance.now() - killedAt)
      if (isSafe) sign = `process ${pid} was killed with its valve at ${position}, which was safe within ${tookMs} ms`
      else problems.push(`its valve stood at ${instrument.told.at(-1)} ${tookMs} ms after process ${pid} was killed`)
    },
    end: async () => {
      if (!gateway.isRunning) await gateway.start()
      const follows = await within(FOLLOW_MS, () => fleet.instrument?.isOpen === true)
      if (!follows) problems.push('its valve did not follow the state after the next start')
    },
    struck: () => sign,
    unnoticed: () => (problems.length === 0 ? null : problems.join('; ')),
    alarms: () => guardCauses(name),
  })
}

/** A guard is a shell that becomes a small program: a second, and ten times that on a slow machine; and it may have to try again. */
const SAFE_MS = 60_000

/** A start, and a terminal that the guard has for as long. */
const FOLLOW_MS = 120_000
