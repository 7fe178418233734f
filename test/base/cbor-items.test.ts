import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encode as encodeWithCborg } from 'cborg'
import fc from 'fast-check'
import { fromHex } from '../../runtime/base/bytes.ts'
import { type CborData, encodeCbor } from '../../runtime/base/cbor.ts'
import { CborReader } from '../../runtime/base/cbor-reader.ts'
import { CborWriter } from '../../runtime/base/cbor-writer.ts'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { heap } from '../support/heap.ts'
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

test('the reader reads what either of them writes', () => {
  const writer = new CborWriter()
  fc.assert(
    fc.property(cborData, (data) => {
      writer.value(data)
      for (const bytes of [writer.take(), encodeWithCborg(data)]) {
        assert.deepEqual(comparable(readWhole(bytes)), comparable(data))
      }
    }),
    { numRuns: 1000 },
  )
})

test('the reader takes nothing but what the writer writes, byte for byte but for the order of keys', () => {
  const writer = new CborWriter()
  let taken = 0
  const damaged = fc.tuple(cborData, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 }), fc.nat(3))
  fc.assert(
    fc.property(damaged, ([data, changes, cut]) => {
      writer.value(data)
      const whole = writer.take()
      const bytes = whole.slice(0, whole.length - (cut === 0 ? 1 : 0))
      for (const [at, byte] of changes) bytes[at % (bytes.length || 1)] = byte
      const read = readOrRefused(bytes)
      if (read === undefined) return
      writer.value(read)
      const again = writer.take()
      // Objects have keys that look like indices in front, wherever they stood.
      assert.deepEqual(again.toSorted(), bytes.toSorted())
      assert.deepEqual(comparable(readWhole(again)), comparable(read))
      taken += 1
    }),
    { numRuns: 10_000 },
  )
  assert.ok(taken > 1000, `${taken} were taken`)
})

/** RFC 8949, appendix F and section 4.1. */
const REFUSED: readonly (readonly [what: string, hex: string, reason: RegExp])[] = [
  ['a length that is written longer than it need be', '780161', /longer than it need be/],
  ['an integer of two bytes that fits in one', '1817', /longer than it need be/],
  ['an integer of nine bytes that fits in five', '1b00000000ffffffff', /longer than it need be/],
  ['a negative integer of nine bytes that fits in five', '3b00000000ffffffff', /longer than it need be/],
  ['a whole number as a float', 'f93c00', /whole number written as a float/],
  ['a negative zero', 'f98000', /whole number written as a float/],
  ['a float of 32 bits that fits in 16', 'fa3fc00000', /longer than it need be/],
  ['a float of 64 bits that fits in 32', 'fb3ff8000000000000', /longer than it need be/],
  ['an infinite number', 'f97c00', /not finite/],
  ['what is not a number', 'f97e00', /not finite/],
  ['a tag', 'c11a514b67b0', /tag/],
  ['undefined', 'f7', /none of false, true, null/],
  ['an indefinite list', '9f00ff', /indefinite/],
  ['an indefinite text', '7f6161ff', /indefinite/],
  ['a reserved head', '1c', /reserved/],
  ['a key that is no text', 'a10000', /not text/],
  ['a key __proto__', 'a1695f5f70726f746f5f5f00', /__proto__/],
  ['text that is not UTF-8', '62c328', /UTF-8/],
  ['nesting that is too deep', `${'81'.repeat(DEPTH_MAX + 1)}00`, /nested too deep/],
  ['two items', '0000', /followed by other bytes/],
  ['nothing', '', /ends early/],
]

for (const [what, hex, reason] of REFUSED) {
  test(`${what} is refused with its reason`, () => {
    assert.throws(() => readWhole(fromHex(hex)), reason)
  })
}

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

function readWhole(bytes: Uint8Array): CborData {
  const reader = new CborReader(bytes)
  const data = reader.value('item', DEPTH_MAX)
  reader.end('item')
  return data
}

function readOrRefused(bytes: Uint8Array): CborData | undefined {
  try {
    return readWhole(bytes)
  } catch (error) {
    assert.ok(error instanceof FleetstepError && error.code === 'message-invalid', String(error))
    return undefined
  }
}

test('a list that was read takes no room for items that it does not hold', () => {
  const bytes = encodeCbor([1])
  const lists: unknown[] = Array.from({ length: 20_000 }, () => null)
  const before = heap()
  for (let index = 0; index < lists.length; index++) lists[index] = new CborReader(bytes).value('list', 1)
  const bytesEach = (heap() - before) / lists.length
  assert.ok(bytesEach < 128, `${bytesEach} bytes for a list of one number`)
})
