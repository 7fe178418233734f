import { type CborData, encodeCbor } from '../../runtime/base/cbor.ts'
import { CborWriter } from '../../runtime/base/cbor-writer.ts'
import type { Random } from '../../runtime/base/random.ts'

/** What an attacker or a bad cable makes of a frame. */
export function mutate(frame: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const below = (limit: number): number => random.uint32() % Math.max(1, limit)
  const at = below(frame.length)
  switch (below(8)) {
    case 0:
      return flipped(frame, 1 + below(8), below)
    case 1:
      return frame.slice(0, at)
    case 2:
      return joined(frame.slice(0, at), other.slice(below(other.length)))
    case 3:
      return joined(frame.slice(0, at), pick(BOMBS, below), frame.slice(at))
    case 4:
      return joined(frame.slice(0, at), pick(BOMBS, below), frame.slice(at + 1))
    case 5:
      return joined(frame.slice(0, at), new Uint8Array(1 + below(100)).fill(0x81), frame.slice(at))
    case 6:
      return joined(frame, Uint8Array.of(below(256)))
    default:
      return joined(frame.slice(0, at), frame.slice(at + 1 + below(12)))
  }
}

/** Heads that promise more than there is, indefinite lengths, tags, reserved heads, and deep nesting. */
const BOMBS: readonly Uint8Array[] = [
  Uint8Array.of(0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
  Uint8Array.of(0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
  Uint8Array.of(0xba, 0xff, 0xff, 0xff, 0xff),
  Uint8Array.of(0x7a, 0x00, 0xff, 0xff, 0xff),
  Uint8Array.of(0x9f),
  Uint8Array.of(0xbf),
  Uint8Array.of(0x5f),
  Uint8Array.of(0xff),
  Uint8Array.of(0xc0),
  Uint8Array.of(0xd9, 0xdf, 0xff),
  Uint8Array.of(0xd9, 0x01, 0x02),
  Uint8Array.of(0x1c),
  Uint8Array.of(0xf8, 0x20),
  new Uint8Array(1000).fill(0x81),
  new Uint8Array(500).fill(0xa1),
]

/** Contents that stand in for a field. Some of them fit some fields. */
const CONTENTS: readonly CborData[] = [
  null,
  true,
  0,
  1,
  -1,
  256,
  1.5,
  Number.MAX_SAFE_INTEGER,
  2n ** 64n - 1n,
  Number.NaN,
  '',
  'a//b',
  '__proto__',
  'x'.repeat(300),
  new Uint8Array(0),
  new Uint8Array(8),
  new Uint8Array(12).fill(0xee),
  [],
  [[]],
  Array.from({ length: 3000 }, () => null),
  { a: 1 },
  nested(30),
]

/** Every structure that differs from `data` in one place: another content, one entry less, one more, one twice. */
function* variantsOf(data: CborData): Generator<CborData> {
  for (const content of CONTENTS) yield content
  if (!Array.isArray(data)) return
  const list = data as readonly CborData[]
  yield [...list, null]
  for (const [index, entry] of list.entries()) {
    yield list.toSpliced(index, 1)
    yield list.toSpliced(index, 0, entry)
    for (const variant of variantsOf(entry)) yield list.with(index, variant)
  }
}

/** The variants of a frame, inside and outside the byte string of a batch. */
export function* framesLike(frame: readonly CborData[], batch: CborData | null): Generator<Uint8Array> {
  for (const variant of variantsOf(frame)) yield encodeCbor(variant)
  if (batch === null) return
  const writer = new CborWriter()
  for (const variant of variantsOf(batch)) {
    writer.value(variant)
    yield encodeCbor(frame.with(3, writer.take()))
  }
}

function nested(levels: number): CborData {
  return levels === 0 ? 0 : [nested(levels - 1)]
}

function flipped(frame: Uint8Array, count: number, below: (limit: number) => number): Uint8Array {
  const copy = frame.slice()
  for (let flip = 0; flip < count; flip++) {
    const at = below(copy.length)
    copy[at] = (copy[at] ?? 0) ^ (1 << below(8))
  }
  return copy
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

function pick<T>(from: readonly T[], below: (limit: number) => number): T {
  return from[below(from.length)] as T
}
