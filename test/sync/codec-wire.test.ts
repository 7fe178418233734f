import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode as decodeWithCborg, Tokenizer } from 'cborg'
import { fromHex, toHex } from '../../runtime/base/bytes.ts'
import { isDigest } from '../../runtime/base/digest.ts'
import { memberIdToBytes } from '../../runtime/base/ids.ts'
import { COMPARISONS, WRITE_KINDS } from '../../runtime/state/operation.ts'
import type { Batch, Message } from '../../runtime/sync/message.ts'
import { decodeFrame, encodeFrame } from '../../runtime/sync/message-codec.ts'
import type { VersionEntry } from '../../runtime/sync/version-vector.ts'
import { messageOf, readWireFile, reviveValue, type WireMessage } from '../vectors/wire.ts'

const { fleet, frames } = readWireFile()

test('the golden frames are of one fleet and of every kind', () => {
  assert.ok(isDigest(fleet))
  const kinds = new Set(frames.map(({ message }) => messageOf(message).kind))
  assert.deepEqual([...kinds].toSorted(), ['announcement', 'batch', 'request'])
})

for (const { name, message: wire, frame } of frames) {
  test(`${name}: has exactly these bytes`, () => {
    assert.equal(toHex(encodeFrame(fleet, messageOf(wire))), frame)
  })

  test(`${name}: is read from these bytes`, () => {
    assert.deepEqual(comparable(decodeFrame(fleet, fromHex(frame))), comparable(messageOf(wire)))
  })

  test(`${name}: says the same to another decoder`, () => {
    const bytes = fromHex(frame)
    const [version, sender, kind, body] = decodeWithCborg(bytes, { allowBigInt: true }) as unknown[]
    assert.deepEqual([version, toHex(sender as Uint8Array)], [1, fleet])
    const inner: unknown = kind === 0 ? decodeWithCborg(body as Uint8Array, { allowBigInt: true }) : body
    assert.deepEqual(plain([kind, inner]), plain(describedBy(wire)))
    for (const float of [...floatsIn(bytes), ...(kind === 0 ? floatsIn(body as Uint8Array) : [])]) {
      assert.ok(!Number.isInteger(float) || Math.abs(float) > 2 ** 64, `${float} is a whole number and not a float`)
    }
  })
}

test('the bytes of a small request, field by field', () => {
  const byHand = [
    '84', // four fields
    '01', // version
    `48${fleet}`,
    '02', // a request
    '83', // from, to, gaps
    '4c0a0000000000000100000000',
    '4c0b0000000000000200000000',
    '81', // one gap
    '83', // member, after, through
    '4c0b0000000000000200000000',
    '00',
    '08',
  ]
  assert.equal(frames.find(({ name }) => name === 'a request to one member')?.frame, byHand.join(''))
})

test('the bytes of the first operation of a fleet, field by field', () => {
  const batch = [
    '83', // members, link, messages
    '81', // one member: the origin
    '4c0a0000000000000100000000',
    '480000000000000000',
    '81', // one message
    '83', // current, previous, priority
    '85', // id, stage, floor, writes, guards
    '820001', // the first member of the table, seq 1
    '01', // stage
    '00', // floor
    '81', // one write
    '84', // path, kind, argument, replaces
    '6178', // "x"
    '00', // set
    '01', // the value
    'f6', // replaces nothing
    '80', // no guards
    '82f600', // follows the genesis, at stage 0
    '03', // tier
  ].join('')
  const byHand = ['84', '01', `48${fleet}`, '00', '58', (batch.length / 2).toString(16), batch].join('')
  assert.equal(frames.find(({ name }) => name === 'the first operation of a fleet')?.frame, byHand)
})

/** A message without what two equal ones may differ in: the class of a byte string, and the frame that it came in. */
function comparable(message: Message): unknown {
  if (message.kind !== 'batch') return message
  const { payload, ...rest }: Batch = message.batch
  return plain({ ...rest, payload: toHex(payload) })
}

/** What the file says, in the order of the wire, put together without the encoder. */
function entriesOf(vector: readonly VersionEntry[] | null): unknown {
  return vector?.map((entry) => [memberIdToBytes(entry.member), entry.seq, fromHex(entry.digest)]) ?? null
}

function describedBy(wire: WireMessage): unknown[] {
  if ('announcement' in wire) {
    const { member, start, number, epoch, newestEpoch, knowsCuts, stage, ownSeq, floor } = wire.announcement
    const { epochDigest, frozen, floorDigest, vectorDigest, vector } = wire.announcement
    const epochs = [epoch, newestEpoch, fromHex(epochDigest), knowsCuts, entriesOf(frozen)]
    const digests = [fromHex(floorDigest), fromHex(vectorDigest)]
    const position = [stage, ownSeq, floor]
    return [1, [memberIdToBytes(member), start, number, ...epochs, ...position, ...digests, entriesOf(vector)]]
  }
  if ('request' in wire) {
    const { from, to, gaps } = wire.request
    const places = gaps.map((gap) => [memberIdToBytes(gap.member), gap.after, gap.through])
    return [2, [memberIdToBytes(from), to === null ? null : memberIdToBytes(to), places]]
  }
  const { origin, tier, link, operations } = wire.batch
  const table: string[] = [origin]
  const refer = (id: string | null): unknown => {
    if (id === null) return null
    const [member = '', seq] = id.split(':')
    if (!table.includes(member)) table.push(member)
    return [table.indexOf(member), Number(seq)]
  }
  const messages = operations.map((operation) => {
    const writes = operation.writes.map(([path, kind, argument, replaces]) => {
      return [path, WRITE_KINDS.indexOf(kind), reviveValue(argument), refer(replaces)]
    })
    const guards = operation.guards.map(([path, comparison, value]) => {
      return [path, COMPARISONS.indexOf(comparison), reviveValue(value)]
    })
    const current = [[0, operation.seq], operation.stage, operation.floor, writes, guards]
    return [current, [refer(operation.previous), operation.stage - 1], tier]
  })
  return [0, [table.map((member) => memberIdToBytes(member as typeof origin)), fromHex(link), messages]]
}

function floatsIn(bytes: Uint8Array): number[] {
  const tokens = new Tokenizer(bytes, { allowBigInt: true })
  const floats: number[] = []
  while (!tokens.done()) {
    const token = tokens.next()
    if (token.type.name === 'float') floats.push(token.value as number)
  }
  return floats
}

/** Whole numbers and byte strings of one class each, whichever decoder they come from. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return `whole ${value}`
  if (typeof value === 'number') return Number.isSafeInteger(value) ? `whole ${value}` : value
  if (value instanceof Uint8Array) return { bytes: toHex(value) }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, plain(child)]))
  }
  return value
}
