/** Lower-case hexadecimal of `bytes`. */
export function toHex(bytes: Uint8Array): string {
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
export function nibbleOf(unit: number): number {
  return unit < 0x40 ? unit & 15 : (unit & 15) + 9
}

export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && asBuffer(left).equals(right)
}

/** Bytes of a text in UTF-8. Most are short and in ASCII, and are counted before the platform could be asked. */
export function textBytes(text: string): number {
  if (text.length > COPIED_BYTE_BY_BYTE_MAX) return Buffer.byteLength(text)
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) >= 0x80) return Buffer.byteLength(text)
  return text.length
}

/** The text in ASCII of the bytes from `start` to `end`; a short one is put together sooner than the platform is asked. */
export function asciiText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > JOINED_UNITS_MAX) return asBuffer(bytes).toString('latin1', start, end)
  let text = ''
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at] as number)
  return text
}

/** What is joined to more than this is kept as its parts, each of which takes 32 bytes. */
const JOINED_UNITS_MAX = 12

/** Four bytes from `at` on as a signed number, big-endian. */
export function wordAt(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  )
}

/** A copy of `bytes` that may be kept as long as its neighbours, see {@link allocate}. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  return copyOfPart(bytes, 0, bytes.length)
}

/** A copy of `bytes` from `start` to `end`, of the same kind. Byte by byte where that is sooner done than a view is made. */
export function copyOfPart(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = allocate(end - start)
  if (end - start > COPIED_BYTE_BY_BYTE_MAX) copy.set(bytes.subarray(start, end))
  else for (let at = start; at < end; at++) copy[at - start] = bytes[at] as number
  return copy
}

/** Writes `bytes` into `target` from `at` on; byte by byte where that is sooner done than the platform is asked. */
export function copyInto(target: Uint8Array, at: number, bytes: Uint8Array): void {
  if (bytes.length > COPIED_BYTE_BY_BYTE_MAX) target.set(bytes, at)
  else for (let index = 0; index < bytes.length; index++) target[at + index] = bytes[index] as number
}

const COPIED_BYTE_BY_BYTE_MAX = 128

/**
 * Bytes to be written. Few share a slab: a buffer of their own takes 0.7 µs and some 200 bytes beside the content, a part of
 * a slab a seventh of both. For what lives about as long as its neighbours, such as what is folded with them: what is kept
 * for ever keeps the whole slab, and takes a buffer of its own.
 */
export function allocate(length: number): Uint8Array {
  if (length > SLAB_BYTES / 4) return new Uint8Array(length)
  if (slabUsed + length > SLAB_BYTES) {
    slab = new ArrayBuffer(SLAB_BYTES)
    slabUsed = 0
  }
  slabUsed += length
  return new Uint8Array(slab, slabUsed - length, length)
}

/** The size of Node's own pool: enough for a hundred messages, and little if one of them is kept for ever. */
const SLAB_BYTES: number = 8 * 1024
let slab = new ArrayBuffer(SLAB_BYTES)
let slabUsed = 0

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
