import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode as decodeWithCborg, encode as encodeWithCborg } from 'cborg'
import fc from 'fast-check'
import { fromHex } from '../../runtime/base/bytes.ts'
import { type CborData, decodeCbor, encodeCbor } from '../../runtime/base/cbor.ts'
import { cborData, comparable, mapped } from './cbor-data.ts'

const DEPTH_MAX = 8

test('what is encoded is decoded as the same data, by this decoder and by another one', () => {
  fc.assert(
    fc.property(cborData, (original) => {
      const bytes = encodeCbor(original)
      assert.deepEqual(mapped(decodeCbor(bytes, DEPTH_MAX), same), mapped(original, same))
      // The other one takes a byte order mark off a text.
      if (Buffer.from(bytes).includes('\uFEFF')) return
      assert.deepEqual(comparable(decodeWithCborg(bytes, { allowBigInt: true })), comparable(original))
    }),
    { numRuns: 1000 },
  )
})

test('what another encoder writes is decoded as the same data', () => {
  fc.assert(
    fc.property(cborData, (original) => {
      const bytes = encodeWithCborg(original, { float64: true })
      if (!hasDeepNegative(original)) assert.deepEqual(comparable(decodeCbor(bytes, DEPTH_MAX)), comparable(original))
    }),
    { numRuns: 1000 },
  )
})

test('whole numbers are integers on the wire, of the smallest form up to 32 bits', () => {
  const forms: [number | bigint, string][] = [
    [0, '00'],
    [23, '17'],
    [24, '1818'],
    [-1, '20'],
    [256, '190100'],
    [0xffff_ffff, '1affffffff'],
    [-0x8000_0000, '3a7fffffff'],
    [0x1_0000_0000, '1b0000000100000000'],
    [-0x8000_0001, '3b0000000080000000'],
    [Number.MAX_SAFE_INTEGER, '1b001fffffffffffff'],
    [2n ** 53n, '1b0020000000000000'],
    [2n ** 64n - 1n, '1bffffffffffffffff'],
    [-(2n ** 63n), '3b7fffffffffffffff'],
    [5n, '05'],
  ]
  for (const [whole, hex] of forms) assert.equal(Buffer.from(encodeCbor(whole)).toString('hex'), hex, `${whole}`)
})

/** Whatever is outside the subset, with the reason that is given. Source: RFC 8949, appendix A and appendix F. */
const OUTSIDE: readonly (readonly [what: string, hex: string, reason: RegExp])[] = [
  ['nothing', '', /ends early/],
  ['two items', '0000', /bytes follow/],
  ['a head that is cut off', '19ff', /cut off/],
  ['text that is cut off', '6261', /ends early/],
  ['a byte string of 2^63 bytes', '5b7fffffffffffffff00', /ends early/],
  ['a list of 2^32 - 1 items', '9affffffff00', /ends early/],
  ['a list of 2^64 - 1 items', '9bffffffffffffffff00', /ends early/],
  ['a map of 2^32 - 1 entries', 'baffffffff6161', /ends early/],
  ['nesting that is too deep', `${'81'.repeat(DEPTH_MAX + 1)}00`, /nested deeper/],
  ['nesting of a million levels', '81'.repeat(1_000_000), /nested deeper/],
  ['an indefinite byte string', '5f4100ff', /indefinite/],
  ['an indefinite text', '7f6161ff', /indefinite/],
  ['an indefinite list', '9f00ff', /indefinite/],
  ['an indefinite map', 'bf616100ff', /indefinite/],
  ['a break', 'ff', /simple value/],
  ['a reserved head', '1c', /reserved/],
  ['a tag: a date', 'c11a514b67b0', /tags/],
  ['a tag: a big number', 'c249010000000000000000', /tags/],
  ['a tag of the library: a record', 'd9dfff8361616162', /tags/],
  ['undefined', 'f7', /simple value/],
  ['another simple value', 'f0', /simple value/],
  ['a simple value of two bytes', 'f8ff', /simple value/],
  ['a key that is no text', 'a10000', /key is not text/],
  ['a key __proto__', 'a1695f5f70726f746f5f5f00', /__proto__/],
  ['text that is not UTF-8', '62c328', /UTF-8/],
  ['text with half of a surrogate pair', '63eda080', /UTF-8/],
  ['a key that is not UTF-8', 'a161ff00', /UTF-8/],
  ['a key that occurs twice', 'a2616100616100', /twice/],
  ['a small number in two bytes', '1817', /longer than it need be/],
  ['a small number in three bytes', '1900ff', /longer than it need be/],
  ['a small number in five bytes', '1a0000ffff', /longer than it need be/],
  ['a small number in nine bytes', '1b00000000ffffffff', /longer than it need be/],
  ['a negative number in nine bytes', '3b000000007fffffff', /longer than it need be/],
  ['a length in two bytes', '580100', /longer than it need be/],
  ['a half', 'f93e00', /not a double/],
  ['a float', 'fa3fc00000', /not a double/],
  ['a double that is whole', 'fb3ff0000000000000', /not an integer/],
  ['a zero with a sign', 'fb8000000000000000', /not an integer/],
]

for (const [what, hex, reason] of OUTSIDE) {
  test(`${what} is refused with its reason`, () => {
    assert.throws(() => decodeCbor(fromHex(hex), DEPTH_MAX), reason)
  })
}

test('what is accepted has one form: it is encoded to the bytes that it came from', () => {
  const numbers = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true }))
  fc.assert(
    fc.property(fc.array(fc.oneof(numbers, fc.string(), fc.uint8Array({ maxLength: 300 }))), fc.nat(), (list, at) => {
      const bytes = encodeCbor(list.map((entry) => (entry === 0 ? 0 : entry)))
      bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ (1 << (at % 8))
      const decoded = decodedOrNull(bytes)
      if (decoded !== null) assert.equal(hexOf(encodeCbor(decoded.data)), hexOf(bytes))
    }),
    { numRuns: 5000 },
  )
})

test('random bytes are refused or are data that goes round', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const decoded = decodedOrNull(bytes)
      if (decoded === null) return
      assert.deepEqual(comparable(decodeCbor(encodeCbor(decoded.data), DEPTH_MAX)), comparable(decoded.data))
    }),
    { numRuns: 5000 },
  )
})

/** What the library cannot write in the fewest bytes, and so is not accepted in them. */
function hasDeepNegative(value: CborData): boolean {
  if (typeof value === 'number' && Number.isInteger(value)) return value < -0x8000_0000 && value >= -0x1_0000_0000
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false
  return Object.values(value).some(hasDeepNegative)
}

function decodedOrNull(bytes: Uint8Array): { readonly data: CborData } | null {
  try {
    return { data: decodeCbor(bytes, DEPTH_MAX) }
  } catch (error) {
    assert.equal((error as { code?: unknown }).code, 'message-invalid')
    return null
  }
}

function same(leaf: unknown): unknown {
  return leaf
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
