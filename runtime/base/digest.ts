import { createHash } from 'node:crypto'
import { toHex } from './bytes.ts'

/** First 8 bytes of a SHA-256, as 16 lower-case hexadecimal digits. It tells two contents apart; it is no signature. */
export type Digest = string & { readonly brand: 'Digest' }

/** The digest before anything: of a member that has issued nothing, of a state in which nothing was folded. */
export const EMPTY_DIGEST: Digest = '0000000000000000' as Digest

/** @param parts digested in order, without separators: the caller frames what it digests */
export function digestOf(...parts: readonly (Uint8Array | string)[]): Digest {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return toHex(hash.digest().subarray(0, 8)) as Digest
}

export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && /^[0-9a-f]{16}$/.test(text)
}
