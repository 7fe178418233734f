import type { NodeId } from '../base/ids.ts'
import { mqttLink } from '../links/mqtt/mqtt-link.ts'
import type { MqttLinkOptions } from '../links/mqtt/options.ts'
import { serialLink, type SerialLineOptions } from '../links/serial/open.ts'
import { JournalStore } from '../storage/journal-store.ts'
import { MemoryStore } from '../storage/memory-store.ts'
import { nodeFileSystem, nodeProcessTable } from '../storage/node-file-system.ts'
import type { Store } from '../storage/store.ts'
import { fleetIdOf, type Genesis } from '../sync/membership.ts'
import type { LinkFactory } from './gateway.ts'

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

/** A link over a serial port: `serial({ port: 'usb:0403:6001:A5069RR4', baud: 115200 })`. */
export function serial(options: SerialLineOptions): LinkFactory {
  return (context) => serialLink({ ...context, ...options })
}
