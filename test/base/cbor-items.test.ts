import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encode as encodeWithCborg } from 'cborg'
import fc from 'fast-check'
import { type CborData, decodeCbor, encodeCbor } from '../../runtime/base/cbor.ts'
import { CborReader } from '../../runtime/base/cbor-reader.ts'
import { CborWriter } from '../../runtime/base/cbor-writer.ts'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { cborData, comparable } from './cbor-data.ts'

const DEPTH_MAX = 8

test('the writer writes exactly what another encoder writes in its preferred form', () => {
  const writer = new CborWriter()
  fc.assert(
    fc.property(cborData, (data) => {
      writer.value(data)
      const asGiven = { mapSorter: () => 0 }
      assert.deepEqual(Buffer.from(writer.take()), Buffer.from(encodeWithCborg(data, asGiven)))
    }),
    { numRuns: 2000 },
  )
})

test('every float has the shortest of its three forms', () => {
  const writer = new CborWriter()
  const floats = [1.5, 65504.5, 21.5, -0.5, 2 ** -14, 2 ** -24, 2 ** -25, 1e300, 0.1, 100_000.5, 2 ** 70]
  for (const float of [...floats, ...floats.map((one) => -one)]) {
    writer.value(float)
    const bytes = writer.take()
    assert.deepEqual(Buffer.from(bytes), Buffer.from(encodeWithCborg(float)), String(float))
    assert.equal(new CborReader(bytes).value('float', 0), float)
  }
  // RFC 8949 appendix A has the smallest one; the other encoder takes the longer form for those between.
  writer.value(3 * 2 ** -24)
  assert.deepEqual(writer.take(), Uint8Array.of(0xf9, 0, 3))
})

test('the reader reads what either encoder writes', () => {
  fc.assert(
    fc.property(cborData, (data) => {
      for (const bytes of [encodeCbor(data), encodeWithCborg(data)]) {
        const reader = new CborReader(bytes)
        assert.deepEqual(comparable(reader.value('item', DEPTH_MAX)), comparable(data))
        reader.end('item')
      }
    }),
    { numRuns: 1000 },
  )
})

test('the reader takes and refuses the same bytes as the decoder that checks first', () => {
  let taken = 0
  const damaged = fc.tuple(cborData, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 }), fc.nat(3))
  fc.assert(
    fc.property(damaged, ([data, changes, cut]) => {
      const whole = encodeCbor(data)
      const bytes = whole.slice(0, whole.length - (cut === 0 ? 1 : 0))
      for (const [at, byte] of changes) bytes[at % (bytes.length || 1)] = byte
      const expected = attempt(() => decodeCbor(bytes, DEPTH_MAX))
      const read = attempt(() => readWhole(bytes))
      if (read === REFUSED_KEY) return
      assert.deepEqual(read, expected)
      if (read !== REFUSED) taken += 1
    }),
    { numRuns: 5000 },
  )
  assert.ok(taken > 500, `${taken} were taken`)
})

test('a map that names a key twice is refused', () => {
  assert.throws(() => readWhole(Uint8Array.of(0xa2, 0x61, 0x61, 1, 0x61, 0x61, 2)), /key twice/)
})

test('a length that the bytes cannot hold costs nothing', () => {
  for (const head of [0x5a, 0x7a, 0x9a, 0xba]) {
    assert.throws(() => readWhole(Uint8Array.of(head, 0xff, 0xff, 0xff, 0xff, 0)), /ends early|is not/)
  }
})

test('what is read does not refer to the bytes that it was read from', () => {
  const bytes = encodeCbor(['text', new Uint8Array([1, 2, 3])])
  const read = readWhole(bytes)
  bytes.fill(0)
  assert.deepEqual(read, ['text', new Uint8Array([1, 2, 3])])
})

test('a writer that was left in the middle starts again', () => {
  const writer = new CborWriter()
  writer.list(3)
  writer.text('x'.repeat(100_000))
  writer.reset()
  writer.uint(7)
  assert.deepEqual(writer.take(), Uint8Array.of(7))
})

const REFUSED = 'refused'
/** The other decoder lets the last of two equal keys stand. */
const REFUSED_KEY = 'refused for a key'

function readWhole(bytes: Uint8Array): CborData {
  const reader = new CborReader(bytes)
  const data = reader.value('item', DEPTH_MAX)
  reader.end('item')
  return data
}

function attempt(read: () => CborData): unknown {
  try {
    return comparable(read())
  } catch (error) {
    assert.ok(error instanceof FleetstepError && error.code === 'message-invalid', String(error))
    return error.message.includes('a key twice') ? REFUSED_KEY : REFUSED
  }
}
