import crypto from 'node:crypto'

/** First 8 bytes of a SHA-256, as 16 lower-case hexadecimal digits. It tells two contents apart; it is no signature. */
export type Digest = string & { readonly brand: 'Digest' }

/** The digest before anything: of a member that has issued nothing, of a state in which nothing was folded. */
export const EMPTY_DIGEST: Digest = '0000000000000000' as Digest

/** @param more digested behind `content`, without separators: the caller frames what it digests */
export function digestOf(content: Uint8Array | string, ...more: readonly (Uint8Array | string)[]): Digest {
  const hex = more.length === 0 ? sha256Hex(content) : sha256OfParts(content, more)
  return hex.slice(0, EMPTY_DIGEST.length) as Digest
}

export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && /^[0-9a-f]{16}$/.test(text)
}

function sha256OfParts(content: Uint8Array | string, more: readonly (Uint8Array | string)[]): string {
  const hash = crypto.createHash('sha256').update(content)
  for (const part of more) hash.update(part)
  return hash.digest('hex')
}

/**
 * Each batch is digested, so this is on the way of every operation. The one-shot hash takes 0.9 µs for a message of 95 bytes
 * where a Hash object takes 2.1 µs (x86-64); Node has it from 20.12 on.
 */
const sha256Hex: (content: Uint8Array | string) => string =
  typeof crypto.hash === 'function'
    ? (content) => crypto.hash('sha256', content, 'hex')
    : (content) => crypto.createHash('sha256').update(content).digest('hex')
