import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { inflateRawSync } from 'node:zlib'
import { decode, encode } from 'cborg'
import { fromHex, toHex } from '../../runtime/base/bytes.ts'
import { type CborData, decodeCbor, encodeCbor } from '../../runtime/base/cbor.ts'
import { CborReader } from '../../runtime/base/cbor-reader.ts'
import { type Digest, EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { FRAME_BYTES_MAX, FRAME_DEPTH_MAX } from '../../runtime/base/limits.ts'
import { type Random, seededRandom } from '../../runtime/base/random.ts'
import { createSigningKey } from '../../runtime/device/identity/keys.ts'
import { credentialOf, proveClaim, signGrant } from '../../runtime/device/identity/enrolment.ts'
import type { Message } from '../../runtime/sync/message.ts'
import { decodeFrame, dropReason, encodeFrame } from '../../runtime/sync/message-codec.ts'
import { Ledger } from '../simulation/ledger.ts'
import { runSchedule } from '../simulation/schedule.ts'
import { type CborItem, readCborItem } from '../support/cddl/cbor-item.ts'
import { CddlDrawer } from '../support/cddl/draw-cddl.ts'
import { CddlMatcher } from '../support/cddl/match-cddl.ts'
import { parseCddl } from '../support/cddl/parse-cddl.ts'
import { sealedMessages } from '../support/sealed-messages.ts'
import { signedFleet } from '../support/signed-fleet.ts'
import { readWireFile } from '../vectors/wire.ts'
import { batchOf } from './batches.ts'
import { isFrame } from './frame-grammar.ts'
import { framesLike, mutate } from './hostile-frames.ts'
import { STRUCTURAL_MUTATIONS, tuplesOf } from './structural-mutations.ts'

const SEED = Number(process.env['FLEETSTEP_SEED'] ?? 20_262)
const TEXT = readFileSync(new URL('../../runtime/sync/sync.cddl', import.meta.url), 'utf8')
const DOCUMENT = new CddlMatcher(parseCddl(TEXT))
const { fleet, frames } = readWireFile()
const GOLDEN = frames.map(({ frame }) => fromHex(frame))

describe('sync.cddl', () => {
  test('is CDDL by RFC 8610, and each of its rules is used', () => {
    assert.deepEqual(DOCUMENT.unused(['frame', 'credential-content']), [])
  })

  for (const { name, frame } of frames) {
    test(`describes the golden frame: ${name}`, () => {
      assert.ok(isDescribed(fromHex(frame)))
    })
  }

  test('describes whatever replicas send each other, signed and not', (t) => {
    const sent: Uint8Array[] = []
    const { readFrame } = Ledger.prototype
    t.mock.method(Ledger.prototype, 'readFrame', function (this: Ledger, bytes: Uint8Array): Message {
      sent.push(bytes)
      return readFrame.call(this, bytes)
    })
    for (let seed = SEED; seed < SEED + SCHEDULES; seed++) runSchedule(seed, 'all', null)
    const kinds = new Set<string>()
    for (const bytes of sent) {
      kinds.add(decodeFrame(fleetIn(bytes), bytes).kind)
      if (!isDescribed(bytes)) assert.fail(toHex(bytes))
    }
    assert.ok(sent.some(isSealed) && sent.some((bytes) => !isSealed(bytes)))
    const usual = ALL_KINDS.filter((kind) => kind !== 'telemetry' && kind !== 'refusal')
    assert.deepEqual(
      usual.filter((kind) => !kinds.has(kind)),
      [],
    )
  })

  test('describes a batch of many operations, which is deflated', () => {
    const frame = encodeFrame(fleet, { kind: 'batch', batch: batchOf({ by: 'A', count: 200 }) })
    assert.ok(deflatedIn(frame) !== null && isDescribed(frame))
  })

  test('describes sealed messages with signatures of Ed25519', () => {
    for (const bytes of sealedFrames()) assert.ok(isDescribed(bytes), toHex(bytes))
  })

  test('describes what a join carries to trace its member back to the operator', () => {
    const keys = signedFleet()
    const key = createSigningKey()
    const claim = { fleet: keys.facts.id, member: keys.founder, tier: 0, key: key.publicKey }
    const granted = credentialOf(proveClaim(claim, key, null), signGrant(claim, keys.operator))
    for (const credential of [granted, proveClaim(claim, key, keys.token())]) {
      assert.ok(DOCUMENT.matches('credential-content', credential))
    }
  })

  test('and the decoder say the same of frames with one wrong field, but for what CDDL cannot say', () => {
    const random = seededRandom(SEED)
    const seen = new Agreement()
    for (const original of GOLDEN) {
      for (const bytes of framesLikeThat(original)) if (random.uint32() % 10 === 0) seen.note(bytes)
    }
    for (const original of sealedFrames()) for (const bytes of framesLikeThat(original)) seen.note(bytes)
    seen.expectAtLeast(150, 1000)
  })

  test('and the decoder say the same of damaged frames, but for what CDDL cannot say', () => {
    const random = seededRandom(SEED)
    const originals = [...GOLDEN, ...sealedFrames()]
    const any = (): Uint8Array => originals[random.uint32() % originals.length] as Uint8Array
    const seen = new Agreement()
    for (let round = 0; round < 8000; round++) seen.note(mutate(any(), any(), random))
    seen.expectAtLeast(400, 4000)
  })

  test('and the decoder say the same of frames drawn by it, but for what CDDL cannot say', () => {
    const seen = new Agreement()
    for (const bytes of drawnFrames(800, seededRandom(SEED))) {
      assert.ok(DOCUMENT.matches('frame', bytes), toHex(bytes))
      seen.note(bytes)
    }
    seen.expectAtLeast(300, 0)
    assert.deepEqual([...seen.kinds].toSorted(), ALL_KINDS)
  })

  test('describes each frame that the grammar of the fuzzer takes', () => {
    const random = seededRandom(SEED)
    const ofFleet = fromHex(fleet)
    let count = 0
    for (const original of GOLDEN) {
      for (const bytes of framesLikeThat(original)) {
        if (random.uint32() % 10 > 0 || !isFrame(decode(bytes, { allowBigInt: true }), ofFleet)) continue
        count += 1
        if (!isDescribed(bytes)) assert.fail(toHex(bytes))
      }
    }
    assert.ok(count > 100, `${count} frames`)
  })

  for (const [what, mutations] of STRUCTURAL_MUTATIONS) {
    test(`and the decoder refuse ${what}`, () => {
      let count = 0
      for (const original of plainFrames()) {
        for (const bytes of mutations(original)) {
          count += 1
          if (isDescribed(bytes) || problemOf(bytes) === null)
            assert.fail(`${toHex(original)} became ${toHex(bytes)}: ${problemOf(bytes)}`)
        }
      }
      assert.ok(count >= 5, `${count} frames`)
    })
  }

  test('is broken by none of those mutations that change nothing', () => {
    for (const original of plainFrames()) {
      for (const { fields, put } of tuplesOf(original)) assert.equal(toHex(put(fields)), toHex(original))
    }
  })
})

describe('the reader of CDDL', () => {
  const holds = (text: string, value: unknown): boolean => new CddlMatcher(parseCddl(text)).matches('a', encode(value))

  for (const text of [
    'a = #6.32(tstr)',
    'a = b',
    'a = tstr .regexp "b"',
    'a = { ? b: uint, c: uint }',
    'a = int\na = tstr',
    'a /= int',
    'a = 0...3',
    'a = ~int',
    'a = bstr .cbor int .size 8',
    'a<b> = [b]\nc = a<int / tstr>',
    'a = $more',
    'number = int',
  ]) {
    test(`refuses what it does not know: ${text}`, () => {
      assert.throws(() => holds(text, { b: 1, c: 2 }))
    })
  }

  for (const [text, good, bad] of [
    ['a = [b: int, ? tstr]', [[1], [1, 'x']], [[], [1, 2], [1, 'x', 'x'], { b: 1 }]],
    [
      'a = [2*3 int]',
      [
        [1, 2],
        [1, 2, 3],
      ],
      [[1], [1, 2, 3, 4]],
    ],
    [
      'a = [+ (int, tstr)]',
      [
        [1, 'x'],
        [1, 'x', 2, 'y'],
      ],
      [[], [1], [1, 'x', 2]],
    ],
    ['a = [(b // int, tstr)]\nb = (bool)', [[true], [1, 'x']], [[1], [true, 'x']]],
    ['a = [* int, tstr]', [['x'], [1, 'x']], [[1], ['x', 1]]],
    ['a = b<tstr>\nb<c> = c / [* b<c>]', ['x', [['x']]], [1, [[1]]]],
    ["a = &( b: 1, c: 3 ) / h'ff'", [1, 3, Uint8Array.of(255)], [2, 'b', Uint8Array.of(254)]],
    ['a = tstr .size (1..2) / {* tstr => null}', ['ab', 'é', {}, { b: null }], ['', 'abc', 'éé', { b: 1 }]],
    ['a = bstr .cbor [int]', [encode([1])], [encode([]), encode(['x']), Uint8Array.of(0x81), [1]]],
    ['a = float64 / -2..2', [0.1, -2, 2], [1.5, 3, -3, '1']],
  ] as const) {
    test(`holds data against ${text.replaceAll('\n', ' | ')}`, () => {
      for (const value of good) assert.ok(holds(text, value), JSON.stringify(value))
      for (const value of bad) assert.ok(!holds(text, value), JSON.stringify(value))
    })
  }
})

const SCHEDULES = 12
const ALL_KINDS = [
  'announcement',
  'batch',
  'chunk',
  'chunk-request',
  'epoch',
  'join-request',
  'offer',
  'refusal',
  'request',
  'telemetry',
]

/** Whether the document describes a frame, and what is deflated in it. */
function isDescribed(bytes: Uint8Array): boolean {
  if (!DOCUMENT.matches('frame', bytes)) return false
  const deflated = deflatedIn(bytes)
  if (deflated === null) return true
  const plain = inflatedOrNull(deflated)
  return plain !== null && DOCUMENT.matches('plain-batch', plain)
}

/** What a batch is deflated to, in an envelope or not; null if it is plain, or the frame holds none. */
function deflatedIn(bytes: Uint8Array): Uint8Array | null {
  const [, , kind, body] = itemsOf(readCborItem(bytes))
  if (kind?.kind !== 'integer' || kind.value !== 0n) return null
  const content = innerItem(body)
  const batch = itemsOf(content).length === 4 ? innerItem(itemsOf(content)[2]) : content
  return batch.kind === 'bytes' ? batch.value : null
}

function fleetIn(bytes: Uint8Array): Digest {
  const [, sender] = itemsOf(readCborItem(bytes))
  return (sender?.kind === 'bytes' ? toHex(sender.value) : '') as Digest
}

function isSealed(bytes: Uint8Array): boolean {
  const [, , kind, body] = itemsOf(readCborItem(bytes))
  const content = kind?.kind === 'integer' && kind.value === 0n ? innerItem(body) : body
  return content?.kind === 'array' && content.items[1]?.kind === 'map'
}

function itemsOf(item: CborItem): readonly CborItem[] {
  return item.kind === 'array' ? item.items : []
}

function innerItem(item: CborItem | undefined): CborItem {
  if (item?.kind !== 'bytes') throw new Error('a batch is in bytes')
  return readCborItem(item.value)
}

function inflatedOrNull(bytes: Uint8Array): Uint8Array | null {
  try {
    return inflateRawSync(bytes, { maxOutputLength: FRAME_BYTES_MAX })
  } catch {
    return null
  }
}

/** Why the decoder does not take a frame, or null. */
function problemOf(bytes: Uint8Array): string | null {
  try {
    decodeFrame(fleet, bytes)
    return null
  } catch (error) {
    return dropReason(error)
  }
}

/** What the document and the decoder say of many frames. */
class Agreement {
  readonly kinds = new Set<string>()
  readonly #count = { taken: 0, refused: 0 }

  note(bytes: Uint8Array): void {
    if (bytes.length > FRAME_BYTES_MAX) return
    const problem = problemOf(bytes)
    if (!isDescribed(bytes)) {
      if (problem === null) assert.fail(`the decoder takes what the document does not describe: ${toHex(bytes)}`)
      this.#count.refused += 1
    } else if (problem === null) {
      this.#count.taken += 1
      this.kinds.add(decodeFrame(fleet, bytes).kind)
    } else if (!SAID_IN_WORDS.some((words) => words.test(problem))) {
      assert.fail(`the document describes what the decoder does not take, because ${problem}: ${toHex(bytes)}`)
    }
  }

  expectAtLeast(taken: number, refused: number): void {
    assert.ok(this.#count.taken >= taken && this.#count.refused >= refused, JSON.stringify(this.#count))
  }
}

/** What the document says in its comments. */
const SAID_IN_WORDS: readonly RegExp[] = [
  /^fleet is another one/,
  // Numbers in one form, and those that go together.
  /longer than it need be$/,
  /whole number (written as a float|is not an integer)$/,
  /^gap is empty$/,
  /^floor is below the genesis$/,
  /^stage does not grow within a batch$/,
  /^stage of the previous operation is more than/,
  /^seq is too large$/,
  /names no member of the batch$/,
  // Lists.
  /are not sorted$/,
  /^readings are of one point twice$/,
  /a key (occurs twice|is __proto__)$/,
  /has a key twice, or the key __proto__$/,
  // Paths and values.
  /^path is not valid/,
  /^point is no path$/,
  /^device is not one name$/,
  /is not finite$/,
  /nested (too deep|deeper than \d+ levels)$/,
  /^value is not one of at most 512 bytes$/,
  /a value has at most/,
  // Rules.
  /^set takes the rules of a device in their one form$/,
  /^rules is not bytes$/,
  /^operation sets rules and does more$/,
  // Who is spoken of, and to.
  /is of the genesis$/,
  /has a member id of the genesis$/,
  /^reason is not one line of plain text$/,
]

/** With another field somewhere: in the frame, in its batch, or in the payload of its envelope. */
function* framesLikeThat(original: Uint8Array): Generator<Uint8Array> {
  const frame = decodeCbor(original, FRAME_DEPTH_MAX) as readonly CborData[]
  const [, , kind, body] = frame
  const batch = kind === 0 && body instanceof Uint8Array ? new CborReader(body).value('batch', FRAME_DEPTH_MAX) : null
  yield* framesLike(frame, batch)
  const envelope = body as readonly CborData[]
  if (batch !== null || !isSealed(original)) return
  const payload = decodeCbor(envelope[2] as Uint8Array, FRAME_DEPTH_MAX) as readonly CborData[]
  for (const changed of framesLike(payload, null)) yield encodeCbor(frame.with(3, envelope.with(2, changed)))
}

/** One of each kind that is signed, and an offer of a sponsor who was let in by a token. */
function sealedFrames(): Uint8Array[] {
  const keys = signedFleet()
  const sealed = sealedMessages(keys, keys.founderKey).map(({ kind, bytes }) => {
    const number = ['batch', 'announcement', 'request', '', '', '', 'offer', 'chunk request'].indexOf(kind)
    return encode([1, fromHex(fleet), number, number === 0 ? bytes : decode(bytes)])
  })
  const { founder: member } = keys
  const sponsor = { member, tier: 2, key: keys.founderKey.publicKey, token: EMPTY_DIGEST, credential: fromHex('80') }
  const plain = { to: member, from: member, purpose: 'welcome', digest: EMPTY_DIGEST, size: 9, sponsor } as const
  const offer = keys.signatures(keys.founderKey).signOffer(plain)
  return [...sealed, encodeFrame(fleet, { kind: 'offer', offer })]
}

/** What is not deflated of the golden and of the sealed ones. */
function plainFrames(): Uint8Array[] {
  return [...GOLDEN, ...sealedFrames()].filter((bytes) => deflatedIn(bytes) === null)
}

function drawnFrames(count: number, random: Random): Uint8Array[] {
  const ofFleet = TEXT.replace('fleet: digest, (batch-frame', `fleet: h'${fleet}', (batch-frame`)
  const drawer = new CddlDrawer(parseCddl(ofFleet), random)
  return Array.from({ length: count }, () => drawer.draw('frame'))
}
