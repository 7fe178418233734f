import { Socket } from 'node:net'
import { connect, type IClientPublishOptions, type MqttClient } from 'mqtt'
import { type Gateway, openGateway } from '../../runtime/gateway/gateway.ts'
import { journalStorage, memoryStorage, mqtt } from '../../runtime/gateway/parts.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import { founders } from './workload.ts'

/** Bytes of a bare message: what a single operation takes. */
const BARE_BYTES = 100
/** 1,000 points take turns, as in a fleet of machines. */
const POINTS = 1000
/** Above all counts of one measurement. */
const TURN = 1e7
const THERE = 'bench/there'
const BACK = 'bench/back'

export interface SideJob {
  readonly port: number
  /** Where the journal on disk goes. */
  readonly folder: string
  /** The first asks, the second answers. */
  readonly index: 0 | 1
}

export type SideCommand =
  /** Answer what is heard on one way, or count it. */
  { readonly kind: 'answer' | 'count'; readonly way: WayName } | { readonly kind: 'close' }

/** The last count that was heard, or that the command was taken. */
export type SideAnswer = { readonly heard: number } | { readonly ready: true }

/** Between two reports of what was heard: often enough that the sender need not wait for them. */
const REPORT_MS = 1

/** The second side, in a process of its own, as gateways are. */
export async function runSide(job: SideJob): Promise<void> {
  const ways = await openSide(job)
  const tell = (answer: SideAnswer): void => void process.send?.(answer)
  let heard = 0
  let told = 0
  setInterval(() => {
    if (told !== heard) tell({ heard })
    told = heard
  }, REPORT_MS)
  process.on('message', (command: SideCommand) => {
    if (command.kind === 'close') {
      void Promise.all(Object.values(ways).map((way) => way.close())).then(() => process.exit(0))
      return
    }
    const way = ways[command.way]
    heard = told = 0
    way.hear = command.kind === 'answer' ? (count) => way.say(count) : (count) => void (heard = Math.max(heard, count))
    tell({ ready: true })
  })
  tell({ ready: true })
}

/** One way of saying something to the other side, and of hearing it. `taken`: the broker has a bare message. */
export interface Way {
  say(count: number, taken?: () => void): void
  /** Called with the count that was said there. */
  hear: (count: number) => void
  close(): Promise<void>
}

export const WAYS = ['bare', 'bare MQTT 5', 'in memory', 'on disk'] as const
export type WayName = (typeof WAYS)[number]

export function isBare(way: WayName): boolean {
  return way === 'bare' || way === 'bare MQTT 5'
}

/**
 * The ways of one side: bare messages as mqtt.js sends them if it is told nothing else, and in the version and with the properties
 * that the link uses; and gateways with the journal in memory and on the disk.
 */
export async function openSide({ port, folder, index }: SideJob): Promise<Record<WayName, Way>> {
  return {
    bare: await bareWay(port, index, 4),
    'bare MQTT 5': await bareWay(port, index, 5),
    'in memory': await gatewayWay(port, index, fleetOf(0), () => memoryStorage()),
    'on disk': await gatewayWay(port, index, fleetOf(2), (fleet, node) => journalStorage(folder, fleet, node)),
  }
}

/** Each fleet has topics of its own, and each node a client id of its own. */
function fleetOf(first: number): Genesis {
  return { name: `bench-${first}`, founders: founders(4).founders.slice(first, first + 2) }
}

/** As the link does it: QoS 1 to publish, QoS 0 to subscribe, small packets at once. */
async function bareWay(port: number, index: 0 | 1, version: 4 | 5): Promise<Way> {
  const client = await bareClient(port, version)
  const [own, others] = (index === 0 ? [THERE, BACK] : [BACK, THERE]).map((topic) => `${topic}/${version}`) as [
    string,
    string,
  ]
  const options: IClientPublishOptions = version === 4 ? { qos: 1 } : { qos: 1, properties: PROPERTIES }
  const way: Way = {
    say: (count, taken) => {
      const payload = Buffer.alloc(BARE_BYTES, 1)
      payload.writeUInt32BE(count)
      client.publish(own, payload, options, taken)
    },
    hear: () => {},
    close: async () => await client.endAsync(true),
  }
  client.on('message', (_topic, payload) => way.hear(payload.readUInt32BE()))
  await client.subscribeAsync(others, { qos: 0 })
  return way
}

/** As the link sends operations in MQTT 5. */
const PROPERTIES = { contentType: 'application/cbor', userProperties: { v: '1' } }

function bareClient(port: number, protocolVersion: 4 | 5): Promise<MqttClient> {
  const client = connect(`mqtt://127.0.0.1:${port}`, { protocolVersion, reconnectPeriod: 0 })
  return new Promise((resolve, reject) => {
    client.once('connect', () => {
      if (client.stream instanceof Socket) client.stream.setNoDelay(true)
      resolve(client)
    })
    client.once('error', reject)
  })
}

async function gatewayWay(
  port: number,
  index: 0 | 1,
  fleet: Genesis,
  storage: (fleet: Genesis, node: Gateway['node']) => Parameters<typeof openGateway>[0]['storage'],
): Promise<Way> {
  const { node } = fleet.founders[index] as Genesis['founders'][number]
  const links = [mqtt({ servers: [`mqtt://127.0.0.1:${port}`] })]
  const gateway = await openGateway({ fleet, node, storage: storage(fleet, node), links })
  const [own, others] = index === 0 ? [THERE, BACK] : [BACK, THERE]
  let [last, turn] = [0, 0]
  const way: Way = {
    say: (count) => {
      // Nobody is told of a value that is there already.
      if (count <= last) turn += TURN
      last = count
      gateway.state.set(`${own}/machine${count % POINTS}/speed`, turn + count)
    },
    hear: () => {},
    close: async () => await gateway.close(),
  }
  gateway.state.watch(`${others}/**`, ({ after }) => {
    if (typeof after === 'number') way.hear(after % TURN)
  })
  return way
}
