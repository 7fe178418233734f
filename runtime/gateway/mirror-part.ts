import manifest from '../../package.json' with { type: 'json' }
import { FleetstepError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import { newCounters } from '../links/counters.ts'
import type { LinkStatus } from '../links/link.ts'
import type { GatewayConfig } from './config.ts'
import type { Gateway } from './gateway.ts'
import { type Secrets, secretsOf } from './secret-files.ts'
import { systemClock } from './system-clock.ts'
import { systemRandom } from './system-random.ts'

export interface MirrorPart {
  /** Loads what it needs, and begins. */
  start(gateway: Gateway, logger: Logger): Promise<StartedMirror>
  /** How its connection is, and what it left out. */
  status(): LinkStatus
}

export interface StartedMirror {
  /** Another profile is in force. */
  describeAnew(): void
  stop(): Promise<void>
}

/**
 * The mirror that a config wishes for, or null. What the config names is read at once, so that a mistake is told at the start.
 * @throws FleetstepError `config-invalid`
 */
export function mirrorPart(config: GatewayConfig): MirrorPart | null {
  const { mirror } = config
  if (mirror === null) return null
  const { paths, writes, homeAssistant } = mirror
  const broker = brokerOf(config, mirror)
  let status = (): LinkStatus => ({ state: 'connecting', cause: null, peer: '', counters: newCounters() })
  return {
    status: () => status(),
    async start(gateway, logger) {
      const { Mirror } = await import('./mirror/mirror.ts')
      const started = new Mirror({
        ...broker,
        gateway,
        profile: () => gateway.profile,
        version: manifest.version,
        paths,
        writes: writes === true ? ['**'] : writes === false ? [] : writes,
        homeAssistant,
        clock: systemClock,
        random: systemRandom,
        logger,
      })
      started.start()
      status = () => started.status()
      return started
    },
  }
}

interface Broker extends Secrets {
  readonly servers: readonly string[]
  readonly username: string | undefined
}

function brokerOf(config: GatewayConfig, mirror: NonNullable<GatewayConfig['mirror']>): Broker {
  if (mirror.servers !== null) {
    return { ...secretsOf(mirror), servers: mirror.servers, username: mirror.username ?? undefined }
  }
  const link = config.links.find(({ kind }) => kind === 'mqtt')
  if (link?.kind === 'mqtt') return { ...secretsOf(link), servers: link.servers, username: link.username ?? undefined }
  throw new FleetstepError(
    'config-invalid',
    'mirror.servers is missing: name a broker for it, since no link goes over one',
  )
}
