import assert from 'node:assert/strict'
import net, { connect as dial, createServer, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import tls from 'node:tls'
import { connect, type MqttClient } from 'mqtt'
import type { NodeId } from '../../runtime/base/ids.ts'
import { CONNECT_ADDRESS_TIMEOUT_MS, MIRROR_PAYLOAD_BYTES_MAX } from '../../runtime/base/limits.ts'
import { silentLogger } from '../../runtime/base/logger.ts'
import type { Link } from '../../runtime/links/link.ts'
import { startEmbeddedBroker, type EmbeddedBroker } from '../../runtime/links/mqtt/embedded-broker.ts'
import type { MqttLinkOptions } from '../../runtime/links/mqtt/options.ts'
import { PATIENCE_MS, SteppedClock, until } from './clocks.ts'
import { acceptLink, ALICE, BOB, CAROL, patterned } from './link-acceptance.ts'
import { freePort } from './mosquitto.ts'
import { embeddedHarness, FLEET, keepingLogger, testLink } from './mqtt-fixture.ts'
import { protocolLevel, startTcpProxy, type TcpProxy } from './tcp-proxy.ts'
import { lastPresence, Witness } from './witness.ts'

acceptLink('MQTT over the embedded broker', embeddedHarness)

describe('an MQTT link over the embedded broker', () => {
  test('falls back to MQTT 3.1.1 at once, and remembers it for the next connection', async () => {
    await withBroker(async ({ open, proxied }) => {
      const levels: (number | undefined)[] = []
      const proxy = await proxied((first) => {
        levels.push(protocolLevel(first))
        return true
      })
      const { witness, link } = open(ALICE, { servers: [`mqtt://127.0.0.1:${proxy.port}`] })
      await until(() => witness.ups === 1, 'alice is up')
      assert.deepEqual(levels, [5, 4])
      assert.deepEqual(witness.causes, [], 'the attempt with MQTT 5 is no outage')
      await link.close()
      link.open(witness)
      await until(() => witness.ups === 2, 'alice is up again')
      assert.deepEqual(levels, [5, 4, 4])
      await link.close()
    })
  })

  test('falls back to MQTT 3.1.1 when a broker never answers MQTT 5', async () => {
    await withBroker(async ({ open, proxied }) => {
      const levels: (number | undefined)[] = []
      const proxy = await proxied((first) => {
        levels.push(protocolLevel(first))
        return protocolLevel(first) === 4
      })
      const clock = new SteppedClock()
      const { witness, link } = open(ALICE, { servers: [`mqtt://127.0.0.1:${proxy.port}`], clock })
      await until(() => levels.length === 1, 'the broker has heard MQTT 5')
      clock.step()
      await until(() => witness.ups === 1, 'alice is up')
      assert.deepEqual(witness.told, ['up'])
      await link.close()
    })
  })

  test('without any broker it is down with a clear cause, and keeps trying until there is one', async (t) => {
    const port = await freePort()
    const link = testLink(ALICE, port)
    t.after(() => link.close())
    const witness = new Witness()
    link.open(witness)
    await until(() => witness.causes.length > 0, 'alice is down')
    assert.deepEqual(witness.causes, [
      `mqtt://127.0.0.1:${port} refused the connection: start the broker there, or correct the address`,
    ])
    assert.equal(link.status().cause, witness.causes[0])
    assert.equal(link.status().peer, `mqtt://127.0.0.1:${port}`)
    const broker = await startEmbeddedBroker({ host: '127.0.0.1', port, logger: silentLogger })
    t.after(() => broker.close())
    await until(() => witness.ups === 1, 'alice is up')
    assert.equal(link.status().cause, null)
    assert.equal(witness.causes.length, 1, 'one outage is told once')
  })

  test('gives each address of a name the time of a slow line, and no other socket of the process', async (t) => {
    const before = net.getDefaultAutoSelectFamilyAttemptTimeout()
    const given: number[] = []
    const note = (): net.Socket => {
      given.push(net.getDefaultAutoSelectFamilyAttemptTimeout())
      return new net.Socket()
    }
    t.mock.method(net, 'createConnection', note)
    t.mock.method(tls, 'connect', note as never)
    for (const server of ['mqtt://localhost:1', 'mqtts://localhost:1']) {
      const link = testLink(ALICE, 1, { servers: [server] })
      link.open(new Witness())
      await link.close()
    }
    assert.deepEqual(given, [CONNECT_ADDRESS_TIMEOUT_MS, CONNECT_ADDRESS_TIMEOUT_MS])
    assert.equal(net.getDefaultAutoSelectFamilyAttemptTimeout(), before)
  })

  test('tries its servers in turn', async () => {
    await withBroker(async ({ broker, open }) => {
      const dead = [await freePort(), await freePort()].map((port) => `mqtt://127.0.0.1:${port}`)
      const servers = [...dead, `mqtt://127.0.0.1:${broker.port}`]
      for (const node of ['0000000000000000', '0000000000000001', '0000000000000002'] as NodeId[]) {
        const { witness, link } = open(node, { servers })
        await until(() => witness.ups === 1, `${node} is up`)
        assert.equal(link.status().peer, `mqtt://127.0.0.1:${broker.port}`)
        await link.close()
      }
    })
  })

  test('a broker that accepts and says nothing is a timeout, and one that hangs up is closed', async (t) => {
    let heard = 0
    const silent = await listening((socket) => socket.once('data', () => (heard += 1)))
    const rude = await listening((socket) => socket.destroy())
    t.after(() => Promise.all([silent.end(), rude.end()]))
    const clock = new SteppedClock()
    for (const [server, cause] of [
      [silent, /did not answer in time \(no CONNACK\)/],
      [rude, /closed the connection/],
    ] as const) {
      const witness = new Witness()
      const link = testLink(ALICE, server.port, { clock })
      t.after(() => link.close())
      link.open(witness)
      // With MQTT 5, then with 3.1.1.
      for (const attempt of server === silent ? [1, 2] : []) {
        await until(() => heard === attempt, 'the broker has heard alice')
        clock.step()
      }
      await until(() => witness.causes.length > 0, 'alice is down')
      assert.match(witness.causes[0] ?? '', cause)
      await link.close()
    }
  })

  test('something else than a broker on the port is said to be that', async (t) => {
    const web = await listening((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const witness = new Witness()
    const link = testLink(ALICE, web.port)
    t.after(() => link.close().then(() => web.end()))
    link.open(witness)
    await until(() => witness.causes.length > 0, 'alice is down')
    assert.match(witness.causes[0] ?? '', /did not keep to MQTT/)
  })

  test('a half-open connection is noticed by the keep-alive', async () => {
    await withBroker(async ({ open, proxied }) => {
      const proxy = await proxied()
      const { witness, link } = open(ALICE, {
        servers: [`mqtt://127.0.0.1:${proxy.port}`],
        timing: { keepaliveS: 1 },
      })
      await until(() => witness.ups === 1, 'alice is up')
      proxy.freeze()
      await until(() => witness.causes.length > 0, 'alice notices')
      assert.match(witness.causes[0] ?? '', /did not answer in time/)
      await link.close()
    })
  })

  test('the last will tells the others when a node dies without a word', async () => {
    await withBroker(async ({ open, proxied }) => {
      const proxy = await proxied()
      const bob = open(BOB)
      const alice = open(ALICE, { servers: [`mqtt://127.0.0.1:${proxy.port}`] })
      await until(() => lastPresence(bob.witness, ALICE) === 'online', 'bob sees alice')
      proxy.sever()
      await until(() => lastPresence(bob.witness, ALICE) === 'offline', 'bob sees alice die')
      const carol = open(CAROL)
      await until(() => lastPresence(carol.witness, ALICE) === 'offline', 'carol, who came later, is told as well')
      assert.equal(lastPresence(carol.witness, BOB), 'online')
      for (const { link } of [alice, bob, carol]) await link.close()
    })
  })

  test('a will of an earlier start is ignored, and its node takes the retained place back from whoever took it', async () => {
    await withBroker(async ({ broker, open }) => {
      const alice = open(ALICE, { startCount: 7 })
      const bob = open(BOB)
      await until(() => lastPresence(bob.witness, ALICE) === 'online', 'bob sees alice')
      const tool = await bareClient(broker.port)
      const topic = `fleet/${FLEET}/n/${ALICE}/st`
      const seen: string[] = []
      tool.on('message', (_topic, payload) => seen.push(payload.toString()))
      await tool.subscribeAsync(topic)
      await tool.publishAsync(topic, 'offline 6', { retain: true, qos: 1 })
      await until(() => seen.at(-1) === 'online 7' && seen.length === 3, 'alice says again that she is there')
      assert.deepEqual(seen, ['online 7', 'offline 6', 'online 7'])
      assert.deepEqual(
        bob.witness.told.filter((line) => line.startsWith(ALICE)),
        [`${ALICE} online`],
      )
      for (const foreign of ['', 'left over', 'offline 5']) {
        await tool.publishAsync(topic, foreign, { retain: true, qos: 1 })
        await until(() => seen.at(-2) === foreign && seen.at(-1) === 'online 7', `after ${JSON.stringify(foreign)}`)
      }
      await alice.link.close()
      await until(() => seen.at(-1) === 'offline 7', 'alice says goodbye')
      await bob.link.close()
    })
  })

  test('a node that has lost its data goes on from the start that others know, with its will, and once', async () => {
    await withBroker(async ({ broker, open, proxied }) => {
      const bob = open(BOB)
      const before = open(ALICE, { startCount: 7 })
      await until(() => lastPresence(bob.witness, ALICE) === 'online', 'bob sees alice')
      await before.link.close()
      await until(() => lastPresence(bob.witness, ALICE) === 'offline', 'bob sees alice go')
      const proxy = await proxied()
      const alice = open(ALICE, { startCount: 1, servers: [`mqtt://127.0.0.1:${proxy.port}`] })
      await until(() => lastPresence(bob.witness, ALICE) === 'online', 'bob sees alice again')
      assert.equal(alice.witness.causes.length, 1)
      assert.match(alice.witness.causes[0] ?? '', /knows a later start of this node/)
      const tool = await bareClient(broker.port)
      const seen: string[] = []
      tool.on('message', (_topic, payload) => seen.push(payload.toString()))
      const topic = `fleet/${FLEET}/n/${ALICE}/st`
      await tool.subscribeAsync(topic)
      for (const foreign of ['offline 7', 'offline 900']) {
        await tool.publishAsync(topic, foreign, { retain: true, qos: 1 })
        await until(() => seen.includes(foreign) && seen.at(-1) === 'online 8', `alice answers ${foreign}`)
      }
      assert.equal(alice.witness.causes.length, 1, 'a stranger does not make her connect again')
      await alice.link.close()
      await bob.link.close()
    })
  })

  test('the will of a node that has lost its data tells of its death', async () => {
    await withBroker(async ({ open, proxied }) => {
      const bob = open(BOB)
      const before = open(ALICE, { startCount: 7 })
      await until(() => lastPresence(bob.witness, ALICE) === 'online', 'bob sees alice')
      await before.link.close()
      await until(() => lastPresence(bob.witness, ALICE) === 'offline', 'bob sees alice go')
      const proxy = await proxied()
      const alice = open(ALICE, { startCount: 1, servers: [`mqtt://127.0.0.1:${proxy.port}`] })
      await until(() => lastPresence(bob.witness, ALICE) === 'online', 'bob sees alice again')
      proxy.sever()
      await until(() => lastPresence(bob.witness, ALICE) === 'offline', 'bob sees alice die')
      await alice.link.close()
      await bob.link.close()
    })
  })

  test('presence is told again after an outage, since it is void meanwhile', async () => {
    await withBroker(async ({ open, proxied }) => {
      const proxy = await proxied()
      const servers = [`mqtt://127.0.0.1:${proxy.port}`]
      const [alice, bob] = [open(ALICE, { servers }), open(BOB)]
      await until(() => lastPresence(alice.witness, BOB) === 'online', 'alice sees bob')
      proxy.sever()
      await until(() => alice.witness.causes.length === 1, 'alice is down')
      const before = alice.witness.told.length
      proxy.mend()
      await until(() => alice.witness.told.slice(before).includes(`${BOB} online`), 'alice is told again')
      await bob.link.close()
    })
  })

  test('what strangers publish is dropped, counted, and harms nobody', async () => {
    await withBroker(async ({ broker, open }) => {
      const { witness, link } = open(ALICE)
      await until(() => witness.ups === 1, 'alice is up')
      const tool = await bareClient(broker.port)
      const root = `fleet/${FLEET}`
      await tool.publishAsync(`${root}/op/somebody`, 'x', { qos: 1 })
      await tool.publishAsync(`${root}/op/${BOB}`, '', { qos: 1 })
      await tool.publishAsync(`${root}/n/${BOB}/st`, 'perhaps', { qos: 1 })
      await tool.publishAsync(`${root}/n/${BOB}/st`, '', { qos: 1 })
      await tool.publishAsync(`${root}/op/${ALICE}`, 'echo', { qos: 1 })
      await tool.publishAsync(`${root}/op/${BOB}`, 'frame', { qos: 1 })
      await until(() => witness.frames.length === 1, 'alice has the one good frame')
      assert.equal(Buffer.from(witness.frames[0] ?? []).toString(), 'frame')
      assert.deepEqual(link.status().counters.dropped, { 'foreign-topic': 1, empty: 1, 'foreign-payload': 1 })
      await link.close()
    })
  })

  test('close ends when the broker has stopped answering', { timeout: PATIENCE_MS }, async () => {
    await withBroker(async ({ open, proxied }) => {
      const proxy = await proxied()
      const { witness, link } = open(ALICE, {
        servers: [`mqtt://127.0.0.1:${proxy.port}`],
        timing: { goodbyeTimeoutMs: 100 },
      })
      await until(() => witness.ups === 1, 'alice is up')
      proxy.freeze()
      for (let index = 0; index < 100; index += 1) link.send(patterned(index, 100), { kind: 'operations' })
      await link.close()
      assert.equal(link.status().state, 'closed')
    })
  })

  test('control goes before bulk when the link has to choose', async () => {
    await withBroker(async ({ open }) => {
      const [alice, bob] = [open(ALICE), open(BOB)]
      await until(() => alice.witness.ups + bob.witness.ups === 2, 'both are up')
      let bulk = 0
      while (alice.link.send(patterned(1, 50), { kind: 'operations' })) bulk += 1
      assert.equal(alice.link.send(patterned(2, 50), { kind: 'announcements' }), true, 'a place is kept for control')
      await until(() => bob.witness.frames.length === bulk + 1, 'bob has all')
      const place = bob.witness.frames.findIndex((frame) => frame[0] === 2)
      assert.ok(place < bulk / 2, `the announcement came as number ${place} of ${bulk}`)
      await alice.link.close()
      await bob.link.close()
    })
  })

  test('says in one clear line what is wrong with its options, without the password', () => {
    const bad = (options: Partial<MqttLinkOptions>, expected: RegExp): void => {
      assert.throws(
        () => testLink(ALICE, 1, options),
        (error: unknown) => {
          assert.ok(error instanceof Error)
          assert.equal('code' in error && error.code, 'config-invalid')
          assert.match(error.message, expected)
          assert.doesNotMatch(error.message, /secret|\n/)
          return true
        },
      )
    }
    bad({ servers: [] }, /at least one/)
    bad({ servers: ['http://user:secret@host'] }, /mqtt:\/\/host:1883/)
    bad({ servers: ['not a url'] }, /no URL of a broker/)
    bad({ fleet: 'a/b' }, /cannot be part of an MQTT topic/)
    bad({ fleet: '+' }, /cannot be part of an MQTT topic/)
    bad({ tls: { cert: Buffer.from('x') } }, /both cert and key/)
    bad({ tls: { ca: Buffer.from('x') } }, /mqtts:\/\//)
    const link = testLink(ALICE, 1, { servers: ['mqtt://user:secret@host:1234'] })
    assert.equal(link.status().peer, 'mqtt://host:1234')
  })
})

describe('the embedded broker', () => {
  test('says in one clear line that its port is in use', async () => {
    const port = await freePort()
    const first = await startEmbeddedBroker({ host: '127.0.0.1', port, logger: silentLogger })
    await assert.rejects(startEmbeddedBroker({ host: '127.0.0.1', port, logger: silentLogger }), {
      code: 'port-in-use',
      message: `the embedded broker cannot listen on 127.0.0.1:${port}, which another program uses: stop that one, or choose another port`,
    })
    await first.close()
    await first.close()
    const again = await startEmbeddedBroker({ host: '127.0.0.1', port, logger: silentLogger })
    await again.close()
  })

  test('refuses an address that is not of this machine', async () => {
    await assert.rejects(startEmbeddedBroker({ host: '192.0.2.1', port: 0, logger: silentLogger }), {
      code: 'config-invalid',
      message: /choose an address of this machine/,
    })
  })

  test('lives on when a client talks nonsense, sends too much, or never says anything', async () => {
    await withBroker(async ({ broker, open, log }) => {
      const nonsense = dial({ host: '127.0.0.1', port: broker.port })
      nonsense.on('error', () => {})
      nonsense.write(Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 1, 2, 3]))
      const mute = dial({ host: '127.0.0.1', port: broker.port })
      mute.on('error', () => {})
      const greedy = await bareClient(broker.port)
      let thrownOut = false
      greedy.on('close', () => (thrownOut = true))
      greedy.publish('anything', Buffer.alloc(MIRROR_PAYLOAD_BYTES_MAX + 1), { qos: 0 })
      await until(() => thrownOut, 'the greedy client is thrown out')
      assert.ok(
        log.some((line) => /at most 262144 are taken/.test(line)),
        'the log says why',
      )
      await until(() => log.some((line) => /new connection/.test(line)), 'the nonsense is logged')
      const { witness, link } = open(ALICE)
      await until(() => witness.ups === 1, 'others are served')
      await link.close()
      nonsense.destroy()
    })
  })

  test('close does not wait for a client that has never said anything', { timeout: PATIENCE_MS }, async () => {
    await withBroker(async ({ broker, log }) => {
      const mute = dial({ host: '127.0.0.1', port: broker.port })
      let gone = false
      mute.on('close', () => (gone = true)).on('error', () => {})
      await new Promise((resolve) => mute.once('connect', resolve))
      await broker.close()
      await until(() => gone, 'the mute client is disconnected')
      assert.deepEqual(
        log.filter((line) => !line.includes('listens')),
        [],
      )
    })
  })

  test('keeps no session, so that nothing grows for those who are away', async () => {
    await withBroker(async ({ broker }) => {
      for (const round of [1, 2]) {
        const client = connect(`mqtt://127.0.0.1:${broker.port}`, {
          clientId: 'stays',
          clean: false,
          reconnectPeriod: 0,
          resubscribe: false,
        })
        const present = await new Promise((resolve) =>
          client.once('connect', (packet) => resolve(packet.sessionPresent)),
        )
        assert.equal(present, false, `round ${round}`)
        await client.subscribeAsync('x/#', { qos: 1 })
        await client.endAsync()
      }
    })
  })
})

interface Stage {
  readonly broker: EmbeddedBroker
  readonly log: readonly string[]
  open(node: NodeId, options?: Partial<MqttLinkOptions>): { readonly link: Link; readonly witness: Witness }
  /** A way to the broker that can be broken; `admit` as in `startTcpProxy`. */
  proxied(admit?: (first: Buffer) => boolean): Promise<TcpProxy>
}

async function withBroker(body: (stage: Stage) => Promise<void>): Promise<void> {
  const log: string[] = []
  const broker = await startEmbeddedBroker({ host: '127.0.0.1', port: 0, logger: keepingLogger(log) })
  const links: Link[] = []
  const proxies: TcpProxy[] = []
  const proxied = async (admit?: (first: Buffer) => boolean): Promise<TcpProxy> => {
    const proxy = await startTcpProxy(broker.port, admit)
    proxies.push(proxy)
    return proxy
  }
  const open = (node: NodeId, options: Partial<MqttLinkOptions> = {}): { link: Link; witness: Witness } => {
    const link = testLink(node, broker.port, options)
    const witness = new Witness()
    links.push(link)
    link.open(witness)
    return { link, witness }
  }
  try {
    await body({ broker, open, proxied, log })
  } finally {
    for (const link of links) await link.close()
    for (const proxy of proxies) await proxy.end()
    for (const tool of tools.splice(0)) await tool.endAsync(true)
    await broker.close()
  }
}

/** Ended with the stage. */
const tools: MqttClient[] = []

async function bareClient(port: number): Promise<MqttClient> {
  const client = connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0 })
  tools.push(client)
  await new Promise((resolve) => client.once('connect', resolve))
  return client
}

async function listening(onSocket: (socket: Socket) => void): Promise<{ readonly port: number; end(): Promise<void> }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    onSocket(socket)
  })
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    end() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
