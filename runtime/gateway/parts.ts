import type { NodeId } from '../base/ids.ts'
import { silentLogger } from '../base/logger.ts'
import type { LinkStatus } from '../links/link.ts'
import { mqttLink } from '../links/mqtt/mqtt-link.ts'
import type { MqttLinkOptions } from '../links/mqtt/options.ts'
import { serialLink, type SerialLineOptions } from '../links/serial/open.ts'
import { JournalStore } from '../storage/journal-store.ts'
import { MemoryStore } from '../storage/memory-store.ts'
import { nodeFileSystem, nodeProcessTable } from '../storage/node-file-system.ts'
import type { Store } from '../storage/store.ts'
import { fleetIdOf, type Genesis } from '../sync/membership.ts'
import type { Gateway, LinkFactory } from './gateway.ts'
import type { MirrorOptions } from './mirror/mirror.ts'
import type { PeersPart } from './peers-part.ts'
import type { SeededGateway, SeedOptions } from './seeded.ts'
import { systemClock } from './system-clock.ts'
import { systemRandom } from './system-random.ts'

/** Keeps everything in `directory`, which belongs to this node of this fleet from then on. */
export function journalStorage(directory: string, fleet: Genesis, node: NodeId): Store {
  const owner = { fleet: fleetIdOf(fleet), node }
  return new JournalStore({ fileSystem: nodeFileSystem, processes: nodeProcessTable, directory, owner })
}

/** Keeps nothing over a restart. For tests and for observers that may lose what they hold. */
export function memoryStorage(): Store {
  return new MemoryStore()
}

/** A link over an MQTT broker: `mqtt({ servers: ['mqtt://127.0.0.1:1883'] })`. */
export function mqtt(
  options: Pick<MqttLinkOptions, 'servers' | 'username' | 'password' | 'tls' | 'name'>,
): LinkFactory {
  return (context) => mqttLink({ ...context, ...options })
}

export interface PeersOptions extends Partial<PeersPart> {
  /** The addresses of those that were met are kept here, in `peers.json`, or `peers-<name>.json`. */
  readonly directory: string
}

/**
 * A link without a broker, on port 1884 unless told otherwise: `await peers({ peers: ['mqtt://10.0.0.2:1884'], directory: './data' })`.
 * With `tls`, whose certificates name node ids, all peers are `mqtts://`. What it needs is loaded now.
 */
export async function peers(options: PeersOptions): Promise<LinkFactory> {
  const { peersPart, PEERS_DEFAULTS } = await import('./peers-part.ts')
  const { directory, ...own } = options
  return peersPart({ ...PEERS_DEFAULTS, ...own }, directory)
}

/** Of these, `servers` alone has to be given; `writes` is empty unless told otherwise, so that people may only read. */
export type MirrorSetup = Pick<MirrorOptions, 'servers'> & Partial<Omit<MirrorOptions, 'gateway'>>

export interface RunningMirror {
  /** How its connection is, and what it left out. */
  status(): LinkStatus
  /** It goes before `gateway.close()`. */
  close(): Promise<void>
}

/**
 * Shows the state of a gateway in JSON at a broker, and takes wishes: see the topics in links/README.md.
 * @throws FleetstepError `config-invalid`
 */
export async function mirror(gateway: Gateway, setup: MirrorSetup): Promise<RunningMirror> {
  const { Mirror } = await import('./mirror/mirror.ts')
  const started = new Mirror({
    profile: () => null,
    version: '',
    username: undefined,
    password: undefined,
    tls: {},
    paths: ['**'],
    writes: [],
    homeAssistant: false,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    ...setup,
    gateway,
  })
  started.start()
  return { status: () => started.status(), close: async () => await started.stop() }
}

/**
 * Who a gateway of a signed fleet is, by its seed and its hardware: `openGateway(await seeded({ seed, directory }))`. A node that is
 * no member yet is a draft until a gateway of the fleet lets it in. Its links are those of the seed. What it needs is loaded now.
 * @throws FleetstepError `seed-invalid`, `profile-invalid`, `key-invalid`, `identity-unavailable`, `data-directory-unwritable`
 */
export async function seeded(options: SeedOptions): Promise<SeededGateway> {
  const { gatewayOfSeed } = await import('./seeded.ts')
  return gatewayOfSeed(options)
}

/** A link over a serial port: `serial({ port: 'usb:0403:6001:A5069RR4', baud: 115200 })`. */
export function serial(options: SerialLineOptions): LinkFactory {
  return (context) => serialLink({ ...context, ...options })
}
