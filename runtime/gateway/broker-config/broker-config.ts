import { randomBytes } from 'node:crypto'
import { chmodSync, readFileSync } from 'node:fs'
import { isIP, isIPv6 } from 'node:net'
import { join, resolve } from 'node:path'
import { FleetstepError, unreachable } from '../../base/errors.ts'
import { isNodeId, type NodeId } from '../../base/ids.ts'
import { formatAddress } from '../../links/mqtt/peers/addresses.ts'
import { brokerMembers } from './members.ts'
import { PEERS_PORT } from '../peers-config.ts'
import { replaceSecretFile } from '../secret-file.ts'
import { MEMBERS_FILE } from './members.ts'
import { mosquittoFiles } from './mosquitto.ts'
import { CLUSTER_USER, natsFiles } from './nats.ts'
import { rabbitmqFiles } from './rabbitmq.ts'
import { BROKER_KINDS, type BrokerFile, type BrokerKind, type BrokerRequest, usersOf } from './request.ts'
import { fillTemplate } from './template.ts'

/** What the operator wants; an absent setting has its default. */
export interface BrokerWish {
  readonly broker: string
  /** Config of any gateway of the fleet; or, in a fleet with an operator, the operator's folder. */
  readonly config?: string | undefined
  readonly fleet?: string | undefined
  /** Node ids of further members. */
  readonly members?: readonly string[] | undefined
  readonly directory: string
  /** Where the files lie when the broker reads them; the directory itself unless they are copied there. */
  readonly path?: string | undefined
  readonly servers: readonly string[]
  readonly port?: number | undefined
  readonly people: readonly string[]
  readonly passwords: boolean
  /** Without TLS; only with passwords. */
  readonly plain: boolean
  readonly persistence: boolean
}

export interface WrittenBroker {
  readonly broker: BrokerKind
  readonly fleet: string
  readonly directory: string
  readonly files: readonly string[]
  /** For the `servers` of each gateway's link. */
  readonly servers: readonly string[]
  readonly encrypted: boolean
  readonly authentication: BrokerRequest['authentication']
}

/**
 * Writes the settings of a broker for a fleet: what does not lose messages in silence, and lists of who may do what. A
 * second run writes them anew, for more members, and keeps the passwords.
 * @throws FleetstepError `usage`, `config-invalid`, `data-directory-unwritable`, `disk-full`
 */
export function writeBrokerConfig(wish: BrokerWish): WrittenBroker {
  const broker = checkedKind(wish)
  const request = requestOf(wish, broker)
  const directory = resolve(wish.directory)
  const members = { name: MEMBERS_FILE, text: `${request.nodes.join('\n')}\n` }
  const files = [...filesOf(broker, request), ...commonFiles(request, broker), members]
  for (const { name, text } of files)
    replaceSecretFile({ file: join(directory, name), text, code: 'data-directory-unwritable' })
  if (request.encrypted) chmodSync(join(directory, CERTIFICATES), 0o700)
  const { fleet, encrypted, authentication, port } = request
  const servers = request.servers.map((host) => `${encrypted ? 'mqtts' : 'mqtt'}://${formatAddress({ host, port })}`)
  return { broker, fleet, directory, files: files.map(({ name }) => name), servers, encrypted, authentication }
}

const CERTIFICATES = 'certificates.sh'

function checkedKind({ broker, passwords, plain, servers }: BrokerWish): BrokerKind {
  const kind = BROKER_KINDS.find((known) => known === broker)
  if (kind === undefined) throw usage(`--for ${broker} is none that is known: write one of ${BROKER_KINDS.join(', ')}`)
  if (kind === 'peers' && (passwords || plain))
    throw usage('peers know each other by certificates: leave out --passwords and --plain')
  if (plain && !passwords) throw usage('--plain leaves out certificates, so it needs --passwords')
  if (kind === 'rabbitmq' && !passwords) throw usage('RabbitMQ is set up with user and password: add --passwords')
  if (kind === 'mosquitto' && servers.length > 1) {
    throw usage('Mosquitto forms no cluster: name one --server, or use --for nats or --for rabbitmq')
  }
  if (kind === 'rabbitmq' && servers.length > 1 && servers.some(isIPv6))
    throw usage('RabbitMQ knows the servers of a cluster by name: give each --server one')
  return kind
}

function requestOf(wish: BrokerWish, broker: BrokerKind): BrokerRequest {
  const { name, fleet, nodes } = brokerMembers(wish)
  const people = checkedPeople(wish.people, nodes)
  const directory = resolve(wish.directory)
  return {
    name,
    fleet,
    nodes,
    people,
    authentication: wish.passwords ? 'passwords' : 'certificates',
    encrypted: !wish.plain,
    servers: checkedServers(wish.servers),
    port: wish.port ?? (broker === 'peers' ? PEERS_PORT : wish.plain ? 1883 : 8883),
    persistence: wish.persistence,
    path: checkedPath(wish.path ?? directory, broker),
    passwordOf: passwordBook(join(directory, 'passwords')),
  }
}

function checkedPeople(people: readonly string[], nodes: readonly NodeId[]): readonly string[] {
  for (const person of people) {
    // They become file names, and words in the settings of brokers.
    const isPlain = /^[A-Za-z][A-Za-z0-9_-]{0,31}$/.test(person) && !isNodeId(person)
    if (!isPlain || TAKEN.has(person))
      throw usage(`--user ${person} is no name for a user: use 1 to 32 letters, digits, "_" or "-", a letter first`)
  }
  return [...new Set(people)].filter((person) => !nodes.some((node) => node === person))
}

/** Names of files that stand beside those of users. */
const TAKEN: ReadonlySet<string> = new Set(['authority', 'broker', CLUSTER_USER])

function checkedServers(servers: readonly string[]): readonly string[] {
  for (const server of servers) {
    // One with a zone, as fe80::1%eth0, cannot stand in a URL.
    const isAddress = isIPv6(server) && !server.includes('%')
    if (!isAddress && !/^[A-Za-z0-9.-]{1,253}$/.test(server))
      throw usage(`--server ${server} is no name or address of a machine; its port is told with --tcp-port`)
  }
  return servers
}

/** The settings of all of them are split at spaces or quotes. */
function checkedPath(path: string, broker: BrokerKind): string {
  if (/^[^\s"'\\{}]+$/.test(path)) return path
  throw usage(`${JSON.stringify(path)} cannot stand in the settings of ${broker}: use a path without spaces and quotes`)
}

function usage(message: string): FleetstepError {
  return new FleetstepError('usage', message)
}

function filesOf(broker: BrokerKind, request: BrokerRequest): readonly BrokerFile[] {
  switch (broker) {
    case 'mosquitto':
      return mosquittoFiles(request)
    case 'nats':
      return natsFiles(request)
    case 'rabbitmq':
      return rabbitmqFiles(request)
    case 'peers':
      return []
    default:
      return unreachable(broker)
  }
}

/** The passwords of the users, and the script that makes certificates. */
function commonFiles(request: BrokerRequest, broker: BrokerKind): readonly BrokerFile[] {
  const users = usersOf(request)
  const secrets = [
    ...(request.authentication === 'passwords' ? users : []),
    ...(broker === 'nats' && request.servers.length > 1 ? [CLUSTER_USER] : []),
  ]
  const passwords = secrets.map((user) => ({ name: `passwords/${user}`, text: `${request.passwordOf(user)}\n` }))
  const names = request.servers.map((server) => `${isIP(server) === 0 ? 'DNS' : 'IP'}:${server}`).join(',')
  const isPeers = broker === 'peers'
  const script = {
    name: CERTIFICATES,
    text: fillTemplate(CERTIFICATES, {
      name: request.name,
      brokers: isPeers ? '' : `certificate broker serverAuth ${names}`,
      clients: (request.authentication === 'certificates' ? users : []).join(' '),
      // Each peer listens and connects.
      purposes: isPeers ? 'clientAuth,serverAuth' : 'clientAuth',
    }),
  }
  return [...passwords, ...(request.encrypted ? [script] : [])]
}

/** Those of an earlier run stay: the gateways have them. */
function passwordBook(folder: string): (user: string) => string {
  const drawn = new Map<string, string>()
  return (user) => {
    const password = drawn.get(user) ?? storedPassword(join(folder, user)) ?? randomBytes(18).toString('base64url')
    drawn.set(user, password)
    return password
  }
}

function storedPassword(file: string): string | null {
  try {
    const text = readFileSync(file, 'utf8').trimEnd()
    return /^[A-Za-z0-9_-]{8,64}$/.test(text) ? text : null
  } catch {
    return null
  }
}
