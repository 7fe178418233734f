import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import type { MqttLinkOptions } from '../../runtime/links/mqtt/options.ts'
import { describeFailure, failureOf, failureOfReason } from '../../runtime/links/mqtt/failure.ts'
import { until } from './clocks.ts'
import { ALICE } from './link-acceptance.ts'
import { MOSQUITTO_DEFAULTS, MOSQUITTO_SKIP, startMosquitto } from './mosquitto.ts'
import { testLink } from './mqtt-fixture.ts'
import { Witness } from './witness.ts'

const run = promisify(execFile)

async function causeOf(port: number, options: Partial<MqttLinkOptions>): Promise<string> {
  const link = testLink(ALICE, port, options)
  const witness = new Witness()
  link.open(witness)
  try {
    await until(() => witness.causes.length > 0, 'alice is down')
    return witness.causes[0] ?? ''
  } finally {
    await link.close()
  }
}

/** One certificate in which the broker is its own authority, valid in these years. */
async function makeCertificate(directory: string, from: string, to: string): Promise<void> {
  const openssl = (...words: string[]): Promise<unknown> => run('openssl', words, { cwd: directory })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  await openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=127.0.0.1')
  const config = `[ca]
default_ca = own
[own]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = IP:127.0.0.1
`
  await writeFile(join(directory, 'ca.conf'), config)
  await writeFile(join(directory, 'index.txt'), '')
  await writeFile(join(directory, 'serial'), '01\n')
  const dates = ['-startdate', from, '-enddate', to]
  const files = ['-keyfile', 'server.key', '-in', 'server.csr', '-out', 'server.crt']
  await openssl('ca', '-batch', '-selfsign', '-notext', '-config', 'ca.conf', ...files, ...dates)
}

describe('why an MQTT link is down is told in one line:', () => {
  for (const [what, from, to, expected] of [
    [
      'a clock that is behind',
      '20900101000000Z',
      '20910101000000Z',
      /^this machine's clock is wrong for TLS with mqtts:.*set it/,
    ],
    [
      'a certificate that has expired',
      '20000101000000Z',
      '20010101000000Z',
      /^the certificate of mqtts:.* has expired .*renew it/,
    ],
  ] as const) {
    test(what, { skip: MOSQUITTO_SKIP }, async (t) => {
      const lines = ['allow_anonymous true', 'certfile DIR/server.crt', 'keyfile DIR/server.key']
      const broker = await startMosquitto(lines, (directory) => makeCertificate(directory, from, to))
      t.after(() => broker.end())
      const ca = await readFile(join(broker.directory, 'server.crt'))
      const cause = await causeOf(broker.port, { servers: [`mqtts://127.0.0.1:${broker.port}`], tls: { ca } })
      assert.match(cause, expected)
    })
  }

  test('an own certificate that has expired, and no TLS where it is wanted', { skip: MOSQUITTO_SKIP }, async (t) => {
    const own = 'require_certificate true|cafile DIR/client/server.crt'.split('|')
    const broker = await startMosquitto(
      ['allow_anonymous true', 'certfile DIR/server.crt', 'keyfile DIR/server.key', ...own],
      async (directory) => {
        await makeCertificate(directory, '20200101000000Z', '20900101000000Z')
        await mkdir(join(directory, 'client'))
        await makeCertificate(join(directory, 'client'), '20000101000000Z', '20010101000000Z')
      },
    )
    t.after(() => broker.end())
    const read = (name: string): Promise<Buffer> => readFile(join(broker.directory, name))
    const [ca, cert, key] = [read('server.crt'), read('client/server.crt'), read('client/server.key')]
    const tls = { ca: await ca, cert: await cert, key: await key }
    const where = `127.0.0.1:${broker.port}`
    assert.match(
      await causeOf(broker.port, { servers: [`mqtts://${where}`], tls }),
      /^mqtts:\S+ says that this node's certificate has expired: renew it/,
    )
    assert.match(
      await causeOf(broker.port, { servers: [`mqtts://${where}`], tls: { ca: tls.ca } }),
      /^TLS with mqtts:\S+ failed \([^():]*alert certificate required\)/,
    )
    assert.match(await causeOf(broker.port, { servers: [`mqtt://${where}`] }), /a port that wants mqtts:/)
  })

  test('a name that is not found', async () => {
    const cause = await causeOf(1883, { servers: ['mqtt://nobody.invalid:1883'] })
    assert.match(cause, /^the name in mqtt:\/\/nobody\.invalid:1883 was not found: check the spelling/)
  })

  test('two nodes with one id: each of them says so', { skip: MOSQUITTO_SKIP }, async (t) => {
    const broker = await startMosquitto(MOSQUITTO_DEFAULTS)
    t.after(() => broker.end())
    const links = [1, 2].map(() => testLink(ALICE, broker.port, { timing: { delayMinMs: 100, delayMaxMs: 200 } }))
    const witnesses = links.map(() => new Witness())
    for (const [index, link] of links.entries()) link.open(witnesses[index] ?? new Witness())
    t.after(() => Promise.all(links.map((link) => link.close())))
    const isTold = ({ causes }: Witness): boolean =>
      causes.some((cause) => /two nodes share one node id|a second node with this id/.test(cause))
    await until(() => witnesses.every(isTold), 'both have been told')
  })

  test('each cause says what, where and what to do', () => {
    const where = 'mqtt://host:1883'
    const codes =
      'ECONNREFUSED ENOTFOUND EAI_AGAIN EHOSTUNREACH ENETUNREACH ETIMEDOUT ECONNRESET CERT_NOT_YET_VALID CERT_HAS_EXPIRED EPROTO'
    const errors = codes.split(' ').map((code) => failureOf(Object.assign(new Error(`${code}\nsecond line`), { code })))
    const reasons = [1, 2, 3, 4, 5, 132, 133, 135, 136, 137, 141, 142, 149, 151, 154, 157, 159, 200].map((code) =>
      failureOfReason(code, ''),
    )
    const failures = [...errors, ...reasons, failureOf(new Error('connack timeout'))]
    for (const failure of failures) {
      for (const end of ['broker', 'gateway'] as const) {
        const line = describeFailure(failure, where, end)
        assert.match(line, /^[^\n]*mqtt:\/\/host:1883[^\n]*: [a-z][^\n]{10,}$/)
        if (end === 'gateway') assert.doesNotMatch(line, /broker/)
      }
    }
    assert.ok(new Set([...errors, ...reasons].map(({ kind }) => kind)).size >= 13, 'each kind is among them')
  })
})
