import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { rawOfValue, valueOfRaw } from '../../runtime/device/drivers/scaling.ts'
import { decodeRegisters, encodeRegisters } from '../../runtime/device/instruments/modbus-registers.ts'
import { RAW_TYPES } from '../../runtime/device/profiles/attributes.ts'
import { resourceOf } from './profile-text.ts'

describe('the value of a raw reading', () => {
  const cases: [properties: string, raw: number | bigint, value: number | bigint][] = [
    ['valueType: Float32, readWrite: R, scale: 0.01', 2653, 26.53],
    ['valueType: Float32, readWrite: R, scale: 0.1, offset: -40', 650, 25],
    ['valueType: Uint16, readWrite: R, mask: 0x0ff0, shift: -4', 0xabcd, 0xbc],
    ['valueType: Uint16, readWrite: R, mask: 0xff, shift: 8', 0xabcd, 0xcd00],
    ['valueType: Float64, readWrite: R, base: 10', 3, 1000],
    ['valueType: Int16, readWrite: R, scale: 2', 21, 42],
    ['valueType: Uint64, readWrite: R', 2n ** 63n, 2n ** 63n],
    ['valueType: Uint64, readWrite: R', 17n, 17],
  ]
  for (const [properties, raw, value] of cases) {
    it(`is ${value} for ${raw} with ${properties}`, () => {
      assert.equal(valueOfRaw(resourceOf(properties).properties, raw), value)
    })
  }

  it('has a way back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -32_768, max: 32_767 }),
        fc.constantFrom(0.1, 0.01, 2, 5),
        fc.integer({ min: -100, max: 100 }),
        (raw, scale, offset) => {
          const { properties } = resourceOf(`valueType: Float64, readWrite: RW, scale: ${scale}, offset: ${offset}`)
          assert.equal(rawOfValue(properties, valueOfRaw(properties, raw), false), raw)
        },
      ),
      { numRuns: 30 },
    )
  })
})

describe('the registers of Modbus', () => {
  it('hold the highest word and byte first, unless the profile says otherwise', () => {
    const [plain, words, bytes] = [
      { isByteSwap: false, isWordSwap: false },
      { isByteSwap: false, isWordSwap: true },
      { isByteSwap: true, isWordSwap: false },
    ]
    assert.deepEqual(encodeRegisters(0x12345678, 'Uint32', plain), [0x1234, 0x5678])
    assert.deepEqual(encodeRegisters(0x12345678, 'Uint32', words), [0x5678, 0x1234])
    assert.deepEqual(encodeRegisters(0x12345678, 'Uint32', bytes), [0x3412, 0x7856])
    assert.equal(decodeRegisters([0x41c8, 0x0000], 'Float32', plain), 25)
    assert.equal(decodeRegisters([0x3dcc, 0xcccd], 'Float32', plain), 0.1)
    assert.equal(decodeRegisters([0xffff], 'Int16', plain), -1)
    assert.equal(encodeRegisters(70_000, 'Uint16', plain), null)
    assert.equal(encodeRegisters(-1, 'Uint16', plain), null)
  })

  it('give back what was put into them', () => {
    const order = fc.record({ isByteSwap: fc.boolean(), isWordSwap: fc.boolean() })
    fc.assert(
      fc.property(order, fc.constantFrom(...RAW_TYPES), fc.integer({ min: 0, max: 32_767 }), (swap, type, value) => {
        assert.equal(Number(decodeRegisters(encodeRegisters(value, type, swap) ?? [], type, swap)), value)
      }),
    )
  })
})
