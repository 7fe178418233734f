import assert from 'node:assert/strict'
import { connect as dial, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { connect, type MqttClient } from 'mqtt'
import {
  BROKER_CONNECT_BYTES_MAX,
  BROKER_RETAINED_BYTES_MAX,
  BROKER_RETAINED_OVERHEAD_BYTES,
  BROKER_RETAINED_TOPICS_PER_LOOK,
  BROKER_SUBSCRIPTIONS_MAX,
  BROKER_UNFINISHED_BYTES_MAX,
  CLIENT_SUBSCRIPTIONS_MAX,
  MIRROR_PAYLOAD_BYTES_MAX,
  STRANGER_LINES_INTERVAL_MS,
  STRANGER_LINES_MAX,
} from '../../runtime/base/limits.ts'
import { startEmbeddedBroker } from '../../runtime/links/mqtt/embedded-broker.ts'
import { type RetainedMessage, RetainedMessages } from '../../runtime/links/mqtt/embedded/retained-messages.ts'
import { SubscriptionBudget } from '../../runtime/links/mqtt/embedded/subscription-budget.ts'
import { PacketLengths } from '../../runtime/links/mqtt/packet-lengths.ts'
import { RareLines, shownName } from '../../runtime/links/rare-lines.ts'
import { realClock, until } from './clocks.ts'
import { keepingLogger } from './mqtt-fixture.ts'

/** Clients that nobody knows, and what they may cost the gateway that is the broker. */
describe('the embedded broker among strangers', () => {
  test('ends a connection whose packet states more than any message takes, before it comes', async () => {
    await withBroker(async ({ raw, log }) => {
      const greedy = await raw()
      greedy.write(CONNECT)
      greedy.write(Buffer.from([PUBLISH, 0xff, 0xff, 0xff, 0x7f]))
      await ended(greedy)
      assert.ok(log.some((line) => line.includes('a packet of more than')))
    })
  })

  test('takes a CONNECT of some kilobytes only', async () => {
    await withBroker(async ({ raw, client }) => {
      const stranger = await raw()
      stranger.write(Buffer.from([CONNECT_HEAD, ...lengthOf(BROKER_CONNECT_BYTES_MAX + 1)]))
      await ended(stranger)
      const will = {
        topic: 'gone',
        payload: Buffer.alloc(BROKER_CONNECT_BYTES_MAX - 100),
        qos: 0 as const,
        retain: false,
      }
      await client({ will })
    })
  })

  test('ends whoever has not finished a packet for longest when all together have begun too much', async () => {
    await withBroker(async ({ raw, client }) => {
      const each = MIRROR_PAYLOAD_BYTES_MAX
      const begun: Socket[] = []
      for (let bytes = 0; bytes <= BROKER_UNFINISHED_BYTES_MAX; bytes += each) {
        const socket = await raw()
        begun.push(socket)
        socket.write(connectOf(`c${begun.length}`))
        await new Promise((resolve) => socket.once('data', resolve))
        // All but the last hundred bytes.
        socket.write(
          Buffer.concat([Buffer.from([PUBLISH, ...lengthOf(each + 1), 0, 1, 0x61]), Buffer.alloc(each - 102)]),
        )
      }
      await until(() => begun.some(({ destroyed }) => destroyed), 'one is ended')
      assert.deepEqual(
        begun.map(({ destroyed }) => destroyed),
        begun.map((_socket, index) => index === 0),
      )
      const heard = await client()
      const messages = messagesOf(heard)
      await heard.subscribeAsync('a')
      begun[1]!.write(Buffer.alloc(100))
      await until(() => messages.length === 1, 'what has come whole is passed on')
    })
  })

  test('passes on what a mirror may publish, which is more than a frame', async () => {
    await withBroker(async ({ client }) => {
      const tool = await client()
      const messages = messagesOf(tool)
      await tool.subscribeAsync('s')
      await tool.publishAsync('s', Buffer.alloc(MIRROR_PAYLOAD_BYTES_MAX), { qos: 1, retain: true })
      await until(() => messages.length === 1, 'it comes back')
    })
  })

  test('counts what stands around a retained message too', async () => {
    await withBroker(async ({ client, log }) => {
      const stranger = await client()
      const messages = BROKER_RETAINED_BYTES_MAX / BROKER_RETAINED_OVERHEAD_BYTES
      for (let index = 0; index < messages && stranger.connected; index += 1) {
        stranger.publish(String(index), 'x', { qos: 0, retain: true })
        if (index % 2000 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await until(() => !stranger.connected, 'it is thrown out')
      assert.ok(log.some((line) => line.includes('too much is retained already')))
    })
  })

  test('sends what is retained in one go with what happens, each once, with the lower QoS of the two', async () => {
    await withBroker(async ({ client }) => {
      const author = await client()
      for (const index of [1, 2, 3]) await author.publishAsync(`r/${index}`, String(index), { qos: 1, retain: true })
      const reader = await client()
      const got: string[] = []
      reader.on('message', (topic, payload, { qos, retain }) =>
        got.push(`${topic} ${payload.toString()} ${qos} ${retain ? 'retained' : 'now'}`),
      )
      await reader.subscribeAsync('r/+', { qos: 0 })
      await until(() => got.length === 3, 'all three come')
      await author.publishAsync('r/2', 'x', { qos: 1, retain: true })
      await until(() => got.length === 4, 'and what happens after')
      assert.deepEqual(got.sort(), ['r/1 1 0 retained', 'r/2 2 0 retained', 'r/2 x 0 now', 'r/3 3 0 retained'])
    })
  })

  test('keeps nothing but the number of a message with QoS 2 that is not released, and passes it on once', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    await withBroker(async ({ raw, client }) => {
      const reader = await client()
      const messages = messagesOf(reader)
      await reader.subscribeAsync('q')
      const stranger = await raw()
      let answers = 0
      stranger.on('data', (chunk) => (answers += chunk.length / 4))
      stranger.write(CONNECT)
      await until(() => answers === 1, 'it is let in')
      const count = 256
      const payload = Buffer.alloc(60_000)
      collect()
      const before = process.memoryUsage().arrayBuffers
      for (let number = 1; number <= count; number += 1) {
        stranger.write(publishQos2('x', number, payload))
        await until(() => answers === 1 + number, 'it is answered')
      }
      const isSmall = (): boolean => {
        collect()
        return process.memoryUsage().arrayBuffers - before < (count * payload.length) / 3
      }
      await until(isSmall, 'what was passed on is let go')
      const first = publishQos2('q', 1000, Buffer.from('once'))
      stranger.write(first)
      stranger.write(first)
      await until(() => answers === 3 + count, 'both are answered')
      await reader.publishAsync('q', 'last', { qos: 1 })
      await until(() => messages.at(-1) === 'last', 'what came after is there')
      assert.deepEqual(messages, ['once', 'last'])
    })
  })

  test('bounds the subscriptions of a client, and takes others for those that it gives up', async () => {
    await withBroker(async ({ client, log }) => {
      const tool = await client()
      const filters = Array.from({ length: CLIENT_SUBSCRIPTIONS_MAX }, (_value, index) => `f/${index}`)
      await tool.subscribeAsync(filters)
      await tool.subscribeAsync(filters.slice(0, 10))
      await tool.unsubscribeAsync('f/0')
      await tool.subscribeAsync('another')
      assert.ok(tool.connected)
      tool.subscribe('one/more')
      await until(() => !tool.connected, 'it is thrown out')
      assert.ok(log.some((line) => line.includes(`at most ${CLIENT_SUBSCRIPTIONS_MAX} subscriptions`)))
      const again = await client()
      await again.subscribeAsync(filters)
    })
  })

  test('writes few lines of what strangers do, and short ones', async () => {
    await withBroker(async ({ raw, log }) => {
      for (let index = 0; index < 2 * STRANGER_LINES_MAX; index += 1) {
        const stranger = await raw()
        stranger.write(connectOf('n'.repeat(4000)))
        await new Promise((resolve) => stranger.once('data', resolve))
        stranger.write(Buffer.from([PUBLISH, 4, 0, 1, 0x24, 1]))
        await ended(stranger)
      }
      const lines = log.filter((line) => line.includes('begin with $'))
      assert.equal(lines.length, STRANGER_LINES_MAX)
      for (const line of lines) assert.ok(line.length < 200, line)
    })
  })
})

test('lines of strangers are counted where they are left out, and come again in the next interval', () => {
  let now = 0
  const lines: string[] = []
  const rare = new RareLines(
    (line) => lines.push(line),
    () => now,
  )
  for (let index = 0; index < STRANGER_LINES_MAX + 5; index += 1) rare.say(`line ${index}`)
  assert.equal(lines.length, STRANGER_LINES_MAX)
  now = STRANGER_LINES_INTERVAL_MS
  rare.say('another')
  assert.deepEqual(lines.slice(STRANGER_LINES_MAX), ['5 more lines as those before were left out', 'another'])
  assert.equal(shownName(`a\n\u001b[31m${'b'.repeat(100)}`), `a??[31m${'b'.repeat(73)}…`)
})

test('many topics are compared with a filter some at a time, and others have their turn between', async () => {
  let pauses = 0
  const messages = new RetainedMessages(() => {
    pauses += 1
    return Promise.resolve()
  })
  const topics = 5 * BROKER_RETAINED_TOPICS_PER_LOOK
  for (let index = 0; index < topics; index += 1) messages.keep(retained(`t/${index}`, 'x'))
  const filters = 20
  const found: string[] = []
  const reader = {
    isGone: false,
    publish: (message: RetainedMessage, sent: () => void): void => {
      found.push(message.topic)
      sent()
    },
  }
  await Promise.all(Array.from({ length: filters }, () => messages.send({ topic: '+/17', qos: 0 }, reader)))
  assert.equal(found.length, filters)
  assert.ok(pauses >= filters * 5, `${pauses} pauses`)
})

test('filters match what they match in MQTT', async () => {
  const messages = new RetainedMessages(() => Promise.resolve())
  for (const topic of ['a', 'a/', 'a/b', 'a/b/c', '/a', '/', 'ab']) messages.keep(retained(topic, 'x'))
  const foundBy = async (topic: string): Promise<string[]> => {
    const found: string[] = []
    const publish = (message: RetainedMessage, sent: () => void): void => {
      found.push(message.topic)
      sent()
    }
    await messages.send({ topic, qos: 0 }, { isGone: false, publish })
    return found
  }
  assert.deepEqual(await foundBy('#'), ['a', 'a/', 'a/b', 'a/b/c', '/a', '/', 'ab'])
  assert.deepEqual(await foundBy('a/#'), ['a', 'a/', 'a/b', 'a/b/c'])
  assert.deepEqual(await foundBy('+'), ['a', 'ab'])
  assert.deepEqual(await foundBy('a/+'), ['a/', 'a/b'])
  assert.deepEqual(await foundBy('+/+'), ['a/', 'a/b', '/a', '/'])
  assert.deepEqual(await foundBy('+/b/#'), ['a/b', 'a/b/c'])
  assert.deepEqual(await foundBy('a/b'), ['a/b'])
  messages.keep(retained('a/b', ''))
  assert.deepEqual(await foundBy('a/b'), [])
})

test('all clients together have a bound of subscriptions, and who goes gives his back', () => {
  const budget = new SubscriptionBudget<object>()
  const clients = Array.from({ length: BROKER_SUBSCRIPTIONS_MAX / CLIENT_SUBSCRIPTIONS_MAX }, () => ({}))
  for (const client of clients)
    for (let index = 0; index < CLIENT_SUBSCRIPTIONS_MAX; index += 1) assert.equal(budget.add(client, `${index}`), null)
  assert.match(budget.add({}, 'one') ?? '', /all clients have at most/)
  budget.forget(clients[0]!)
  assert.equal(budget.add({}, 'one'), null)
  assert.match(budget.add({}, 'x'.repeat(2000)) ?? '', /a filter has at most/)
})

test('lengths of packets are followed through any cut', () => {
  const stream = Buffer.concat([
    Buffer.from([0x30, 0x80, 0x01]),
    Buffer.alloc(128),
    Buffer.from([0xc0, 0, 0xc0, 0, 0x30, 2, 1]),
  ])
  for (let cut = 0; cut <= stream.length; cut += 1) {
    const lengths = new PacketLengths(128)
    assert.ok(lengths.take(stream.subarray(0, cut)) && lengths.take(stream.subarray(cut)), `cut at ${cut}`)
    assert.equal(lengths.packets, 3)
    assert.equal(lengths.unfinishedBytes, 3)
  }
  assert.equal(new PacketLengths(127).take(stream.subarray(0, 3)), false)
  assert.equal(new PacketLengths(Infinity).take(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 1])), false)
})

interface Stage {
  readonly log: readonly string[]
  /** A connection that has said nothing. */
  raw(): Promise<Socket>
  client(options?: Parameters<typeof connect>[1]): Promise<MqttClient>
}

async function withBroker(body: (stage: Stage) => Promise<void>): Promise<void> {
  const log: string[] = []
  const broker = await startEmbeddedBroker({ host: '127.0.0.1', port: 0, logger: keepingLogger(log), clock: realClock })
  const sockets: Socket[] = []
  const clients: MqttClient[] = []
  try {
    await body({
      log,
      raw: async () => {
        const socket = dial({ host: '127.0.0.1', port: broker.port })
        socket.on('error', () => {})
        sockets.push(socket)
        await new Promise((resolve) => socket.once('connect', resolve))
        return socket
      },
      client: async (options) => {
        const client = connect(`mqtt://127.0.0.1:${broker.port}`, { reconnectPeriod: 0, ...options })
        client.on('error', () => {})
        clients.push(client)
        await new Promise((resolve) => client.once('connect', resolve))
        return client
      },
    })
  } finally {
    for (const client of clients) await client.endAsync(true)
    for (const socket of sockets) socket.destroy()
    await broker.close()
  }
}

async function ended(socket: Socket): Promise<void> {
  socket.resume()
  await until(() => socket.destroyed, 'the connection is ended')
}

function messagesOf(client: MqttClient): string[] {
  const messages: string[] = []
  client.on('message', (_topic, payload) => messages.push(payload.toString('latin1')))
  return messages
}

function retained(topic: string, text: string): RetainedMessage {
  return { topic, payload: Buffer.from(text), qos: 0 }
}

const CONNECT_HEAD = 0x10
const PUBLISH = 0x30

/** A clean session of MQTT 3.1.1 without a keep-alive. */
function connectOf(clientId: string): Buffer {
  const id = Buffer.from(clientId)
  const body = Buffer.concat([
    Buffer.from([0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, id.length >> 8, id.length & 0xff]),
    id,
  ])
  return Buffer.concat([Buffer.from([CONNECT_HEAD, ...lengthOf(body.length)]), body])
}

const CONNECT = connectOf('stranger')

function publishQos2(topic: string, number: number, payload: Buffer): Buffer {
  const head = Buffer.from([0, topic.length, ...Buffer.from(topic), number >> 8, number & 0xff])
  return Buffer.concat([Buffer.from([PUBLISH | 4, ...lengthOf(head.length + payload.length)]), head, payload])
}

function lengthOf(bytes: number): number[] {
  const digits: number[] = []
  let rest = bytes
  for (; rest >= 0x80; rest >>>= 7) digits.push((rest & 0x7f) | 0x80)
  return [...digits, rest]
}
