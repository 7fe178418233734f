/** Lower-case hexadecimal of `bytes`. */
export function toHex(bytes: Uint8Array): string {
  if (bytes.length === DIGEST_BYTES) return hexOfEight(bytes)
  return asBuffer(bytes).toString('hex')
}

/** Bytes of a hexadecimal text of even length; the caller has checked its form. */
export function fromHex(hex: string): Uint8Array {
  const bytes = allocate(hex.length / 2)
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = (nibbleOf(hex.charCodeAt(2 * index)) << 4) | nibbleOf(hex.charCodeAt(2 * index + 1))
  }
  return bytes
}

/** Of a digit or a letter of either case: the low bits of a letter are 1 to 6. */
function nibbleOf(unit: number): number {
  return unit < 0x40 ? unit & 15 : (unit & 15) + 9
}

export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && asBuffer(left).equals(right)
}

/** A copy of `bytes` that may be kept as long as its neighbours, see {@link allocate}. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = allocate(bytes.length)
  copy.set(bytes)
  return copy
}

/**
 * Bytes to be written. Few share a slab: a buffer of their own takes 0.7 µs and some 200 bytes beside the content, a part of
 * a slab a seventh of both. For what lives about as long as its neighbours, such as what is folded with them: what is kept
 * for ever keeps the whole slab, and takes a buffer of its own.
 */
export function allocate(length: number): Uint8Array {
  if (length > SLAB_BYTES / 4) return new Uint8Array(length)
  if (slabUsed + length > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES)
    slabUsed = 0
  }
  slabUsed += length
  return slab.subarray(slabUsed - length, slabUsed)
}

/** The size of Node's own pool: enough for a hundred messages, and little if one of them is kept for ever. */
const SLAB_BYTES: number = 8 * 1024
let slab = new Uint8Array(SLAB_BYTES)
let slabUsed = 0

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

const DIGEST_BYTES = 8
const DIGITS: Uint8Array = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))

/** Digests stand in every batch: 80 ns, where the way over a Buffer takes 440 ns. */
function hexOfEight(bytes: Uint8Array): string {
  const high = (index: number): number => DIGITS[(bytes[index] as number) >> 4] as number
  const low = (index: number): number => DIGITS[(bytes[index] as number) & 15] as number
  // oxfmt-ignore
  return String.fromCharCode(
    high(0), low(0), high(1), low(1), high(2), low(2), high(3), low(3),
    high(4), low(4), high(5), low(5), high(6), low(6), high(7), low(7),
  )
}
