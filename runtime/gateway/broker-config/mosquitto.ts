import { randomBytes, pbkdf2Sync } from 'node:crypto'
import type { NodeId } from '../../base/ids.ts'
import { type BrokerFile, type BrokerRequest, certificateFile, listenAddress, usersOf } from './request.ts'
import { fillTemplate } from './template.ts'

/** For Mosquitto 2.0. */
export function mosquittoFiles(request: BrokerRequest): readonly BrokerFile[] {
  const { name, fleet, path, port, persistence, nodes, people, authentication } = request
  const [server = '0.0.0.0'] = request.servers
  const conf = fillTemplate('mosquitto.conf', {
    name,
    fleet,
    path,
    port: String(port),
    listen: listenAddress(server),
    authentication: authenticationLines(request).join('\n'),
    persistence: persistence ? `persistence true\npersistence_location ${path}/` : 'persistence false',
  })
  const users = [...nodes.map((node) => nodeLines(fleet, node)), ...people.map((person) => personLines(fleet, person))]
  const acl = fillTemplate('mosquitto.acl', { name, fleet, users: users.flat().join('\n') })
  const passwords = usersOf(request).map((user) => `${user}:${passwordHash(request.passwordOf(user))}\n`)
  return [
    { name: 'mosquitto.conf', text: conf },
    { name: 'mosquitto.acl', text: acl },
    ...(authentication === 'passwords' ? [{ name: 'mosquitto.passwords', text: passwords.join('') }] : []),
  ]
}

function authenticationLines(request: BrokerRequest): readonly string[] {
  const tls = [
    `cafile ${certificateFile(request, 'authority.crt')}`,
    `certfile ${certificateFile(request, 'broker.crt')}`,
    `keyfile ${certificateFile(request, 'broker.key')}`,
    'tls_version tlsv1.2',
  ]
  const own =
    request.authentication === 'certificates'
      ? [
          'require_certificate true',
          '# The user is the common name of the certificate.',
          'use_identity_as_username true',
        ]
      : [`password_file ${request.path}/mosquitto.passwords`]
  return [...(request.encrypted ? tls : []), ...own]
}

function nodeLines(fleet: string, node: NodeId): readonly string[] {
  const root = `fleet/${fleet}`
  const own = [
    ...['op', 'b', 'w', 'in/+'].map((kind) => `${kind}/${node}`),
    ...['n', 's', 'q'].map((kind) => `${kind}/${node}/#`),
  ]
  const read = ['op/+', 'b/+', 'w/+', `in/${node}/+`, 'n/#', 's/#', 'q/#', `set/${node}/#`]
  return [
    '',
    `user ${node}`,
    ...own.map((topic) => `topic write ${root}/${topic}`),
    ...read.map((topic) => `topic read ${root}/${topic}`),
    `topic readwrite homeassistant/device/${node}/config`,
    'topic read homeassistant/status',
  ]
}

function personLines(fleet: string, person: string): readonly string[] {
  const root = `fleet/${fleet}`
  return [
    '',
    `user ${person}`,
    ...['s', 'q', 'n'].map((kind) => `topic read ${root}/${kind}/#`),
    `topic write ${root}/set/#`,
    'topic read homeassistant/#',
    'topic write homeassistant/status',
  ]
}

/** As `mosquitto_passwd` of version 2.0 writes it: PBKDF2 with SHA-512. */
function passwordHash(password: string): string {
  const iterations = 101
  const salt = randomBytes(12)
  const hash = pbkdf2Sync(password, salt, iterations, 64, 'sha512')
  return `$7$${iterations}$${salt.toString('base64')}$${hash.toString('base64')}`
}
