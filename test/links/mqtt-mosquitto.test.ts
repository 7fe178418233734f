import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { connect } from 'mqtt'
import type { Link } from '../../runtime/links/link.ts'
import type { MqttLinkOptions } from '../../runtime/links/mqtt/options.ts'
import { clientIdOf } from '../../runtime/links/mqtt/topics.ts'
import { until } from './clocks.ts'
import { acceptLink, ALICE, BOB, patterned, type LinkHarness } from './link-acceptance.ts'
import { MOSQUITTO_DEFAULTS, MOSQUITTO_FLEET, MOSQUITTO_SKIP, startMosquitto, type Mosquitto } from './mosquitto.ts'
import { startLinkProcess } from './link-process-start.ts'
import { FLEET, keepingLogger, mqttHarness, testLink } from './mqtt-fixture.ts'
import { lastPresence, Witness } from './witness.ts'

const run = promisify(execFile)

for (const [name, lines] of [
  ['as it comes', MOSQUITTO_DEFAULTS],
  ['configured for a fleet', MOSQUITTO_FLEET],
] as const) {
  acceptLink(`MQTT over Mosquitto ${name}`, () => mosquittoHarness(lines), MOSQUITTO_SKIP)
}

async function mosquittoHarness(lines: readonly string[]): Promise<LinkHarness> {
  const broker = await startMosquitto(lines)
  return mqttHarness(broker.port, { cut: broker.kill, heal: broker.restart, end: broker.end })
}

describe('an MQTT link over Mosquitto', { skip: MOSQUITTO_SKIP }, () => {
  test('speaks MQTT 5 with its own client id and keep-alive', async () => {
    await withMosquitto(MOSQUITTO_DEFAULTS, async ({ broker, open }) => {
      const { witness } = open(ALICE)
      await until(() => witness.ups === 1, 'alice is up')
      await until(
        () => broker.log().includes(`as ${clientIdOf(FLEET, ALICE)} (p5, c1, k15)`),
        'the broker says who has come, and how',
      )
    })
  })

  test('publishes with QoS 1, content type, version and expiry, and its presence retained', async () => {
    await withMosquitto(MOSQUITTO_DEFAULTS, async ({ broker, open }) => {
      const tool = connect(`mqtt://127.0.0.1:${broker.port}`, { protocolVersion: 5, reconnectPeriod: 0 })
      const seen: string[] = []
      tool.on('message', (topic, _payload, packet) => {
        const { contentType, messageExpiryInterval, userProperties } = packet.properties ?? {}
        seen.push(`${topic} q${packet.qos} ${contentType} v${String(userProperties?.['v'])} ${messageExpiryInterval}`)
      })
      await tool.subscribeAsync('fleet/#', { qos: 1 })
      const { witness, link } = open(ALICE, { startCount: 3 })
      await until(() => witness.ups === 1, 'alice is up')
      link.send(patterned(1, 10), { kind: 'operations' })
      link.send(patterned(2, 10), { kind: 'announcements' })
      link.send(patterned(3, 10), { kind: 'requests' })
      link.send(patterned(4, 10), { kind: 'direct', to: BOB })
      await until(() => seen.length === 5, 'the tool has seen all')
      const root = `fleet/${FLEET}`
      assert.deepEqual(seen, [
        `${root}/n/${ALICE}/st q1 text/plain v1 undefined`,
        `${root}/op/${ALICE} q1 application/cbor v1 undefined`,
        `${root}/b/${ALICE} q1 application/cbor v1 60`,
        `${root}/w/${ALICE} q1 application/cbor v1 60`,
        `${root}/in/${BOB}/${ALICE} q1 application/cbor v1 undefined`,
      ])
      await tool.endAsync(true)
    })
  })

  test('comes back by itself after the broker was killed, and says why it was down', async () => {
    await withMosquitto(MOSQUITTO_DEFAULTS, async ({ broker, open }) => {
      const { witness, link } = open(ALICE)
      await until(() => witness.ups === 1, 'alice is up')
      await broker.kill()
      await until(() => witness.causes.length === 1, 'alice is down')
      assert.match(witness.causes[0] ?? '', /^mqtt:\/\/127\.0\.0\.1:\d+ closed the connection/)
      await until(() => /refused/.test(link.status().cause ?? ''), 'the status follows what the attempts find')
      await broker.restart()
      await until(() => witness.ups === 2, 'alice is up again')
      assert.equal(witness.causes.length, 1)
      assert.equal(link.status().counters.reconnects, 1)
    })
  })

  test('shares a broker with the same node of another fleet', async () => {
    await withMosquitto(MOSQUITTO_DEFAULTS, async ({ open }) => {
      const bob = open(BOB)
      await until(() => bob.witness.ups === 1, 'bob is up')
      const [one, other] = [open(ALICE), open(ALICE, { fleet: 'ff112233445566ff' })]
      await until(() => one.witness.ups > 0 && other.witness.ups > 0, 'both are up')
      one.link.send(patterned(1, 20), { kind: 'operations' })
      await until(() => bob.witness.frames.length > 0, 'bob has heard of the one in his fleet')
      assert.deepEqual([one.witness.causes, other.witness.causes], [[], []])
    })
  })

  test('without a user where one is needed it says so, and with user and password it is up', async () => {
    const prepare = async (directory: string): Promise<void> => {
      await run('mosquitto_passwd', ['-b', '-c', join(directory, 'passwords'), 'gateway', 'pass:word%'])
    }
    const lines = ['allow_anonymous false', 'password_file DIR/passwords']
    await withMosquitto(
      lines,
      async ({ broker, open }) => {
        const { witness } = open(ALICE)
        await until(() => witness.causes.length === 1, 'alice is not let in')
        assert.match(witness.causes[0] ?? '', /did not authorise this node .*check username, password/)
        const bob = open(BOB, { username: 'gateway', password: 'pass:word%' })
        await until(() => bob.witness.ups === 1, 'bob is let in')
        await bob.link.close()
        const again = open(BOB, { servers: [`mqtt://gateway:pass%3Aword%25@127.0.0.1:${broker.port}`] })
        await until(() => again.witness.ups === 1, 'bob is let in by what stands in the URL')
      },
      prepare,
    )
  })

  test('publishes that the access list forbids are counted, and named once', async () => {
    const prepare = (directory: string): Promise<void> =>
      writeFile(join(directory, 'acl'), 'topic read fleet/#\ntopic write fleet/+/n/#\n')
    await withMosquitto(
      ['allow_anonymous true', 'acl_file DIR/acl'],
      async ({ open }) => {
        const log: string[] = []
        const { witness, link } = open(ALICE, { logger: keepingLogger(log) })
        await until(() => witness.ups === 1, 'alice is up')
        for (const first of [1, 2, 3]) link.send(patterned(first, 10), { kind: 'operations' })
        await until(() => link.status().counters.dropped['refused-by-broker'] === 3, 'all three were refused')
        const named = log.filter((line) => line.endsWith(`fleet/${FLEET}/op/${ALICE}`))
        assert.equal(named.length, 1)
        assert.match(named[0] ?? '', /did not authorise this node .*access list/)
      },
      prepare,
    )
  })

  test('a frame that the broker does not take is left out and named, and the connection stays', async () => {
    await withMosquitto([...MOSQUITTO_DEFAULTS, 'max_packet_size 2000'], async ({ open }) => {
      const log: string[] = []
      const alice = open(ALICE, { logger: keepingLogger(log) })
      const bob = open(BOB)
      await until(() => alice.witness.ups === 1 && bob.witness.ups === 1, 'both are up')
      for (const bytes of [5000, 4000, 1000]) {
        assert.equal(alice.link.send(patterned(bytes / 1000, bytes), { kind: 'operations' }), true)
      }
      await until(() => bob.witness.frames.length > 0, 'bob has what the broker takes')
      assert.deepEqual(bob.witness.frames, [patterned(1, 1000)])
      assert.deepEqual(alice.link.status().counters.dropped, { 'over-broker-limit': 2 })
      assert.deepEqual(alice.witness.causes, [])
      const named = log.filter((line) => /takes no frame of 5000 bytes.*raise the broker's limit to 66560/.test(line))
      assert.equal(named.length, 1)
    })
  })

  test('the last will tells the others when a process is killed', async () => {
    await withMosquitto(MOSQUITTO_DEFAULTS, async ({ broker, open }) => {
      const { witness } = open(BOB)
      await until(() => witness.ups === 1, 'bob is up')
      const other = await startLinkProcess(ALICE, broker.port)
      await until(() => lastPresence(witness, ALICE) === 'online', 'bob sees alice')
      other.kill('SIGKILL')
      await until(() => lastPresence(witness, ALICE) === 'offline', 'bob sees alice die')
    })
  })

  test('TLS: up with the right authority and client certificate, else a clear line', async () => {
    const lines = [
      'allow_anonymous true',
      'require_certificate true',
      'cafile DIR/ca.crt',
      'certfile DIR/server.crt',
      'keyfile DIR/server.key',
    ]
    await withMosquitto(
      lines,
      async ({ broker, open }) => {
        const file = (name: string): Promise<Buffer> => readFile(join(broker.directory, name))
        const ca = await file('ca.crt')
        const cert = await file('client.crt')
        const key = await file('client.key')
        const servers = [`mqtts://127.0.0.1:${broker.port}`]
        const causeOf = async (options: Partial<MqttLinkOptions>): Promise<string> => {
          const { witness, link } = open(BOB, options)
          await until(() => witness.causes.length > 0, 'bob is down')
          await link.close()
          return witness.causes[0] ?? ''
        }
        assert.match(
          await causeOf({ servers }),
          /^TLS with mqtts:.* failed \(.*certificate.*\): check ca, cert and key/,
        )
        assert.match(
          await causeOf({ servers, tls: { ca } }),
          /^TLS with .* failed .*: check ca, cert and key|closed the/,
        )
        assert.match(await causeOf({}), /closed the connection|did not keep to MQTT/)
        const { witness } = open(ALICE, { servers, tls: { ca, cert, key } })
        await until(() => witness.ups === 1, 'alice is up')
      },
      makeCertificates,
    )
  })
})

interface Stage {
  readonly broker: Mosquitto
  open(node: typeof ALICE, options?: Partial<MqttLinkOptions>): { readonly link: Link; readonly witness: Witness }
}

async function withMosquitto(
  lines: readonly string[],
  body: (stage: Stage) => Promise<void>,
  prepare?: (directory: string) => Promise<void>,
): Promise<void> {
  const broker = await startMosquitto(lines, prepare)
  const links: Link[] = []
  try {
    await body({
      broker,
      open(node, options) {
        const link = testLink(node, broker.port, options)
        const witness = new Witness()
        links.push(link)
        link.open(witness)
        return { link, witness }
      },
    })
  } finally {
    for (const link of links) await link.close()
    await broker.end()
  }
}

/** An authority, a server certificate for 127.0.0.1, and one for a client. */
async function makeCertificates(directory: string): Promise<void> {
  const openssl = (...words: string[]): Promise<unknown> => run('openssl', words, { cwd: directory })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  await openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=Test authority')
  await writeFile(join(directory, 'server.ext'), 'subjectAltName=IP:127.0.0.1\n')
  await writeFile(join(directory, 'client.ext'), 'extendedKeyUsage=clientAuth\n')
  for (const name of ['server', 'client']) {
    await openssl('req', ...key.slice(0, 5), '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`]
    await openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-out', `${name}.crt`)
  }
}
