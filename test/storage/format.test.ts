import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { encodeBatch } from '../../runtime/storage/batch.ts'
import { crc32 } from '../../runtime/base/checksum.ts'
import { FORMAT_VERSION } from '../../runtime/storage/page.ts'
import { scanSegment } from '../../runtime/storage/segment.ts'

describe('CRC-32', () => {
  it('agrees with the check value of the standard, and with itself in pieces', () => {
    assert.equal(crc32(new TextEncoder().encode('123456789')), 0xcbf43926)
    assert.equal(crc32(new Uint8Array(0)), 0)
    const bitwise = (bytes: Uint8Array): number => {
      let sum = 0xffffffff
      for (const byte of bytes) {
        sum ^= byte
        for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (0xedb88320 & -(sum & 1))
      }
      return ~sum >>> 0
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, cut) => {
        assert.equal(crc32(bytes), bitwise(bytes))
        assert.equal(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut))), crc32(bytes))
      }),
    )
  })
})

describe('A batch', () => {
  it('of any records is read as it was written, and fills whole pages', () => {
    const records = fc.array(fc.uint8Array({ maxLength: 9000 }), { minLength: 0, maxLength: 20 })
    const header = fc.record({
      kind: fc.constantFrom('records' as const, 'opening' as const),
      number: fc.maxSafeNat().map((number) => number % 2 ** 48),
      epoch: fc.nat(0xffffffff),
      firstSequence: fc.maxSafeNat().map((number) => number % 2 ** 48),
    })
    fc.assert(
      fc.property(header, records, (fields, held) => {
        const batch = { ...fields, records: held.map((bytes) => Uint8Array.from(bytes)) }
        const bytes = encodeBatch(batch)
        assert.equal(bytes.length % 4096, 0)
        assert.deepEqual(
          scanSegment('x', bytes).batches.map((found) => found.batch),
          [batch],
        )
      }),
    )
  })

  it('is not found inside a record that holds the bytes of one', () => {
    const inner = encodeBatch({ kind: 'records', number: 9, epoch: 1, firstSequence: 9, records: [Uint8Array.of(1)] })
    // At every alignment that a page of the outer batch can give it.
    for (let shift = 0; shift < 4096; shift += 8) {
      const bytes = encodeBatch({
        kind: 'records',
        number: 2,
        epoch: 1,
        firstSequence: 2,
        records: [new Uint8Array(shift), inner, inner],
      })
      assert.deepEqual(
        scanSegment('x', bytes).batches.map(({ batch }) => batch.number),
        [2],
      )
    }
  })

  it('stays readable: the bytes of format 1 do not change', () => {
    const records = [Uint8Array.of(1, 2, 3), Uint8Array.of()]
    const bytes = encodeBatch({ kind: 'records', number: 7, epoch: 3, firstSequence: 41, records })
    assert.equal(FORMAT_VERSION, 1)
    assert.equal(Buffer.from(bytes.subarray(4, 59)).toString('hex'), GOLDEN)
    assert.ok(bytes.subarray(59).every((byte) => byte === 0))
    assert.equal(new DataView(bytes.buffer).getUint32(0), crc32(bytes.subarray(4)))
  })

  it('is not read from random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4096, maxLength: 4096 }), (bytes) => {
        assert.deepEqual(scanSegment('x', Uint8Array.from(bytes)).batches, [])
      }),
      { numRuns: 50 },
    )
  })
})

const GOLDEN = [
  '46534a50', // FSJP
  '0100', // format 1, records
  '000100000000', // one page, the first, reserved
  '000000000007', // batch
  '000000000029', // first sequence
  '00000003', // epoch
  '00000002', // records
  '00000013', // bytes
  '0000000355bc801d010203',
  '0000000000000000',
].join('')
