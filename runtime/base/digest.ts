import crypto from 'node:crypto'
import { wordAt } from './bytes.ts'

/** First 8 bytes of a SHA-256, as 16 lower-case hexadecimal digits. It tells two contents apart; it is no signature. */
export type Digest = string & { readonly brand: 'Digest' }

/** The digest before anything: of a member that has issued nothing, of a state in which nothing was folded. */
export const EMPTY_DIGEST: Digest = '0000000000000000' as Digest

export function digestOf(content: Uint8Array | string): Digest {
  return beginningOf(sha256(content))
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

function beginningOf(hash: Hash): Digest {
  return recent(wordOf(hash, 0), wordOf(hash, 4))
}

/** The digest whose 8 bytes begin at `at`. What was made or read lately is the same text, which then is kept once. */
export function digestAt(bytes: Uint8Array, at: number): Digest {
  return recent(wordAt(bytes, at), wordAt(bytes, at + 4))
}

function recent(high: number, low: number): Digest {
  const slot = (low ^ (low >>> 16)) & (SLOTS - 1)
  if (highs[slot] === high && lows[slot] === low) return texts[slot] as Digest
  const digest = textOf(high, low)
  highs[slot] = high
  lows[slot] = low
  texts[slot] = digest
  return digest
}

const SLOTS = 1024
/** In columns: an object for each took 48 bytes. A slot that is free holds the digest of zeros. */
const highs = new Int32Array(SLOTS)
const lows = new Int32Array(SLOTS)
const texts: Digest[] = Array.from({ length: SLOTS }, () => EMPTY_DIGEST)

function wordOf(hash: Hash, at: number): number {
  return (
    (hash.charCodeAt(at) << 24) |
    (hash.charCodeAt(at + 1) << 16) |
    (hash.charCodeAt(at + 2) << 8) |
    hash.charCodeAt(at + 3)
  )
}

/** At once: a third of the time that Buffer takes for so few bytes, and no part of a longer text that is kept with it. */
function textOf(high: number, low: number): Digest {
  return String.fromCharCode(
    digit(high >>> 28),
    digit(high >>> 24),
    digit(high >>> 20),
    digit(high >>> 16),
    digit(high >>> 12),
    digit(high >>> 8),
    digit(high >>> 4),
    digit(high),
    digit(low >>> 28),
    digit(low >>> 24),
    digit(low >>> 20),
    digit(low >>> 16),
    digit(low >>> 12),
    digit(low >>> 8),
    digit(low >>> 4),
    digit(low),
  ) as Digest
}

/** The character of the lowest four bits. */
function digit(word: number): number {
  const nibble = word & 15
  return nibble < 10 ? 48 + nibble : 87 + nibble
}
