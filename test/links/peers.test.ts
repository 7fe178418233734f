import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { connect } from 'mqtt'
import type { NodeId } from '../../runtime/base/ids.ts'
import { PEERS_MAX } from '../../runtime/base/limits.ts'
import { silentLogger } from '../../runtime/base/logger.ts'
import type { Link } from '../../runtime/links/link.ts'
import { startEmbeddedBroker } from '../../runtime/links/mqtt/embedded-broker.ts'
import { formatWhereabouts, parseAddress, parseWhereabouts } from '../../runtime/links/mqtt/peers/addresses.ts'
import { PeerMesh } from '../../runtime/links/mqtt/peers/peer-mesh.ts'
import type { PeersLinkOptions } from '../../runtime/links/mqtt/peers/options.ts'
import { until } from './clocks.ts'
import { acceptLink, ALICE, BOB, CAROL, patterned, type LinkHarness } from './link-acceptance.ts'
import { freePort } from './mosquitto.ts'
import { FLEET } from './mqtt-fixture.ts'
import { Book, peerOptions, testPeer } from './peers-fixture.ts'
import { startScriptedPostBox } from './scripted-post-box.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'
import { lastPresence, Witness } from './witness.ts'

const NODES = [ALICE, BOB, CAROL]

acceptLink('peers without a broker', () => peersHarness(NODES))
acceptLink('peers of which one alone listens', () => peersHarness([ALICE]))

/** Links listen here, so that proxies can stand at the addresses at which links see each other. */
const HIDDEN = '127.0.0.3'

/** Everybody reaches every listener through a proxy. */
async function peersHarness(listeners: readonly NodeId[]): Promise<LinkHarness> {
  const ways = new Map<NodeId, { readonly port: number; readonly proxy: TcpProxy }>()
  for (const node of listeners) {
    const port = await freePort()
    ways.set(node, { port, proxy: await startTcpProxy(port, () => true, { port, toHost: HIDDEN }) })
  }
  const proxies = [...ways.values()].map(({ proxy }) => proxy)
  return {
    link(node) {
      const own = ways.get(node)
      const others = [...ways].filter(([other]) => other !== node)
      return testPeer(node, {
        listen: own === undefined ? null : { host: HIDDEN, port: own.port },
        peers: others.map(([, { proxy }]) => `mqtt://127.0.0.1:${proxy.port}`),
      })
    },
    async cut() {
      for (const proxy of proxies) proxy.sever()
    },
    async heal() {
      for (const proxy of proxies) proxy.mend()
    },
    until,
    finish: (call) => call,
    async end() {
      for (const proxy of proxies) await proxy.end()
    },
  }
}

interface Peer {
  readonly link: Link
  readonly witness: Witness
  readonly book: Book
  readonly url: string
}

/** Opened at once, closed after the test. */
async function openPeer(t: TestContext, node: NodeId, options: Partial<PeersLinkOptions> = {}): Promise<Peer> {
  const port = options.listen?.port ?? (await freePort())
  const book = new Book()
  const link = testPeer(node, { listen: { host: '127.0.0.1', port }, book, ...options })
  const witness = new Witness()
  t.after(() => link.close())
  link.open(witness)
  return { link, witness, book, url: `mqtt://127.0.0.1:${port}` }
}

describe('a link without a broker', () => {
  test('meets through one that all know, and each gets one copy of a frame', async (t) => {
    const seed = await openPeer(t, ALICE)
    const others = [BOB, CAROL, 'dddddddddddddddd' as NodeId, 'eeeeeeeeeeeeeeee' as NodeId]
    const all = [seed, ...(await Promise.all(others.map((node) => openPeer(t, node, { peers: [seed.url] }))))]
    await until(() => all.every(({ book }) => book.peers.length === 4), 'each has met each')
    for (const [index, { link }] of all.entries()) link.send(patterned(index, 30), { kind: 'operations' })
    await until(() => all.every(({ witness }) => witness.frames.length >= 4), 'each has the frame of each other')
    for (const { link } of all) link.send(patterned(99, 10), { kind: 'requests' })
    await until(() => all.every(({ witness }) => witness.frames.length >= 8), 'each has the last frame of each other')
    for (const [index, { witness, link }] of all.entries()) {
      const firsts = witness.frames.map((frame) => frame[0]).filter((first) => first !== 99)
      assert.deepEqual(
        firsts.toSorted((left = 0, right = 0) => left - right),
        [0, 1, 2, 3, 4].filter((other) => other !== index),
      )
      assert.equal(link.status().counters.framesSent, 2, 'the sender counts a frame, not its copies')
    }
  })

  test('finds its peers again after a restart, without the one that introduced them', async (t) => {
    const seed = await openPeer(t, ALICE)
    const bob = await openPeer(t, BOB, { peers: [seed.url] })
    const carol = await openPeer(t, CAROL, { peers: [seed.url] })
    await until(() => bob.book.peers.length === 2 && carol.book.peers.length === 2, 'bob and carol know each other')
    await Promise.all([seed, bob, carol].map(({ link }) => link.close()))
    const again = await openPeer(t, BOB, { book: bob.book })
    const witness = new Witness()
    carol.link.open(witness)
    await until(() => lastPresence(witness, BOB) === 'online', 'carol sees bob')
    await until(() => lastPresence(again.witness, CAROL) === 'online', 'bob sees carol')
  })

  test('keeps where it met a peer that is away when it starts again and meets others', async (t) => {
    const seed = await openPeer(t, ALICE)
    const bob = await openPeer(t, BOB, { peers: [seed.url] })
    const carol = await openPeer(t, CAROL, { peers: [seed.url] })
    await until(() => bob.book.peers.length === 2 && carol.book.peers.length === 2, 'bob and carol know each other')
    await Promise.all([seed, bob, carol].map(({ link }) => link.close()))
    // Alice has another address by now, so that she is met as if for the first time.
    const moved = await openPeer(t, ALICE)
    const again = await openPeer(t, BOB, { book: bob.book, peers: [moved.url] })
    await until(() => bob.book.peers.some(({ port }) => moved.url.endsWith(`:${port}`)), 'bob has met alice again')
    assert.deepEqual(
      bob.book.peers.map(({ node }) => node),
      [ALICE, CAROL],
    )
    await Promise.all([moved, again].map(({ link }) => link.close()))
    await openPeer(t, CAROL, { listen: { host: '127.0.0.1', port: Number(new URL(carol.url).port) } })
    const last = await openPeer(t, BOB, { book: bob.book })
    await until(() => lastPresence(last.witness, CAROL) === 'online', 'bob finds carol without anybody else')
  })

  test('a newcomer is told at once what was announced last', async (t) => {
    const alice = await openPeer(t, ALICE)
    await until(() => alice.witness.ups === 1, 'alice is up')
    alice.link.send(patterned(1, 40), { kind: 'announcements' })
    alice.link.send(patterned(2, 40), { kind: 'announcements' })
    for (const [node, listen] of [
      [BOB, null],
      [CAROL, { host: '127.0.0.1', port: 0 }],
    ] as const) {
      const { witness } = await openPeer(t, node, { peers: [alice.url], listen })
      await until(() => witness.frames.length > 0, `${node} is told`)
      assert.deepEqual(witness.frames, [patterned(2, 40)])
    }
  })

  test('hears of a peer again that has lost its data and counts its starts from one', async (t) => {
    const listen = { host: '127.0.0.1', port: await freePort() }
    const before = await openPeer(t, ALICE, { listen, startCount: 7 })
    const bob = await openPeer(t, BOB, { peers: [before.url], listen: null })
    await until(() => lastPresence(bob.witness, ALICE) === 'online', 'bob sees alice')
    await before.link.close()
    await until(() => lastPresence(bob.witness, ALICE) === 'offline', 'bob sees alice go')
    const alice = await openPeer(t, ALICE, { listen, startCount: 1 })
    await until(() => lastPresence(bob.witness, ALICE) === 'online', 'bob sees alice again')
    bob.link.send(patterned(1, 30), { kind: 'operations' })
    await until(() => alice.witness.frames.length > 0, 'alice hears bob')
  })

  test('says in the words of a fleet without a broker why a peer is not reached', async (t) => {
    const url = `mqtt://127.0.0.1:${await freePort()}`
    const { witness } = await openPeer(t, BOB, { peers: [url], listen: null })
    await until(() => witness.causes.length > 0, 'bob is told')
    assert.equal(
      witness.causes[0],
      `no peer is reached, it has met none of them: ${url} refused the connection: start the gateway there, or correct the address`,
    )
  })

  test('says so where a gateway of another fleet is at the address of a peer', async (t) => {
    const other = await openPeer(t, ALICE, { fleet: 'ffffffffffffffff' })
    const { link } = await openPeer(t, BOB, { peers: [other.url], listen: null })
    await until(() => link.status().cause !== null, 'bob says why')
    assert.match(link.status().cause ?? '', /whether it is of this fleet/)
  })

  test('says so where a broker is at the address of a peer', async (t) => {
    const broker = await startEmbeddedBroker({ host: '127.0.0.1', port: 0, logger: silentLogger })
    t.after(() => broker.close())
    const url = `mqtt://127.0.0.1:${broker.port}`
    const { link } = await openPeer(t, BOB, { peers: [url], listen: null })
    await until(() => link.status().cause !== null, 'bob says why')
    assert.equal(
      link.status().cause,
      `no peer is reached, it has met none of them: ${url} is a broker, or has the node id of this gateway: name the address of another gateway`,
    )
  })

  test('says who is missing when nobody is left, and not when all said goodbye', async (t) => {
    const port = await freePort()
    const alice = await openPeer(t, ALICE, { listen: { host: HIDDEN, port } })
    // At her own port: whoever comes through it and hears of her address knows no second way that could outlive a cut.
    const proxy = await startTcpProxy(port, () => true, { port, toHost: HIDDEN })
    t.after(() => proxy.end())
    const bob = await openPeer(t, BOB, { peers: [alice.url], listen: null })
    await until(() => lastPresence(bob.witness, ALICE) === 'online', 'bob sees alice')
    await alice.link.close()
    await until(() => lastPresence(bob.witness, ALICE) === 'offline', 'bob sees alice go')
    assert.deepEqual(bob.witness.causes, [])
    assert.equal(bob.link.status().state, 'up')
    alice.link.open(alice.witness)
    await until(() => lastPresence(bob.witness, ALICE) === 'online', 'bob sees alice again')
    proxy.sever()
    await until(() => bob.witness.causes.length === 1, 'bob is down')
    assert.match(bob.witness.causes[0] ?? '', /^no peer is reached, aaaaaaaaaaaaaaaa went without a word: mqtt:/)
  })

  test('says why when none of its peers is there at the start, and goes on trying', async (t) => {
    const port = await freePort()
    const bob = await openPeer(t, BOB, { peers: [`mqtt://127.0.0.1:${port}`] })
    await until(() => bob.witness.causes.length === 1, 'bob is down')
    assert.match(bob.witness.causes[0] ?? '', /^no peer is reached, it has met none of them: .* refused the connection/)
    await openPeer(t, ALICE, { listen: { host: '127.0.0.1', port } })
    await until(() => bob.witness.ups === 1, 'bob is up')
    assert.equal(bob.link.status().cause, null)
  })

  test('may be written to again when a peer is gone for whom all waited', async (t) => {
    // Nobody else leads to the one that takes nothing, since neither says where anybody is reached.
    const still = await startScriptedPostBox(BOB, ALICE, 0)
    const prompt = await startScriptedPostBox(CAROL, ALICE, 2)
    t.after(() => Promise.all([still.end(), prompt.end()]))
    const { link, witness } = await openPeer(t, ALICE, { listen: null, peers: [still.url, prompt.url] })
    await until(() => [BOB, CAROL].every((node) => lastPresence(witness, node) === 'online'), 'alice has met both')
    for (const first of [1, 2]) assert.equal(link.send(patterned(first, 20), { kind: 'operations' }), true)
    await until(() => witness.frames.length === 1 && still.frames === 1, 'carol has all, and bob was sent the first')
    assert.deepEqual([link.waiting, witness.writables], ['operations', 0])
    await still.end()
    await until(() => witness.writables === 1, 'alice may write again')
    assert.deepEqual([link.waiting, link.status().state, lastPresence(witness, BOB)], ['nothing', 'up', 'offline'])
  })

  test('tells that its port is in use, and takes it when it is free', async (t) => {
    const alice = await openPeer(t, ALICE)
    await until(() => alice.witness.ups === 1, 'alice is up')
    const port = Number(new URL(alice.url).port)
    const bob = await openPeer(t, BOB, { listen: { host: '127.0.0.1', port } })
    await until(() => bob.witness.causes.length === 1, 'bob is down')
    assert.match(bob.witness.causes[0] ?? '', /another program uses/)
    await alice.link.close()
    await until(() => bob.witness.ups === 1, 'bob is up')
  })

  test('two addresses of one peer, and its own, do it no harm', async (t) => {
    const alice = await openPeer(t, ALICE)
    const port = await freePort()
    const peers = [alice.url, alice.url.replace('127.0.0.1', 'localhost'), `mqtt://127.0.0.1:${port}`]
    const bob = await openPeer(t, BOB, { peers, listen: { host: '127.0.0.1', port } })
    await until(() => lastPresence(bob.witness, ALICE) === 'online', 'bob sees alice')
    const settled = async (): Promise<void> => {
      alice.link.send(patterned(1, 10), { kind: 'operations' })
      await until(() => bob.witness.frames.some((frame) => frame[0] === 1), 'bob has it')
    }
    await settled()
    alice.link.send(patterned(2, 10), { kind: 'operations' })
    alice.link.send(patterned(3, 10), { kind: 'operations' })
    await until(() => bob.witness.frames.some((frame) => frame[0] === 3), 'bob has the last')
    assert.equal(bob.witness.frames.filter((frame) => frame[0] === 2).length, 1)
    assert.deepEqual(bob.witness.causes, [])
    assert.deepEqual(
      bob.witness.told.filter((line) => line.startsWith(BOB)),
      [],
    )
  })

  test('a stranger in the post box can neither speak as a member nor to others', async (t) => {
    const alice = await openPeer(t, ALICE)
    const bob = await openPeer(t, BOB, { peers: [alice.url] })
    await until(() => lastPresence(bob.witness, ALICE) === 'online', 'bob sees alice')
    const root = `fleet/${FLEET}`
    for (const [clientId, topic] of [
      ['tool', `${root}/in/${ALICE}/${BOB}`],
      [`fs-${CAROL}`, `${root}/in/${ALICE}/${BOB}`],
      [`fs-${CAROL}`, `${root}/op/${BOB}`],
      [`fs-${CAROL}`, `${root}/in/${BOB}/${CAROL}`],
      [`fs-${CAROL}`, `${root}/n/${ALICE}/st`],
    ] as const) {
      const stranger = connect(alice.url, { clientId, protocolVersion: 4, reconnectPeriod: 0 })
      const closed = new Promise<void>((resolve) => stranger.once('close', () => resolve()))
      stranger.on('error', () => undefined)
      stranger.publish(topic, 'x', { qos: 0 })
      await closed
    }
    assert.deepEqual(alice.witness.frames, [])
    assert.deepEqual(bob.witness.frames, [])
    assert.equal(lastPresence(bob.witness, ALICE), 'online')
  })

  test('keeps no more than the newest of those who came under any id and went', async (t) => {
    const mesh = new PeerMesh(peerOptions(ALICE), {
      pair: () => undefined,
      changed: () => undefined,
      frame: () => undefined,
      writable: () => undefined,
    })
    t.after(() => mesh.close())
    await mesh.openBox()
    const ids = Array.from(
      { length: PEERS_MAX * 2 },
      (_, index) => `c0ffee00000000${index.toString(16).padStart(2, '0')}`,
    )
    for (const id of ids) {
      const node = id as NodeId
      const stranger = connect(`mqtt://127.0.0.1:${mesh.port}`, { clientId: `fs-${id}`, protocolVersion: 4 })
      await stranger.subscribeAsync(`fleet/${FLEET}/in/${id}/+`)
      stranger.publish(`fleet/${FLEET}/n/${id}/at`, '-', { qos: 1 })
      await until(() => mesh.pairs.has(node), `${id} is there`)
      stranger.end(true)
      await until(() => !mesh.pairs.has(node), `${id} is gone`)
    }
    assert.deepEqual([...mesh.missing], ids.slice(-PEERS_MAX))
  })

  test('addresses are read whole or not at all', () => {
    const met = [
      { node: ALICE, host: '192.168.1.2', port: 1884 },
      { node: BOB, host: 'fd00::1', port: 1 },
      { node: CAROL, host: 'gw-3.example', port: 65_535 },
    ]
    for (const port of [null, 1884]) {
      const text = formatWhereabouts({ port, met })
      assert.deepEqual(parseWhereabouts(Buffer.from(text)), { port, met })
    }
    const bad = [
      '',
      'x',
      '0',
      '65536',
      '1884\n',
      `1884\n${ALICE}`,
      `1884\n${ALICE} host`,
      `1884\n${ALICE} a b:1`,
      '1884\nx h:1',
    ]
    for (const text of bad) assert.equal(parseWhereabouts(Buffer.from(text)), null, JSON.stringify(text))
    for (const text of ['h:0', 'h:99999', 'a/b:1', ':1', 'fd00::1:1']) assert.equal(parseAddress(text), null, text)
  })
})
