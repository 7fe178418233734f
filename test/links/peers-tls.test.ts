import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { connect } from 'mqtt'
import type { NodeId } from '../../runtime/base/ids.ts'
import { silentLogger } from '../../runtime/base/logger.ts'
import { assertOwnCertificate } from '../../runtime/gateway/own-certificate.ts'
import { writeBrokerConfig } from '../../runtime/gateway/broker-config/broker-config.ts'
import type { Link } from '../../runtime/links/link.ts'
import { startEmbeddedBroker } from '../../runtime/links/mqtt/embedded-broker.ts'
import type { PeersLinkOptions } from '../../runtime/links/mqtt/peers/options.ts'
import type { MutualTls } from '../../runtime/links/mqtt/servers.ts'
import { until } from './clocks.ts'
import { ALICE, BOB, CAROL, patterned } from './link-acceptance.ts'
import { freePort } from './mosquitto.ts'
import { FLEET, keepingLogger } from './mqtt-fixture.ts'
import { Book, testPeer } from './peers-fixture.ts'
import { lastPresence, Witness } from './witness.ts'

/** Certificates of two fleets, as `fleetstep broker config --for peers` has them made. */
const folders: string[] = []

function tlsOf(node: NodeId, fleet: 0 | 1 = 0): MutualTls {
  const file = (name: string): Buffer => readFileSync(join(folders[fleet] ?? '', 'certificates', name))
  return { ca: file('authority.crt'), cert: file(`${node}.crt`), key: file(`${node}.key`) }
}

/** A post box is not known by its address. */
const WITHOUT_NAME: object = { checkServerIdentity: () => undefined }

interface Peer {
  readonly link: Link
  readonly witness: Witness
  readonly book: Book
  readonly url: string
}

async function openPeer(t: TestContext, node: NodeId, options: Partial<PeersLinkOptions> = {}): Promise<Peer> {
  const port = await freePort()
  const book = new Book()
  const link = testPeer(node, { listen: { host: '127.0.0.1', port }, book, tls: tlsOf(node), ...options })
  const witness = new Witness()
  t.after(() => link.close())
  link.open(witness)
  return { link, witness, book, url: `mqtts://127.0.0.1:${port}` }
}

describe('a link without a broker, with certificates', { timeout: 120_000 }, () => {
  before(async () => {
    for (const name of ['first', 'second']) {
      const folder = mkdtempSync(join(tmpdir(), 'fleetstep-peers-'))
      folders.push(folder)
      const members = [ALICE, BOB, CAROL].map((node) => `{ node: '${node}' }`).join(', ')
      writeFileSync(join(folder, 'gateway.yaml'), `fleet: { name: ${name}, members: [${members}] }\ndataDirectory: d\n`)
      writeBrokerConfig({
        broker: 'peers',
        config: join(folder, 'gateway.yaml'),
        directory: folder,
        servers: ['127.0.0.1'],
        people: [],
        passwords: false,
        plain: false,
        persistence: false,
      })
      await promisify(execFile)('sh', [join(folder, 'certificates.sh')])
    }
  })
  after(() => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  })

  test('meets through one that all know, and speaks in both directions', async (t) => {
    const alice = await openPeer(t, ALICE)
    const bob = await openPeer(t, BOB, { peers: [alice.url] })
    const carol = await openPeer(t, CAROL, { peers: [alice.url] })
    const all = [alice, bob, carol]
    await until(() => all.every(({ book }) => book.peers.length === 2), 'each has met each', 60_000)
    for (const [index, { link }] of all.entries()) link.send(patterned(index, 30), { kind: 'operations' })
    await until(() => all.every(({ witness }) => witness.frames.length === 2), 'each has heard the others', 60_000)
  })

  test('lets nobody in whose certificate is of another authority, and says so on both sides', async (t) => {
    const log: string[] = []
    const alice = await openPeer(t, ALICE, { logger: keepingLogger(log) })
    const bob = await openPeer(t, BOB, { peers: [alice.url], tls: tlsOf(BOB, 1) })
    await until(() => bob.witness.causes.length > 0, 'bob is not let in', 60_000)
    assert.match(
      bob.witness.causes[0] ?? '',
      /^no peer is reached, .*TLS with mqtts:.* failed .*: check ca, cert and key/,
    )
    // He takes any server, and is refused all the same.
    const tool = connect(alice.url, {
      ...tlsOf(BOB, 1),
      rejectUnauthorized: false,
      clientId: `fs-${BOB}`,
      reconnectPeriod: 0,
    })
    tool.on('error', () => undefined)
    let isLetIn = false
    tool.on('connect', () => (isLetIn = true))
    await new Promise<void>((resolve) => tool.once('close', () => resolve()))
    assert.equal(isLetIn, false)
    await until(
      () => log.some((line) => /TLS with 127\.0\.0\.1 failed \(.+\): check its ca, cert and key/.test(line)),
      'alice says so',
      60_000,
    )
  })

  test('lets nobody in under the name of another node', async (t) => {
    const alice = await openPeer(t, ALICE)
    await until(() => alice.witness.ups === 1, 'alice is up', 60_000)
    for (const [clientId, isWelcome] of [
      [`fs-${CAROL}`, false],
      ['tool', false],
      [`fs-${BOB}-12345678`, true],
    ] as const) {
      const tool = connect(alice.url, {
        ...tlsOf(BOB),
        clientId,
        protocolVersion: 4,
        reconnectPeriod: 0,
        ...WITHOUT_NAME,
      })
      const answer = await new Promise((resolve) => {
        tool.once('connect', () => resolve(true))
        tool.once('error', (error) => resolve('code' in error && error.code === 5 ? false : error))
      })
      tool.end(true)
      assert.equal(answer, isWelcome, clientId)
    }
  })

  test('does not take somebody for another node than his certificate names', async (t) => {
    const log: string[] = []
    const port = await freePort()
    // A post box with the certificate of bob that says that it is carol's.
    const box = await startEmbeddedBroker({ host: '127.0.0.1', port, logger: silentLogger, tls: tlsOf(BOB) })
    t.after(() => box.close())
    const said = (node: NodeId): Promise<void> =>
      new Promise((resolve) => box.publish(`fleet/${FLEET}/n/${node}/st`, Buffer.from('online 1'), true, resolve))
    await said(CAROL)
    const alice = await openPeer(t, ALICE, { peers: [`mqtts://127.0.0.1:${port}`], logger: keepingLogger(log) })
    await until(() => log.some((line) => line.includes('connected to mqtts:')), 'alice is connected', 60_000)
    await said(BOB)
    await until(() => lastPresence(alice.witness, BOB) === 'online', 'alice sees bob', 60_000)
    assert.equal(lastPresence(alice.witness, CAROL), undefined)
  })

  test('says that the other side speaks no TLS', async (t) => {
    const alice = await openPeer(t, ALICE, { tls: undefined })
    const bob = await openPeer(t, BOB, { peers: [alice.url] })
    await until(() => bob.witness.causes.length > 0, 'bob is down', 60_000)
    assert.match(bob.witness.causes[0] ?? '', /mqtts:\/\/127\.0\.0\.1:\d+ (closed|did not|failed)|TLS with mqtts:/)
  })

  test('says at once what does not fit together', () => {
    const refused = (options: Partial<PeersLinkOptions>, says: RegExp): void => {
      assert.throws(() => testPeer(ALICE, options), { code: 'config-invalid', message: says })
    }
    const refusedOwn = (tls: MutualTls, says: RegExp): void => {
      assert.throws(() => assertOwnCertificate(tls, ALICE, 'peers'), { code: 'config-invalid', message: says })
    }
    assertOwnCertificate(tlsOf(ALICE), ALICE, 'peers')
    refusedOwn(tlsOf(BOB), /the certificate is of "b{16}", and this node is a{16}: take its own/)
    refusedOwn({ ...tlsOf(ALICE), key: tlsOf(BOB).key }, /cert and key cannot be used .*the key is of another/)
    refusedOwn({ ...tlsOf(ALICE), cert: Buffer.from('x') }, /cert and key cannot be used .*: both are PEM/)
    refused({ peers: ['mqtts://127.0.0.1:1'] }, /a peer with mqtts:\/\/ needs ca, cert and key/)
    refused({ tls: tlsOf(ALICE), peers: ['mqtt://127.0.0.1:1'] }, /write mqtts:\/\//)
  })
})
