/**
 * The topics of a fleet are a contract: other tools subscribe to them, and access lists of brokers are written for them.
 *
 * | topic                            | payload                         | retained | who publishes |
 * | -------------------------------- | ------------------------------- | -------- | ------------- |
 * | `fleet/<group>/op/<node>`        | frame of operations, or of an answer | no  | `<node>`      |
 * | `fleet/<group>/b/<node>`         | frame of an announcement, an epoch or telemetry | no | `<node>` |
 * | `fleet/<group>/w/<node>`         | frame of a request, or about joining | no  | `<node>`      |
 * | `fleet/<group>/in/<dst>/<src>`   | frame for `<dst>` alone         | no       | `<src>`       |
 * | `fleet/<group>/n/<node>/st`      | `online <start>`, `offline <start>` | yes  | `<node>`      |
 * | `fleet/<group>/n/<node>/at`      | addresses of peers, see peers/addresses.ts | yes | `<node>` |
 *
 * `<group>` is the fleet's id, nodes are node ids. The author always stands in the topic, so that a broker can let a node
 * publish only as itself. Only letters, digits, `_` and `-` are used, and four slashes at most: NATS, RabbitMQ and AWS IoT
 * rewrite, refuse or lose messages with more.
 */
import { FleetstepError, unreachable } from '../../base/errors.ts'
import { isNodeId, type NodeId } from '../../base/ids.ts'
import { MQTT_TOPICS_REMEMBERED_MAX } from '../../base/limits.ts'
import type { Channel } from '../link.ts'

export interface Topics {
  /** Where this node's presence is retained, and its last will goes. */
  readonly presence: string
  /** What this node subscribes to, all with QoS 0. */
  readonly subscriptions: readonly Subscription[]
  /** Where this node publishes a frame of `channel`. */
  of(channel: Channel): string
  /** What a received topic means; null for one that is not in the contract or not for this node. */
  parse(topic: string): ReceivedTopic | null
}

export interface Subscription {
  readonly filter: string
  /** True where MQTT 5 may leave out this node's own messages. Its own presence must come back: a stale will hides there. */
  readonly withoutOwn: boolean
}

export type ReceivedTopic =
  | { readonly kind: 'frame'; readonly from: NodeId }
  | { readonly kind: 'presence'; readonly node: NodeId }
  | { readonly kind: 'addresses'; readonly node: NodeId }

/**
 * @param group the fleet's id, 16 hexadecimal digits; any name of 1 to 64 letters, digits, `_` and `-` is taken
 * @throws FleetstepError `config-invalid`
 */
export function topicsOf(group: string, node: NodeId): Topics {
  if (!GROUP.test(group)) {
    throw new FleetstepError(
      'config-invalid',
      `fleet id ${JSON.stringify(group.slice(0, 80))} cannot be part of an MQTT topic: use 1 to 64 letters, digits, "_" or "-"`,
    )
  }
  const root = `fleet/${group}/`
  const [operations, announcements, requests] = [`${root}op/${node}`, `${root}b/${node}`, `${root}w/${node}`]
  return {
    presence: `${root}n/${node}/st`,
    subscriptions: [
      { filter: `${root}op/+`, withoutOwn: true },
      { filter: `${root}b/+`, withoutOwn: true },
      { filter: `${root}w/+`, withoutOwn: true },
      { filter: `${root}in/${node}/+`, withoutOwn: true },
      { filter: `${root}n/+/st`, withoutOwn: false },
    ],
    of: (channel) => {
      switch (channel.kind) {
        case 'operations':
        case 'answers':
          return operations
        case 'announcements':
        case 'telemetry':
          return announcements
        case 'requests':
          return requests
        case 'direct':
          return `${root}in/${channel.to}/${node}`
        default:
          return unreachable(channel)
      }
    },
    parse: remembered((topic) => (topic.startsWith(root) ? parseSuffix(topic.slice(root.length), node) : null)),
  }
}

/** The same few topics come again and again: three of each member, and what others say to this node alone. */
function remembered(parse: Topics['parse']): Topics['parse'] {
  const known = new Map<string, ReceivedTopic>()
  return (topic) => {
    const before = known.get(topic)
    if (before !== undefined) return before
    const received = parse(topic)
    if (received === null) return null
    if (known.size >= MQTT_TOPICS_REMEMBERED_MAX) known.clear()
    known.set(topic, received)
    return received
  }
}

/**
 * With which a node goes by at a broker: `fs-`, its id, and the first four digits of its fleet's, so that nodes of two fleets on
 * one broker do not cut each other off. 23 characters, as many as each broker of MQTT 3.1.1 takes (section 3.1.3.1).
 */
export function clientIdOf(group: string, node: NodeId): string {
  return `fs-${node}${group.slice(0, CLIENT_ID_GROUP_DIGITS)}`
}

const CLIENT_ID_GROUP_DIGITS = 4

const GROUP = /^[A-Za-z0-9_-]{1,64}$/

function parseSuffix(suffix: string, self: NodeId): ReceivedTopic | null {
  const [kind, first, second, ...rest] = suffix.split('/')
  if (rest.length > 0) return null
  switch (kind) {
    case 'op':
    case 'b':
    case 'w':
      return isNodeId(first) && second === undefined ? { kind: 'frame', from: first } : null
    case 'in':
      return first === self && isNodeId(second) ? { kind: 'frame', from: second } : null
    case 'n':
      return isNodeId(first) && second === 'st' ? { kind: 'presence', node: first } : null
    default:
      return null
  }
}
