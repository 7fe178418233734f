import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '../../../runtime/base/random.ts'
import { SERIAL_FRAME_BYTES_MAX } from '../../../runtime/base/limits.ts'
import { LineDecoder, type LinePiece } from '../../../runtime/links/serial/decoder.ts'
import { encodeSerialFrame, ENCODED_BYTES_MAX, lineBytesOf } from '../../../runtime/links/serial/frame.ts'
import { decodePacket, encodePacket, type Packet } from '../../../runtime/links/serial/packet.ts'

const content = fc
  .tuple(fc.integer({ min: 0x80, max: 0xff }), fc.uint8Array({ maxLength: SERIAL_FRAME_BYTES_MAX - 1 }))
  .map(([head, rest]) => Uint8Array.of(head, ...rest))

describe('a frame on a serial line', () => {
  test('comes out as it went in, in pieces of any size, and holds no zero before its end', () => {
    fc.assert(
      fc.property(fc.array(content, { maxLength: 4 }), fc.integer({ min: 1, max: 64 }), (contents, chunk) => {
        const encoded = contents.map((one, index) => encodeSerialFrame(one, index % 2 === 0))
        for (const [index, one] of encoded.entries()) {
          assert.equal(one.indexOf(0, index % 2 === 0 ? 1 : 0), one.length - 1)
          assert.ok(one.length <= lineBytesOf(contents[index]?.length ?? 0) + 1)
        }
        assert.deepEqual(framesOf(pushed(Buffer.concat(encoded), chunk)), contents)
      }),
    )
  })

  test('of the worst content fits what the decoder holds', () => {
    for (const fill of [0, 1, 255]) {
      const longest = new Uint8Array(SERIAL_FRAME_BYTES_MAX).fill(fill)
      longest[0] = 0x90
      const encoded = encodeSerialFrame(longest, false)
      assert.ok(encoded.length - 1 <= ENCODED_BYTES_MAX)
      assert.deepEqual(framesOf(pushed(encoded, 7)), [longest])
    }
  })

  test('that is damaged in any one byte, cut or doubled is not taken, and the next one is', () => {
    const random = seededRandom(3)
    const one = Uint8Array.from({ length: 300 }, (_, index) => (index === 0 ? 0x90 : random.uint32() & 0xff))
    const encoded = encodeSerialFrame(one, false)
    const next = encodeSerialFrame(Uint8Array.of(0x81), true)
    for (let at = 0; at < encoded.length; at += 1) {
      const flipped = encoded.slice()
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
      for (const wrong of [flipped, encoded.filter((_, index) => index !== at), encoded.subarray(0, at)]) {
        const frames = framesOf(pushed(Buffer.concat([wrong, next]), 1000))
        assert.deepEqual(frames.at(-1), Uint8Array.of(0x81))
        // A frame that lost only its end marker is whole: the next one brings it.
        const isWhole = wrong.length === encoded.length - 1 && at === encoded.length - 1
        assert.equal(frames.length, isWhole ? 2 : 1)
      }
    }
  })
})

describe('what is no frame', () => {
  test('is handed on as it comes: text of a console, and lines of SMP, between frames and before the first', () => {
    const frame = encodeSerialFrame(Uint8Array.of(0x90, 1, 2, 3), true)
    const smp = Buffer.from('\u0006\u0009ABAKAAAHAABAAKFhZGJoaczl\n\u0004\u0014AAAA\n', 'latin1')
    const text = Buffer.from('[    0.000000] Booting Linux on physical CPU 0x0\r\nlogin: ')
    const pieces = pushed(Buffer.concat([text, frame, smp, frame, text]), 5)
    assert.deepEqual(framesOf(pieces).length, 2)
    assert.equal(foreignOf(pieces), Buffer.concat([text, smp, text]).toString('latin1'))
  })

  test('is not held back: SMP has no end marker of ours, and its client waits for the answer', () => {
    const decoder = new LineDecoder()
    assert.deepEqual(decoder.push(Uint8Array.of(6)), [])
    assert.equal(foreignOf(decoder.push(Uint8Array.of(9, 65))), '\u0006\u0009A')
    assert.equal(foreignOf(decoder.push(Uint8Array.of(66, 10))), 'B\n')
  })

  test('never crashes the decoder or makes it hold more than one frame', () => {
    const random = seededRandom(11)
    const decoder = new LineDecoder()
    for (let round = 0; round < 20_000; round += 1) {
      const zeros = round % 3
      const noise = Uint8Array.from({ length: random.uint32() % 200 }, () => {
        const byte = random.uint32() & 0xff
        return zeros === 0 && byte === 0 ? 0xaa : byte
      })
      for (const piece of decoder.push(noise)) assert.notEqual(piece.kind, 'frame')
      assert.ok(decoder.length <= ENCODED_BYTES_MAX)
    }
  })
})

describe('a packet', () => {
  const packets: Packet[] = [
    { kind: 'goodbye' },
    { kind: 'acknowledgement', acknowledgement: { ack: 200, transmission: 3, bitmap: 0 } },
    { kind: 'acknowledgement', acknowledgement: { ack: 0, transmission: 255, bitmap: 0x8000_0001 } },
    {
      kind: 'hello',
      hello: {
        version: 1,
        fleet: '00112233445566ff',
        node: 'aaaaaaaaaaaaaaaa' as never,
        incarnation: 0xfedc_ba98,
        heard: 7,
        payloadMax: 480,
        window: 32,
        isAsking: true,
      },
    },
    ...(['control', 'live', 'bulk'] as const).flatMap((stream): Packet[] =>
      [null, { ack: 1, transmission: 2, bitmap: 0 }, { ack: 1, transmission: 2, bitmap: 0xf000_000f }].map(
        (acknowledgement) => ({
          kind: 'data',
          data: { stream, seq: 9, transmission: 10, acknowledgement, payload: Uint8Array.of(1, 2, 3) },
        }),
      ),
    ),
  ]

  test('is read as it was written', () => {
    for (const packet of packets) assert.deepEqual(decodePacket(encodePacket(packet)), packet)
  })

  test('that is cut or of an unknown kind is not read', () => {
    for (const packet of packets) {
      const bytes = encodePacket(packet)
      for (let length = 0; length < bytes.length; length += 1) {
        const cut = decodePacket(bytes.subarray(0, length))
        assert.notDeepEqual(cut, packet)
      }
    }
    for (const head of [0, 0x7f, 0x83, 0x93, 0x98, 0xff])
      assert.equal(decodePacket(Uint8Array.of(head, 1, 2, 3, 4, 5, 6)), null)
  })
})

function pushed(bytes: Uint8Array, chunk: number): LinePiece[] {
  const decoder = new LineDecoder()
  const pieces: LinePiece[] = []
  for (let at = 0; at < bytes.length; at += chunk) pieces.push(...decoder.push(bytes.subarray(at, at + chunk)))
  return pieces
}

function framesOf(pieces: readonly LinePiece[]): Uint8Array[] {
  return pieces.flatMap((piece) => (piece.kind === 'frame' ? [Uint8Array.from(piece.content)] : []))
}

function foreignOf(pieces: readonly LinePiece[]): string {
  return Buffer.concat(pieces.flatMap((piece) => (piece.kind === 'foreign' ? [piece.bytes] : []))).toString('latin1')
}
