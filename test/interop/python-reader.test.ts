import assert from 'node:assert/strict'
import { execFile, spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { fromHex, toHex } from '../../runtime/base/bytes.ts'
import { digestOf } from '../../runtime/base/digest.ts'
import type { NodeId } from '../../runtime/base/ids.ts'
import { createSigningKey } from '../../runtime/device/identity/keys.ts'
import { type Gateway, openGateway } from '../../runtime/gateway/gateway.ts'
import type { EnrolmentOptions } from '../../runtime/gateway/enrolment.ts'
import { memoryStorage } from '../../runtime/gateway/parts.ts'
import { until, untilAnswered } from '../links/clocks.ts'
import { MOSQUITTO_FLEET, MOSQUITTO_SKIP, startMosquitto } from '../links/mosquitto.ts'
import { ANNA, BERT, CARL, linkTo, sees, signEpoch } from '../support/attacked-fleet.ts'
import { signedFleet, type SignedFleet } from '../support/signed-fleet.ts'
import { readWireFile } from '../vectors/wire.ts'

/** Debian's own interpreter, for which its package python3-cbor2 is. */
const PYTHON = '/usr/bin/python3'
const hasDecoder = existsSync(PYTHON) && spawnSync(PYTHON, ['-c', 'import cbor2']).status === 0
const SKIP =
  !hasDecoder && process.env['CI'] !== 'true' && 'python3-cbor2 is not installed: apt-get install python3-cbor2'

interface Read {
  readonly fleet: string
  readonly kind: string
  readonly isSigned: boolean
  readonly message: Readonly<Record<string, unknown>>
}

/** What mosquitto_sub has shown. */
interface Shown {
  readonly topic: string
  readonly payload: string
}

interface Heard extends Read {
  readonly topic: string
}

async function readShown(shown: readonly Shown[]): Promise<readonly Heard[]> {
  if (shown.length === 0) return []
  const reads = await readWithPython(shown.map(({ payload }) => payload))
  return reads.map((read, index) => ({ ...read, topic: shown[index]?.topic ?? '' }))
}

/** Beside this process, whose gateways have to go on. */
async function readWithPython(frames: readonly string[]): Promise<readonly Read[]> {
  const reading = promisify(execFile)(PYTHON, ['test/interop/read_frames.py'], { maxBuffer: 64 * 1024 * 1024 })
  reading.child.stdin?.end(`${frames.join('\n')}\n`)
  const { stdout } = await reading
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Read)
}

describe('an independent reader in Python', { skip: SKIP }, () => {
  it('understands every kind of message to its last field', async () => {
    const { fleet, frames } = readWireFile()
    const reads = await readWithPython(frames.map(({ frame }) => frame))
    assert.equal(reads.length, frames.length)
    for (const [index, { name, message }] of frames.entries()) {
      const [named] = Object.entries(message)
      const { kind, message: read, ...rest } = reads[index] as Read
      assert.deepEqual(rest, { fleet, isSigned: false }, name)
      assert.deepEqual([kind, read], named, name)
    }
    const kinds = new Set(reads.map(({ kind }) => kind))
    assert.equal(kinds.size, 10, `all kinds are among the vectors: ${[...kinds].join(', ')}`)
  })

  it(
    'understands all that mosquitto_sub shows of a fleet at work, each kind where the contract says',
    { skip: MOSQUITTO_SKIP },
    async (t) => {
      const broker = await startMosquitto(MOSQUITTO_FLEET)
      t.after(() => broker.end())
      const keys = signedFleet()
      const root = `fleet/${keys.facts.id}`
      const shown = listen(t, broker.port, keys.facts.id)
      await until(() => broker.log().includes('Sending SUBACK'), 'mosquitto_sub listens')
      const wanted = await sayEverything(t, broker.port, keys)
      const isFrame = ({ topic }: Shown): boolean => !topic.startsWith(`${root}/n/`)
      // The gateways may have said all before mosquitto_sub, a process of its own, has shown it.
      const { heard } = await untilAnswered(
        async () => {
          const all = await readShown(shown.filter(isFrame))
          const isRead = ([, kind, isMet]: Wanted): boolean => all.some((read) => read.kind === kind && isMet(read))
          return { missing: wanted.filter((one) => !isRead(one)).map(([what]) => what), heard: all }
        },
        ({ missing }) => missing.length === 0,
        'Python has read everything',
      )
      const met = heard.map(
        ({ topic, kind }) => `${topic.replace(root, 'fleet/<group>').replace(/[^/]+$/, '<node>')} ${kind}`,
      )
      assert.deepEqual(
        new Set(met),
        new Set(kindsOfContract()),
        'each kind goes where the contract says, and nowhere else',
      )
      const bare = heard.filter(({ isSigned }) => !isSigned).map(({ kind }) => kind)
      assert.deepEqual(new Set(bare), new Set(['join-request', 'refusal', 'chunk', 'epoch']))
      for (const { topic, fleet, message } of heard) {
        assert.equal(fleet, keys.facts.id)
        const author = message['from'] ?? message['member']
        if (typeof author === 'string')
          assert.equal(topic.split('/').at(-1), author.split('.')[0], 'its author is in its topic')
      }
      const presence = shown
        .filter((one) => !isFrame(one))
        .map(({ topic, payload }) => `${topic} ${Buffer.from(payload, 'hex').toString()}`)
      const words = [ANNA, BERT, CARL].map((node) => `${root}/n/${node}/st online 1`)
      assert.deepEqual(new Set(presence), new Set([...words, `${root}/n/${BERT}/st offline 1`]))
    },
  )
})

/** What is to be read of one message of a kind, at least. */
type Wanted = readonly [what: string, kind: string, isMet: (read: Read) => boolean]

/** Has gateways say each kind of message. @returns what is to be read of it */
async function sayEverything(t: TestContext, port: number, keys: SignedFleet): Promise<readonly Wanted[]> {
  const bertKey = createSigningKey()
  const anna = await open(t, port, keys, ANNA, keys.enrolment(keys.founderKey, null))
  const bert = await open(t, port, keys, BERT, keys.enrolment(bertKey, keys.token()))
  await sees(bert, ({ status }) => status === 'member', 'bert has joined')
  const carl = await open(t, port, keys, CARL, keys.enrolment(createSigningKey(), null))
  await sees(carl, ({ refusal }) => refusal !== null, 'carl was refused')
  anna.state.set('hall/lamp', true)
  anna.state.report('anna/level', 4.5, { persist: 'volatile', quality: 'uncertain', ageMs: 50 })
  await until(() => bert.state.get('anna/level') === 4.5 && bert.state.get('hall/lamp') === true, 'bert has both')
  const [annaId, bertId, carlId] = [anna, bert, carl].map((gateway) => gateway.inspect().self)
  await bert.closeLink('mqtt')
  const { id: missed, durable } = anna.state.set('hall/door', 'open')
  await durable
  bert.openLink('mqtt')
  await until(() => bert.state.get('hall/door') === 'open', 'bert has what it missed')
  const { signature } = await signEpoch({ keys }, anna, { retire: [BERT] })
  await sees(bert, ({ epoch }) => epoch.number === 1, 'bert has heard that it was retired')

  const operation = (fields: object) => ({ origin: annaId, operations: [fields] })
  const join = [bertId, 0, toHex(bertKey.publicKey)]
  return [
    ['a change', 'batch', ({ message }) => has(message, operation({ writes: [['hall/lamp', 'set', true, null]] }))],
    ['a join', 'batch', ({ message }) => has(message, operation({ join }))],
    [
      'what anna holds',
      'announcement',
      ({ message }) =>
        has(message, {
          member: annaId,
          start: 1,
          epoch: 0,
          ownSeq: missed.seq,
          vector: [{ member: annaId, seq: missed.seq }],
        }),
    ],
    [
      'what bert lacks',
      'request',
      ({ message }) =>
        has(message, { from: bertId, turn: { start: 1 }, gaps: [{ member: annaId, through: missed.seq }] }),
    ],
    [
      'who is retired',
      'epoch',
      ({ message }) =>
        has(message, { number: 1, counting: [annaId], retired: [bertId], signature: { $bytes: toHex(signature) } }),
    ],
    [
      'who wants to join',
      'join-request',
      ({ message }) => has(message, { member: bertId, tier: 0, key: { $bytes: toHex(bertKey.publicKey) }, epoch: 0 }),
    ],
    [
      'why it may not',
      'refusal',
      ({ message }) => has(message, { to: carlId, from: annaId }) && /it has no token/.test(String(message['reason'])),
    ],
    ['a welcome', 'offer', ({ message }) => has(message, { to: bertId, from: annaId, purpose: 'welcome' })],
    [
      'who fetches it',
      'chunk-request',
      ({ message }) => has(message, { from: bertId, to: annaId, offset: 0, turn: { start: 1 } }),
    ],
    ['its bytes', 'chunk', ({ message }) => message['offset'] === 0 && isWhole(message)],
    [
      'a reading',
      'telemetry',
      ({ message }) =>
        has(message, {
          member: annaId,
          start: 1,
          device: 'anna',
          readings: [{ path: 'anna/level', value: 4.5, quality: 'uncertain' }],
        }),
    ],
  ]
}

/** Whether it holds all that `wanted` names: of a list, each entry somewhere. */
function has(read: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return read === wanted
  if (Array.isArray(wanted)) {
    return Array.isArray(read) && wanted.every((entry) => read.some((other) => has(other, entry)))
  }
  if (typeof read !== 'object' || read === null) return false
  return Object.entries(wanted).every(([name, value]) => has((read as Record<string, unknown>)[name], value))
}

/** A snapshot of one chunk is the one that was offered if it has the digest. */
function isWhole({ digest, bytes }: Read['message']): boolean {
  return digestOf(fromHex((bytes as { $bytes: string }).$bytes)) === digest
}

/** `<topic> <kind>` of each frame, from the table of the contract. */
function kindsOfContract(): readonly string[] {
  const rows = readFileSync('runtime/links/README.md', 'utf8').matchAll(
    /^\| `(fleet\/<group>\/\w+\/<node>)` +\|([^|]+)\|/gm,
  )
  return [...rows].flatMap(([, topic, payload]) =>
    [...(payload ?? '').matchAll(/`([a-z-]+)`/g)].map(([, kind]) => `${topic} ${kind}`),
  )
}

function listen(t: TestContext, port: number, group: string): readonly Shown[] {
  const words = ['-p', String(port), '-q', '1', '-F', '%t %x', '-t', `fleet/${group}/#`]
  const listener = spawn('mosquitto_sub', words, { stdio: ['ignore', 'pipe', 'ignore'] })
  t.after(() => listener.kill('SIGKILL'))
  const shown: Shown[] = []
  createInterface({ input: listener.stdout }).on('line', (line) => {
    const [topic = '', payload = ''] = line.split(' ')
    shown.push({ topic, payload })
  })
  return shown
}

async function open(
  t: TestContext,
  port: number,
  { genesis }: SignedFleet,
  node: NodeId,
  enrolment: EnrolmentOptions,
): Promise<Gateway> {
  const options = { device: node === ANNA ? 'anna' : node, storage: memoryStorage(), links: [linkTo(port)] }
  const gateway = await openGateway({ fleet: genesis, node, enrolment, ...options })
  t.after(() => gateway.close())
  return gateway
}
