import { crc32 } from '../../base/checksum.ts'
import { assert } from '../../base/errors.ts'
import { SERIAL_FRAME_BYTES_MAX } from '../../base/limits.ts'

/**
 * A frame on the line: COBS( content, CRC-32 ) 00. COBS (Cheshire and Baker, IEEE/ACM Transactions on Networking 7.2,
 * 1999) takes every zero out at a cost of one byte in 254, so that a receiver finds the next frame behind any damage.
 * The npm packages for it decode cut input to zeros or have no bound, so it stands here.
 *
 * The content begins with a head of 80 hexadecimal or more. So no frame begins as a line of text does, nor as the lines of
 * SMP over a console (06 09 and 04 14), and both may share the port.
 */

/** The end of a frame, and the beginning of one on a line that was idle: it cuts noise and text off. */
export const DELIMITER = 0
/** Heads are from here up. */
export const HEAD_MIN = 0x80
const CHECKSUM_BYTES = 4
/** A block holds at most 254 bytes that are not zero, and its code before them. */
const BLOCK = 255
/** Of the longest content, with checksum and COBS, without the delimiter. */
export const ENCODED_BYTES_MAX: number =
  SERIAL_FRAME_BYTES_MAX + CHECKSUM_BYTES + overheadOf(SERIAL_FRAME_BYTES_MAX + 4)

/**
 * @param content 1 to SERIAL_FRAME_BYTES_MAX bytes, a head first
 * @param isAfterIdle puts a delimiter before it too
 */
export function encodeSerialFrame(content: Uint8Array, isAfterIdle: boolean): Uint8Array {
  assert(content.length > 0 && content.length <= SERIAL_FRAME_BYTES_MAX, 'a frame holds what fits into it')
  assert((content[0] ?? 0) >= HEAD_MIN, 'a frame begins with a head')
  const plain = new Uint8Array(content.length + CHECKSUM_BYTES)
  plain.set(content)
  new DataView(plain.buffer).setUint32(content.length, crc32(content))
  const encoded = new Uint8Array(plain.length + overheadOf(plain.length) + 2)
  let at = isAfterIdle ? 1 : 0
  at = cobsEncode(plain, encoded, at)
  return encoded.subarray(0, at + 1)
}

/** @returns the content, or null if anything is wrong with it */
export function decodeSerialFrame(encoded: Uint8Array): Uint8Array | null {
  const plain = cobsDecode(encoded)
  if (plain === null || plain.length <= CHECKSUM_BYTES) return null
  const content = plain.subarray(0, plain.length - CHECKSUM_BYTES)
  const stated = new DataView(plain.buffer, plain.byteOffset + content.length).getUint32(0)
  return stated === crc32(content) && (content[0] ?? 0) >= HEAD_MIN ? content : null
}

/** Bytes that a content of `bytes` takes on the line. */
export function lineBytesOf(bytes: number): number {
  const plain = bytes + CHECKSUM_BYTES
  return plain + overheadOf(plain) + 1
}

/** @returns where the encoded bytes end in `target` */
function cobsEncode(plain: Uint8Array, target: Uint8Array, start: number): number {
  let codeAt = start
  let at = start + 1
  for (let index = 0; index < plain.length; index += 1) {
    const byte = plain[index] ?? 0
    if (byte !== DELIMITER) {
      target[at] = byte
      at += 1
    }
    const isFull = at - codeAt === BLOCK
    if (byte === DELIMITER || (isFull && index + 1 < plain.length)) {
      target[codeAt] = at - codeAt
      codeAt = at
      at += 1
    }
  }
  target[codeAt] = at - codeAt
  return at
}

/** @returns null where a block goes beyond the end, or a zero stands inside */
function cobsDecode(encoded: Uint8Array): Uint8Array | null {
  const plain = new Uint8Array(encoded.length)
  let length = 0
  let at = 0
  while (at < encoded.length) {
    const code = encoded[at] ?? 0
    if (code === DELIMITER || at + code > encoded.length) return null
    for (let index = at + 1; index < at + code; index += 1) {
      const byte = encoded[index] ?? 0
      if (byte === DELIMITER) return null
      plain[length] = byte
      length += 1
    }
    at += code
    if (code !== BLOCK && at < encoded.length) length += 1
  }
  return plain.subarray(0, length)
}

function overheadOf(plainBytes: number): number {
  return Math.floor(plainBytes / (BLOCK - 1)) + 1
}
