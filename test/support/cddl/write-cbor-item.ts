import { encode } from 'cborg'
import type { CborItem } from './cbor-item.ts'

/** `item` as CBOR: heads in the fewest bytes, floats as wide as they say. */
export function writeCborItem(item: CborItem): Uint8Array {
  switch (item.kind) {
    case 'array':
      return joined(encode(item.items.length), MAJOR_ARRAY, item.items.map(writeCborItem))
    case 'map':
      return joined(encode(item.entries.length), MAJOR_MAP, item.entries.flat().map(writeCborItem))
    case 'float':
      return floatBytes(item.value, item.bits)
    default:
      return encode(item.value)
  }
}

const MAJOR_ARRAY = 4
const MAJOR_MAP = 5

/** @param count as an integer, whose head is that of a list of so many, but for the major type */
function joined(count: Uint8Array, major: number, children: readonly Uint8Array[]): Uint8Array {
  const head = count.slice()
  head[0] = (head[0] ?? 0) | (major << 5)
  return new Uint8Array(Buffer.concat([head, ...children]))
}

function floatBytes(value: number, bits: 16 | 32 | 64): Uint8Array {
  // The library takes the fewest bytes, unless it is told to take eight.
  const bytes = encode(value, { float64: bits === 64 })
  if (bytes.length !== 1 + bits / 8) throw new Error(`${value} has no such form in ${bits} bits`)
  return bytes
}
