/** Whether a cluster keeps to the lists of who may do what that were written for it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, type MqttClient } from 'mqtt'
import type { NodeId } from '../../runtime/base/ids.ts'
import type { WrittenBroker } from '../../runtime/gateway/broker-config/broker-config.ts'
import { clientIdOf } from '../../runtime/links/mqtt/topics.ts'
import { until } from '../links/clocks.ts'

export const PERSON = 'nodered'

export interface RuledCluster {
  readonly written: WrittenBroker
  /** The server that the clients here connect to. */
  readonly url: string
  readonly nodes: readonly [NodeId, NodeId, NodeId]
}

/** @throws Error with the topics that came where they should not */
export async function assertRules(cluster: RuledCluster): Promise<void> {
  const clients = new Map<string, MqttClient>()
  const tool = async (user: string): Promise<Tool> => {
    // RabbitMQ ties the client id to the user, so a node has one tool at a time.
    if (user !== PERSON) await clients.get(user)?.endAsync(true)
    const client = await connectedSoon(cluster, user)
    clients.set(user === PERSON ? `${user} ${clients.size}` : user, client)
    return new Tool(client)
  }
  try {
    await assertSpeaksOnlyAsItself(cluster, tool)
    await assertInboxIsClosed(cluster, tool)
    await assertRulesOfPeople(cluster, tool)
    await assertNobodyElse(cluster)
  } finally {
    for (const client of clients.values()) client.end(true)
  }
}

type MakeTool = (user: string) => Promise<Tool>

/** The first speaks as itself and as the third; the second listens. */
async function assertSpeaksOnlyAsItself({ written, nodes }: RuledCluster, tool: MakeTool): Promise<void> {
  const [first, second, third] = nodes
  const root = `fleet/${written.fleet}`
  const listener = await tool(second)
  await listener.hear(`${root}/op/+`)
  await (await tool(first)).sayInVain(`${root}/op/${third}`)
  await (await tool(first)).say(`${root}/op/${first}`)
  await until(() => listener.seen.length > 0, 'what the first says as itself arrives', PATIENCE_MS)
  assertSeen(listener, [`${root}/op/${first}`], 'a node spoke as another')
}

/** Somebody listens at the inbox of the second; the second hears what the third has for it. */
async function assertInboxIsClosed({ written, nodes }: RuledCluster, tool: MakeTool): Promise<void> {
  const [first, second, third] = nodes
  const root = `fleet/${written.fleet}`
  const owner = await tool(second)
  await owner.hear(`${root}/in/${second}/+`)
  const sender = await tool(third)
  const delivered = async (): Promise<void> => {
    const before = owner.seen.length
    await sender.say(`${root}/in/${second}/${third}`)
    await until(() => owner.seen.length > before, 'the second has what is in its inbox', PATIENCE_MS)
  }
  for (const filter of [`${root}/in/${second}/+`, `${root}/in/#`, `${root}/in/+/+`, '#']) {
    for (const user of [first, PERSON]) {
      const spy = await tool(user)
      // A broker may hang up at a filter that it does not allow.
      await spy.hear(filter).catch(() => undefined)
      await delivered()
      // What comes later has gone the same way.
      await delivered()
      assertSeen(spy, [], 'somebody read the inbox of another', `${root}/in/`)
    }
  }
}

async function assertRulesOfPeople({ written, nodes }: RuledCluster, tool: MakeTool): Promise<void> {
  const [first] = nodes
  const root = `fleet/${written.fleet}`
  const node = await tool(first)
  await node.hear(`${root}/set/${first}/#`)
  await node.hear(`${root}/op/+`)
  const reader = await tool(PERSON)
  await reader.hear(`${root}/s/#`)
  await reader.hear(`${root}/n/#`)
  await (await tool(PERSON)).sayInVain(`${root}/op/${first}`)
  await (await tool(PERSON)).sayInVain(`${root}/s/${first}/lamp`)
  await (await tool(PERSON)).say(`${root}/set/${first}/lamp`)
  await until(() => node.seen.length > 0, 'the wish arrives', PATIENCE_MS)
  assertSeen(node, [`${root}/set/${first}/lamp`], 'a person spoke as a node')
  await (await tool(first)).say(`${root}/s/${first}/hall/lamp`)
  await (await tool(first)).say(`${root}/n/${first}/err`)
  await until(() => reader.seen.length >= 2, 'the person reads the mirror', PATIENCE_MS)
  assertSeen(reader, [`${root}/s/${first}/hall/lamp`, `${root}/n/${first}/err`], 'a person read something else')
}

async function assertNobodyElse(cluster: RuledCluster): Promise<void> {
  const stranger = await connected(cluster, null).catch(() => null)
  stranger?.end(true)
  if (stranger !== null) throw new Error('somebody was let in who did not say who he is')
}

const PATIENCE_MS = 60_000
const PAYLOAD = 'tool'

class Tool {
  /** Topics of what tools have said; gateways talk all the time. */
  readonly seen: string[] = []
  readonly #client: MqttClient

  constructor(client: MqttClient) {
    this.#client = client
    client.on('message', (topic, payload) => {
      if (payload.toString() === PAYLOAD) this.seen.push(topic)
    })
  }

  async hear(filter: string): Promise<void> {
    await Promise.race([this.#client.subscribeAsync(filter), closed(this.#client)])
  }

  async say(topic: string): Promise<void> {
    await this.#client.publishAsync(topic, PAYLOAD, { qos: 1 })
  }

  /** Some brokers answer it, some hang up: what counts is that it does not arrive. */
  async sayInVain(topic: string): Promise<void> {
    const answered = this.say(topic).catch(() => undefined)
    await Promise.race([answered, closed(this.#client)])
  }
}

function closed(client: MqttClient): Promise<void> {
  return new Promise((resolve) => client.once('close', () => resolve()))
}

/** NATS refuses a client id for a second after two clients had it at once. */
async function connectedSoon(cluster: RuledCluster, user: string): Promise<MqttClient> {
  for (const deadline = performance.now() + PATIENCE_MS; ;) {
    try {
      return await connected(cluster, user)
    } catch (error) {
      if (performance.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}

let tools = 0

async function connected({ written, url }: RuledCluster, user: string | null): Promise<MqttClient> {
  const isNode = user !== null && user !== PERSON
  tools += 1
  const client = connect(url, {
    ...(user !== null && { username: user, password: passwordOf(written, user) }),
    clientId: isNode ? `${clientIdOf(written.fleet, user as NodeId)}-json` : `tool-${tools}`,
    protocolVersion: 4,
    reconnectPeriod: 0,
    connectTimeout: 30_000,
  })
  client.on('error', () => undefined)
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve())
    client.once('close', () => reject(new Error(`${user ?? 'a stranger'} is not let in`)))
  })
  return client
}

function passwordOf({ directory }: WrittenBroker, user: string): string {
  return readFileSync(join(directory, 'passwords', user), 'utf8').trimEnd()
}

function assertSeen({ seen }: Tool, expected: readonly string[], what: string, below = ''): void {
  const wanted = seen.filter((topic) => topic.startsWith(below)).toSorted()
  if (wanted.join(' ') !== expected.toSorted().join(' ')) throw new Error(`${what}: ${wanted.join(' ')}`)
}
