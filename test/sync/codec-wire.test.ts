import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode as decodeWithCborg, Tokenizer } from 'cborg'
import { fromHex, toHex } from '../../runtime/base/bytes.ts'
import { isDigest } from '../../runtime/base/digest.ts'
import { type MemberId, memberIdToBytes } from '../../runtime/base/ids.ts'
import { COMPARISONS, WRITE_KINDS } from '../../runtime/state/operation.ts'
import type { Batch, Message } from '../../runtime/sync/message.ts'
import { decodeFrame, encodeFrame } from '../../runtime/sync/message-codec.ts'
import type { VersionEntry } from '../../runtime/sync/version-vector.ts'
import { isBatch, messageOf, readWireFile, reviveValue, type WireBatch, type WireMessage } from '../vectors/wire.ts'

const { fleet, frames } = readWireFile()

test('the golden frames are of one fleet and of every kind', () => {
  assert.ok(isDigest(fleet))
  const kinds = new Set(frames.map(({ message }) => messageOf(message).kind))
  assert.equal(kinds.size, 10)
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
    '85', // members, link, priority, seq, messages
    '81', // one member: the origin
    '4c0a0000000000000100000000',
    '480000000000000000',
    '03', // tier
    '01', // seq 1
    '81', // one message
    '85', // content, guards, original, distance of the floor, previous
    '81', // one write
    '82', // path, argument: it sets, and replaces nothing
    '6178', // "x"
    '01', // the value
    '80', // no guards
    'f6', // no original
    '00', // the floor is at the stage of the previous operation
    'f6', // it follows the genesis
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

function entriesOf(vector: readonly VersionEntry[] | null): unknown {
  return vector?.map((entry) => [memberIdToBytes(entry.member), entry.seq, fromHex(entry.digest)]) ?? null
}

/** What the file says, in the order of the wire, put together without the encoder. */
function describedBy(wire: WireMessage): unknown[] {
  if (isBatch(wire)) return [0, describedBatch(wire.batch)]
  const message = messageOf(wire)
  switch (message.kind) {
    case 'announcement': {
      const { member, start, number, epoch, newestEpoch, knowsCuts, stage, ownSeq, floor } = message.announcement
      const { epochDigest, frozen, floorDigest, vectorDigest, vector, state } = message.announcement
      const epochs = [epoch, newestEpoch, fromHex(epochDigest), knowsCuts, entriesOf(frozen)]
      const digests = [fromHex(floorDigest), fromHex(vectorDigest)]
      const rest = state === undefined ? [] : [state.stage, fromHex(state.digest)]
      const fields = [bytesOf(member), start, number, ...epochs, stage, ownSeq, floor, ...digests, entriesOf(vector)]
      return [1, [...fields, ...rest]]
    }
    case 'request': {
      const { from, to, gaps } = message.request
      const places = gaps.map((gap) => [bytesOf(gap.member), gap.after, gap.through])
      return [2, [bytesOf(from), to === null ? null : bytesOf(to), places]]
    }
    case 'epoch': {
      const { number, counting, retired, signature, isForced = false, revoked, admitted } = message.epoch
      const drafts = admitted?.map(({ member, tier, key, grant, role }) => [
        bytesOf(member),
        tier,
        key,
        grant,
        ...placeOf(role),
      ])
      const more = drafts === undefined ? (isForced ? [true] : []) : [isForced, revoked?.map(fromHex), drafts]
      return [3, [number, counting.map(bytesOf), retired.map(bytesOf), signature, ...more]]
    }
    case 'join-request': {
      const { member, tier, role, key, proof, epoch } = message.request
      return [4, [bytesOf(member), tier, key, proof, epoch, ...placeOf(role)]]
    }
    case 'refusal':
      return [5, [bytesOf(message.refusal.to), bytesOf(message.refusal.from), message.refusal.reason]]
    case 'offer': {
      const { to, from, purpose, digest, size } = message.offer
      return [6, [bytesOf(to), bytesOf(from), purpose === 'welcome' ? 0 : 1, fromHex(digest), size]]
    }
    case 'chunk-request': {
      const { from, to, digest, offset } = message.request
      return [7, [bytesOf(from), bytesOf(to), fromHex(digest), offset]]
    }
    case 'chunk':
      return [8, [fromHex(message.chunk.digest), message.chunk.offset, message.chunk.bytes]]
    case 'telemetry': {
      const { member, start, number, device, readings } = message.telemetry
      const points = readings.map(({ path, value, quality, ageMs }) => {
        const reading = [path.slice(device.length + 1), value, ageMs]
        return quality === 'good' ? reading : [...reading, quality === 'uncertain' ? 1 : 2]
      })
      return [9, [bytesOf(member), start, number, device, points]]
    }
    default:
      throw new Error(`${message.kind} has no second writing`)
  }
}

function describedBatch({ origin, tier, link, operations }: WireBatch): unknown[] {
  const table: string[] = [origin]
  const refer = (id: string | null): unknown => {
    if (id === null) return null
    const [member = '', seq] = id.split(':')
    if (member === origin) return Number(seq)
    if (!table.includes(member)) table.push(member)
    return [table.indexOf(member), Number(seq)]
  }
  const messages = operations.map((operation, index) => {
    const content = operation.join
      ? describedJoin(operation.join)
      : operation.writes.map(([path, kind, argument, replaces]) => {
          const write = [path, reviveValue(argument), refer(replaces), WRITE_KINDS.indexOf(kind)]
          return write.slice(0, kind !== 'set' ? 4 : replaces !== null ? 3 : 2)
        })
    const guards = operation.guards.map(([path, comparison, value]) => {
      return [path, COMPARISONS.indexOf(comparison), reviveValue(value)]
    })
    const original = operation.original
      ? [operation.original[0] === 'operation' ? 0 : 1, refer(operation.original[1])]
      : null
    const before = operations[index - 1]
    if (before !== undefined && operation.previous === `${origin}:${before.seq}` && operation.floor === before.floor) {
      return [content, guards, original].slice(0, original !== null ? 3 : guards.length > 0 ? 2 : 1)
    }
    const previous = operation.previous === null ? null : [operation.stage - 1, refer(operation.previous)]
    return [content, guards, original, operation.stage - 1 - operation.floor, previous]
  })
  return [table.map((member) => bytesOf(member as MemberId)), fromHex(link), tier, operations[0]?.seq, messages]
}

function describedJoin([member, tier, key, ...rest]: NonNullable<WireBatch['operations'][number]['join']>): unknown[] {
  const [token, role, credential] = rest
  const digest = rest.length === 0 ? [] : [token === null ? null : fromHex(token ?? '')]
  const marks = role === null ? [null] : placeOf(role)
  const traced = credential === undefined ? [] : [fromHex(credential)]
  return [bytesOf(member), tier, fromHex(key), ...digest, ...marks, ...traced]
}

function placeOf(role: string | undefined): number[] {
  return role === undefined ? [] : [['gateway', 'observer', 'operator'].indexOf(role)]
}

function bytesOf(member: MemberId): Uint8Array {
  return memberIdToBytes(member)
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
