import type { NodeId } from '../../base/ids.ts'
import { formatAddress } from '../../links/mqtt/peers/addresses.ts'
import { type BrokerFile, type BrokerRequest, certificateFile, listenAddress } from './request.ts'
import { fillTemplate } from './template.ts'

/** Whose password the servers of one cluster show each other. */
export const CLUSTER_USER = 'nats-cluster'

/** For tools of NATS itself, and for the other servers of its cluster. */
const [CLIENT_PORT, ROUTE_PORT] = [4222, 6222]

/** One file for each server. */
export function natsFiles(request: BrokerRequest): readonly BrokerFile[] {
  const { name, fleet, path, port, servers } = request
  const users = [
    ...request.nodes.map((node) => userLine(request, node, nodePermissions(fleet, node))),
    ...request.people.map((person) => userLine(request, person, personPermissions(fleet))),
  ]
  return servers.map((server, index) => {
    const file = servers.length === 1 ? 'nats-server.conf' : `nats-server-${index + 1}.conf`
    const text = fillTemplate('nats-server.conf', {
      name,
      fleet,
      path,
      file,
      server,
      number: String(index + 1),
      listen: formatAddress({ host: listenAddress(server), port: CLIENT_PORT }),
      mqttListen: formatAddress({ host: listenAddress(server), port }),
      replicas: String(servers.length >= 3 ? 3 : 1),
      cluster: servers.length === 1 ? '' : clusterLines(request, server),
      tls: request.encrypted ? tlsLines(request) : '',
      users: users.join(',\n'),
    })
    return { name: file, text }
  })
}

interface Permissions {
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
}

/** `x/#` of MQTT is both `x` and `x.>` of NATS; slashes become dots before permissions are looked at. */
function nodePermissions(fleet: string, node: NodeId): Permissions {
  const root = `fleet.${fleet}`
  return {
    publish: [
      ...['op', 'b', 'w', 'in.*'].map((kind) => `${root}.${kind}.${node}`),
      `${root}.n.${node}.>`,
      `${root}.s.${node}.>`,
      `${root}.q.${node}.>`,
      `homeassistant.device.${node}.config`,
    ],
    subscribe: [
      ...['op', 'b', 'w'].map((kind) => `${root}.${kind}.*`),
      `${root}.in.${node}.*`,
      `${root}.n.*.st`,
      `${root}.n.${node}.mirror`,
      ...tree(`${root}.set.${node}`),
      ...tree(`${root}.s.${node}`),
      ...tree(`${root}.q.${node}`),
      'homeassistant.status',
      `homeassistant.device.${node}.config`,
      ...OWN_SESSION,
    ],
  }
}

function personPermissions(fleet: string): Permissions {
  const root = `fleet.${fleet}`
  return {
    publish: [`${root}.set.>`, 'homeassistant.status'],
    subscribe: [
      ...['s', 'q', 'n'].flatMap((kind) => tree(`${root}.${kind}`)),
      ...tree('homeassistant'),
      ...OWN_SESSION,
    ],
  }
}

/** Subscriptions with QoS 1 are delivered by the server under these. */
const OWN_SESSION: readonly string[] = ['$MQTT.sub.>', '$MQTT.deliver.>']

function tree(subject: string): readonly string[] {
  return [subject, `${subject}.>`]
}

function userLine(request: BrokerRequest, user: string, { publish, subscribe }: Permissions): string {
  const password =
    request.authentication === 'passwords' ? `, password: ${JSON.stringify(request.passwordOf(user))}` : ''
  const allow = (subjects: readonly string[]): string => `{ allow: ${JSON.stringify(subjects)} }`
  return `    { user: "${user}"${password}, allowed_connection_types: ["MQTT"], permissions: {
      publish: ${allow(publish)},
      subscribe: ${allow(subscribe)} } }`
}

function clusterLines(request: BrokerRequest, server: string): string {
  const password = request.passwordOf(CLUSTER_USER)
  const routes = request.servers.map(
    (other) => `nats-route://cluster:${password}@${formatAddress({ host: other, port: ROUTE_PORT })}`,
  )
  return `cluster {
  name: "fleet-${request.fleet}"
  listen: "${formatAddress({ host: listenAddress(server), port: ROUTE_PORT })}"
  authorization { user: "cluster", password: ${JSON.stringify(password)} }
  routes: ${JSON.stringify(routes)}
}
`
}

function tlsLines(request: BrokerRequest): string {
  // The user is found by the certificate's alternative name.
  const verify = request.authentication === 'certificates' ? '\n    verify_and_map: true' : ''
  return `  tls {
    ca_file: "${certificateFile(request, 'authority.crt')}"
    cert_file: "${certificateFile(request, 'broker.crt')}"
    key_file: "${certificateFile(request, 'broker.key')}"${verify}
  }`
}
