import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { allocate, copyOf, fromHex, toHex } from '../../runtime/base/bytes.ts'
import { encodeBytesBehind, encodeCbor } from '../../runtime/base/cbor.ts'
import { digestOf } from '../../runtime/base/digest.ts'
import { type MemberId, memberIdFromBytes, memberIdToBytes } from '../../runtime/base/ids.ts'

/** Around the sizes at which a slab is full, and at which bytes have a buffer of their own. */
const LENGTHS = [0, 1, 7, 8, 9, 23, 24, 255, 256, 2047, 2048, 2049, 8192, 65_535, 65_536] as const

describe('bytes in slabs', () => {
  test('never share a place, however many there are', () => {
    const parts = Array.from({ length: 500 }, (_, index) => allocate(LENGTHS[index % 11] ?? 0).fill(index % 251))
    for (const [index, part] of parts.entries()) {
      assert.equal(part.length, LENGTHS[index % 11])
      assert.ok(part.every((byte) => byte === index % 251))
    }
  })

  test('are a copy that does not change with the original', () => {
    const original = Uint8Array.of(1, 2, 3)
    const copy = copyOf(original)
    original.fill(9)
    assert.deepEqual([...copy], [1, 2, 3])
  })
})

describe('hexadecimal text', () => {
  test('of every length is what Node writes, and comes back', () => {
    for (const length of LENGTHS) {
      const bytes = Uint8Array.from({ length }, (_, index) => (index * 37) % 256)
      const hex = toHex(bytes)
      assert.equal(hex, Buffer.from(bytes).toString('hex'))
      assert.deepEqual([...fromHex(hex)], [...bytes])
      assert.deepEqual([...fromHex(hex.toUpperCase())], [...bytes])
    }
  })
})

test('bytes behind a head are what the library writes', () => {
  for (const length of LENGTHS) {
    const bytes = new Uint8Array(length).fill(length % 256)
    assert.deepEqual(toHex(encodeBytesBehind(Uint8Array.of(0x82, 1), bytes)), toHex(encodeCbor([1, bytes])))
  }
})

test('a digest is the beginning of a SHA-256, of a text or its bytes', () => {
  assert.equal(digestOf(''), 'e3b0c44298fc1c14')
  assert.equal(digestOf(Buffer.from('abcd')), digestOf('abcd'))
})

test('a member id is the same text for the same bytes, however many others were read in between', () => {
  const bytesOf = (index: number): Uint8Array => {
    const bytes = new Uint8Array(12)
    new DataView(bytes.buffer).setUint32(index % 9, index)
    return bytes
  }
  const ids = Array.from({ length: 5000 }, (_, index) => memberIdFromBytes(bytesOf(index)))
  for (const [index, id] of ids.entries()) {
    const hex = Buffer.from(bytesOf(index)).toString('hex')
    assert.equal(id, `${hex.slice(0, 16)}.${hex.slice(16)}` as MemberId)
    assert.equal(memberIdFromBytes(bytesOf(index)), id)
    assert.deepEqual([...memberIdToBytes(id)], [...bytesOf(index)])
  }
})
