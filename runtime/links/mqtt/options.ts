import type { Clock } from '../../base/clock.ts'
import type { NodeId } from '../../base/ids.ts'
import {
  MQTT_ACKNOWLEDGE_LOOK_MS,
  MQTT_CONNECT_TIMEOUT_MS,
  MQTT_GOODBYE_TIMEOUT_MS,
  MQTT_KEEPALIVE_S,
  RECONNECT_STABLE_MS,
} from '../../base/limits.ts'
import type { Logger } from '../../base/logger.ts'
import type { Random } from '../../base/random.ts'
import { DEFAULT_RECONNECT_TIMING } from '../reconnect.ts'
import type { Outgoing } from './outbox.ts'
import type { TlsFiles } from './servers.ts'
import type { SessionTiming } from './session.ts'
import type { Topics } from './topics.ts'

export interface MqttLinkOptions {
  /** The fleet's id: the group in the topics. */
  readonly fleet: string
  readonly node: NodeId
  /** Rises with each start of the node, so that the last will of an earlier start is known as such. */
  readonly startCount: number
  /** `mqtt://host:1883` or `mqtts://host:8883`, tried in turn; several brokers must be one cluster. */
  readonly servers: readonly string[]
  /** Wins over what stands in a URL; the same for `password`. */
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly tls?: TlsFiles | undefined
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** `mqtt` unless there are several. */
  readonly name?: string | undefined
  readonly timing?: Partial<MqttTiming> | undefined
  /** Set where the broker is the post box of another gateway. */
  readonly guest?: GuestRole | undefined
}

/** What is different for a guest in the post box of another gateway. */
export interface GuestRole {
  /** One for each address, so that two ways to one post box do not cut each other off. */
  readonly clientId: string
  readonly topics: Topics
  /** Says why the name in the certificate of whoever answers there is not one to talk to, or nothing. Only with TLS. */
  checkOwner(certified: string): Error | undefined
  /** Said to the owner as soon as his presence is seen. */
  greeting(): Outgoing
  /** Somebody has said where he and others are reached. */
  addresses(node: NodeId, payload: Buffer): void
}

export interface MqttTiming extends SessionTiming {
  readonly keepaliveS: number
  readonly goodbyeTimeoutMs: number
  readonly acknowledgeLookMs: number
}

export const DEFAULT_TIMING: MqttTiming = {
  ...DEFAULT_RECONNECT_TIMING,
  connectTimeoutMs: MQTT_CONNECT_TIMEOUT_MS,
  stableMs: RECONNECT_STABLE_MS,
  keepaliveS: MQTT_KEEPALIVE_S,
  goodbyeTimeoutMs: MQTT_GOODBYE_TIMEOUT_MS,
  acknowledgeLookMs: MQTT_ACKNOWLEDGE_LOOK_MS,
}
