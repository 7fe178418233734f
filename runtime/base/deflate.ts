// node:zlib: part of the platform, and the bytes of RFC 1951 are read everywhere.
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { FleetstepError } from './errors.ts'

/** RFC 1951, without a header of its own. @returns a view, to be copied before it is kept */
export function deflate(bytes: Uint8Array): Uint8Array {
  return deflateRawSync(bytes, { memLevel: MEMORY_LEVEL })
}

/** @throws FleetstepError `message-invalid` if it is not what {@link deflate} makes, or holds more than `bytesMax` */
export function inflate(field: string, deflated: Uint8Array, bytesMax: number): Uint8Array {
  try {
    return inflateRawSync(deflated, { maxOutputLength: bytesMax })
  } catch (cause) {
    throw new FleetstepError('message-invalid', `${field} cannot be inflated to at most ${bytesMax} bytes`, { cause })
  }
}

/** 64 KiB of working memory: as much as the largest message has bytes, and a quarter of what the default takes. */
const MEMORY_LEVEL = 6
