import { createHash, randomBytes } from 'node:crypto'
import { clientIdOf } from '../../links/mqtt/topics.ts'
import { type BrokerFile, type BrokerRequest, certificateFile, listenAddress } from './request.ts'
import { fillTemplate } from './template.ts'

/** One settings file for each server; users and what they may are the same for all. */
export function rabbitmqFiles(request: BrokerRequest): readonly BrokerFile[] {
  const { name, fleet, path, servers } = request
  const settings = servers.map((server, index) => {
    const file = servers.length === 1 ? 'rabbitmq.conf' : `rabbitmq-${index + 1}.conf`
    const text = fillTemplate('rabbitmq.conf', {
      name,
      fleet,
      path,
      file,
      amqpPort: String(AMQP_PORT + index),
      listeners: listenerLines(request, server).join('\n'),
      cluster: clusterLines(servers).join('\n'),
    })
    return { name: file, text }
  })
  const definitions = `${JSON.stringify(definitionsOf(request), null, 2)}\n`
  return [
    ...settings,
    { name: 'enabled_plugins', text: '[rabbitmq_mqtt].\n' },
    { name: 'definitions.json', text: definitions },
  ]
}

/** For tools of the broker itself; gateways do not use it. */
const AMQP_PORT = 5672

function listenerLines(request: BrokerRequest, server: string): readonly string[] {
  const at = `${listenAddress(server)}:${request.port}`
  if (!request.encrypted) return [`mqtt.listeners.tcp.1 = ${at}`]
  return [
    'mqtt.listeners.tcp = none',
    `mqtt.listeners.ssl.1 = ${at}`,
    `ssl_options.cacertfile = ${certificateFile(request, 'authority.crt')}`,
    `ssl_options.certfile = ${certificateFile(request, 'broker.crt')}`,
    `ssl_options.keyfile = ${certificateFile(request, 'broker.key')}`,
    'ssl_options.verify = verify_none',
  ]
}

function clusterLines(servers: readonly string[]): readonly string[] {
  if (servers.length === 1) return []
  return [
    '',
    '# The first time, start one server after the other, each when the one before takes MQTT clients: before RabbitMQ 3.12,',
    '# servers that meet while they start may leave one of them out of those that know who is connected. It takes nobody then.',
    '# Queues of three servers: with the default ones a client is locked out until a dead server is back.',
    'mqtt.durable_queue_type = quorum',
    'cluster_partition_handling = pause_minority',
    'cluster_formation.peer_discovery_backend = classic_config',
    ...servers.map((server, index) => `cluster_formation.classic_config.nodes.${index + 1} = rabbit@${server}`),
  ]
}

/** Slashes of MQTT are dots here, and `+` is an asterisk. A topic that is subscribed to is looked at as it was written. */
function definitionsOf(request: BrokerRequest): object {
  const root = `fleet\\.${request.fleet}`
  const nodes = request.nodes.map((node) => ({
    user: node,
    clients: `${clientIdOf(request.fleet, node)}(-json)?`,
    write: anyOf([
      `${root}\\.(op|b|w)\\.${node}`,
      `${root}\\.in\\.[0-9a-f]+\\.${node}`,
      `${root}\\.[nqs]\\.${node}\\..+`,
      `homeassistant\\.device\\.${node}\\.config`,
    ]),
    read: anyOf([
      `${root}\\.(op|b|w)\\.\\*`,
      `${root}\\.in\\.${node}\\.\\*`,
      `${root}\\.n\\.\\*\\.st`,
      `${root}\\.n\\.${node}\\.mirror`,
      `${root}\\.(set|s|q)\\.${node}\\.#`,
      'homeassistant\\.status',
      `homeassistant\\.device\\.${node}\\.config`,
    ]),
  }))
  const people = request.people.map((person) => ({
    user: person,
    clients: '.*',
    write: anyOf([`${root}\\.set\\..+`, 'homeassistant\\.status']),
    read: anyOf([`${root}\\.[nqs](\\..+)?`, 'homeassistant(\\..+)?']),
  }))
  const users = [...nodes, ...people]
  const vhost = '/'
  return {
    vhosts: [{ name: vhost }],
    users: users.map(({ user }) => ({
      name: user,
      password_hash: passwordHash(request.passwordOf(user)),
      hashing_algorithm: 'rabbit_password_hashing_sha256',
      tags: [],
    })),
    permissions: users.map(({ user, clients }) => {
      const queue = `mqtt-(subscription|will)-${clients}(qos[01])?`
      return {
        user,
        vhost,
        configure: anyOf([queue]),
        write: anyOf([queue, 'amq\\.topic']),
        read: anyOf([queue, 'amq\\.topic']),
      }
    }),
    topic_permissions: users.map(({ user, write, read }) => ({ user, vhost, exchange: 'amq.topic', write, read })),
  }
}

function anyOf(patterns: readonly string[]): string {
  return `^(${patterns.join('|')})$`
}

/** As RabbitMQ keeps it: four bytes of salt, then SHA-256 of salt and password. */
function passwordHash(password: string): string {
  const salt = randomBytes(4)
  const hash = createHash('sha256').update(salt).update(password, 'utf8').digest()
  return Buffer.concat([salt, hash]).toString('base64')
}
