import crypto from 'node:crypto'

/** First 8 bytes of a SHA-256, as 16 lower-case hexadecimal digits. It tells two contents apart; it is no signature. */
export type Digest = string & { readonly brand: 'Digest' }

/** The digest before anything: of a member that has issued nothing, of a state in which nothing was folded. */
export const EMPTY_DIGEST: Digest = '0000000000000000' as Digest

/** @param more digested behind `content`, without separators: the caller frames what it digests */
export function digestOf(content: Uint8Array | string, ...more: readonly (Uint8Array | string)[]): Digest {
  return beginningOf(more.length === 0 ? sha256(content) : sha256OfParts(content, more))
}

export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && /^[0-9a-f]{16}$/.test(text)
}

/** The hash as a text of one character for each byte: the form in which Node hands it out soonest. */
type Hash = string

/**
 * Each batch is digested, so this is on the way of every operation. The one-shot hash takes 0.9 µs for a message of 95 bytes
 * where a Hash object takes 2.1 µs (x86-64); Node has it from 20.12 on.
 */
const sha256: (content: Uint8Array | string) => Hash =
  typeof crypto.hash === 'function'
    ? (content) => crypto.hash('sha256', content, 'binary')
    : (content) => crypto.createHash('sha256').update(content).digest('binary')

function sha256OfParts(content: Uint8Array | string, more: readonly (Uint8Array | string)[]): Hash {
  const hash = crypto.createHash('sha256').update(content)
  for (const part of more) hash.update(part)
  return hash.digest('binary')
}

/** A text of its own: a part of the longer one would keep all of it, 112 bytes for 32, with every batch that is held. */
function beginningOf(hash: Hash): Digest {
  beginning.write(hash, 0, beginning.length, 'latin1')
  return beginning.toString('hex') as Digest
}

const beginning: Buffer = Buffer.alloc(EMPTY_DIGEST.length / 2)
