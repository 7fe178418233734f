/**
 * CRC-32 of IEEE 802.3 (reflected, polynomial 0xEDB88320), as zlib computes it. Finds every flip of up to three bits
 * and every burst of up to 32 bits in some hundred bytes. Four bytes per step; zlib's own is missing in the first releases of Node 20.
 * @param previous checksum of the bytes before, to go on from
 */
export function crc32(bytes: Uint8Array, previous = 0): number {
  const words = bytes.length - (bytes.length % 4)
  let sum = ~previous
  let at = 0
  for (; at < words; at += 4) {
    sum ^=
      byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8) | (byteAt(bytes, at + 2) << 16) | (byteAt(bytes, at + 3) << 24)
    sum =
      entry(THIRD + (sum & 0xff)) ^
      entry(SECOND + ((sum >>> 8) & 0xff)) ^
      entry(FIRST + ((sum >>> 16) & 0xff)) ^
      entry(sum >>> 24)
  }
  for (; at < bytes.length; at += 1) sum = entry((sum ^ byteAt(bytes, at)) & 0xff) ^ (sum >>> 8)
  return ~sum >>> 0
}

const FIRST = 256
const SECOND = 512
const THIRD = 768
const TABLE = buildTable()

/** Four tables in one: the k-th holds the checksum of a byte that is followed by k zero bytes. */
function buildTable(): Int32Array {
  const table = new Int32Array(1024)
  for (let byte = 0; byte < 256; byte += 1) {
    let sum = byte
    for (let bit = 0; bit < 8; bit += 1) sum = (sum & 1) === 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1
    table[byte] = sum
  }
  for (let index = 256; index < 1024; index += 1) {
    const shorter = table[index - 256] ?? 0
    table[index] = (shorter >>> 8) ^ (table[shorter & 0xff] ?? 0)
  }
  return table
}

function entry(index: number): number {
  return TABLE[index] ?? 0
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0
}
