import { OUTPUT_GUARD_BEAT_MS, OUTPUT_GUARD_BEATS_MISSED } from '../../runtime/base/limits.ts'
import { INSTRUMENTED, VALVE, VALVE_MAX, VALVE_SAFE } from './device-profile.ts'
import type { GatewayProcess } from './gateway-process.ts'
import { guardCauses } from './guard-causes.ts'
import { type Scene, trouble, type Trouble, type TroubleKind, within } from './trouble.ts'

/** Troubles about what gateways move. */
export const outputTroubles: Readonly<Record<string, TroubleKind>> = { outputs }

/** How a gateway goes that holds an output. */
interface End {
  readonly what: string
  readonly begin: (gateway: GatewayProcess) => Promise<void>
  /** Whether it is there again by itself, as its supervisor saw it fall. */
  readonly isFall: boolean
  /** Until its outputs must be safe. */
  readonly safeMs: number
}

/** A guard is a shell that becomes a small program: a second, and ten times that on a slow machine; and it may have to try again. */
const SAFE_MS = 60_000

const HANG_MS = OUTPUT_GUARD_BEAT_MS * OUTPUT_GUARD_BEATS_MISSED

const KILL: End = { what: 'kill -9', begin: async (gateway) => await gateway.kill(), isFall: false, safeMs: SAFE_MS }

/** Guard and daemon want the same terminal. */
const KILL_AND_START: End = {
  ...KILL,
  what: 'kill -9, and a start at once,',
  begin: async (gateway) => {
    await gateway.kill()
    await gateway.start()
  },
}

const HANG: End = {
  what: 'SIGSTOP',
  begin: async (gateway) => {
    gateway.freeze()
    await Promise.resolve()
  },
  isFall: true,
  safeMs: HANG_MS + SAFE_MS,
}

/** A start, and a terminal that the guard has for as long. */
const FOLLOW_MS = 120_000

/**
 * A gateway that holds a valve open is killed, or hangs and is killed by its guard: the valve is told to be safe, by whoever comes
 * first of the guard and the next daemon. Then it follows the state again.
 */
function outputs({ fleet, load, below, one, longMs }: Scene): Trouble {
  const name = INSTRUMENTED
  const gateway = fleet.gateway(name)
  const end = one(longMs().mostMs > HANG_MS ? [KILL, KILL_AND_START, HANG] : [KILL, KILL_AND_START])
  const problems: string[] = []
  let sign: string | null = null
  return trouble({
    what: `the valve of ${name} is opened, and ${end.what} of ${name}`,
    claims: [name],
    begin: async () => {
      const { instrument } = fleet
      if (instrument === null) throw new Error('the fleet has no instrument')
      await load.change(gateway, 'open the valve', { set: { [VALVE]: 1 + below(VALVE_MAX) } })
      if (!(await within(FOLLOW_MS, () => instrument.isOpen))) problems.push('its valve was not opened')
      const { pid } = gateway
      const position = instrument.told.at(-1)
      const { length: before } = instrument.told
      const goneAt = performance.now()
      await end.begin(gateway)
      const isSafe = await within(end.safeMs, () => instrument.told.slice(before).includes(VALVE_SAFE))
      const tookMs = Math.round(performance.now() - goneAt)
      if (isSafe) sign = `process ${pid} went with its valve at ${position}, which was safe within ${tookMs} ms`
      else problems.push(`its valve stood at ${instrument.told.at(-1)} ${tookMs} ms after process ${pid} went`)
    },
    end: async () => {
      if (gateway.isFrozen) gateway.thaw()
      if (end.isFall) await within(FOLLOW_MS, () => gateway.isRunning)
      else if (!gateway.isRunning) await gateway.start()
      const follows = await within(FOLLOW_MS, () => fleet.instrument?.isOpen === true)
      if (!follows) problems.push('its valve did not follow the state after the next start')
    },
    struck: () => sign,
    unnoticed: () => (problems.length === 0 ? null : problems.join('; ')),
    alarms: () => guardCauses(name),
  })
}
