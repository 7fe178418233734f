import { MAJOR_BYTES, MAJOR_LIST, MAJOR_MAP, MAJOR_TEXT } from './cbor-heads.ts'

/**
 * How many lists, maps and byte strings there are in CBOR, without building any of it: an empty one is a single byte and takes many in
 * memory. Heads stand one after the other whatever is nested in what, so nothing is counted twice. What is no CBOR ends the count:
 * whoever reads it finds that out. @param countMax beyond which it need not go on
 */
export function countContainers(bytes: Uint8Array, countMax: number): number {
  let count = 0
  for (let at = 0; at < bytes.length && count <= countMax;) {
    const initial = bytes[at] as number
    const major = initial >> 5
    const information = initial & 31
    const argumentBytes = information < 24 ? 0 : 2 ** (information - 24)
    if (major === MAJOR_BYTES || major === MAJOR_LIST || major === MAJOR_MAP) count += 1
    if (information > 27) break
    at += 1
    const hasContent = major === MAJOR_BYTES || major === MAJOR_TEXT
    const length = hasContent ? argumentAt(bytes, at, information) : 0
    at += argumentBytes + length
  }
  return count
}

function argumentAt(bytes: Uint8Array, at: number, information: number): number {
  if (information < 24) return information
  let argument = 0
  for (let index = 0; index < 2 ** (information - 24); index++) argument = argument * 256 + (bytes[at + index] ?? 0)
  return argument
}
