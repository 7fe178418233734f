/** What every link must do, whatever it runs over. Each test gets a medium of its own. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { NodeId } from '../../runtime/base/ids.ts'
import { FRAME_BYTES_MAX } from '../../runtime/base/limits.ts'
import type { Channel, Link } from '../../runtime/links/link.ts'
import { lastPresence, Witness } from './witness.ts'

export interface LinkHarness {
  /** A link of `node`, not opened yet. */
  link(node: NodeId): Link
  /** Takes the medium from everybody, and gives it back. */
  cut(): Promise<void>
  heal(): Promise<void>
  /** Lets time pass until `condition` holds; fails if it never does. */
  until(condition: () => boolean, what: string): Promise<void>
  /** Lets a call end that needs time to pass. */
  finish(call: Promise<void>): Promise<void>
  end(): Promise<void>
}

export const ALICE = 'aaaaaaaaaaaaaaaa' as NodeId
export const BOB = 'bbbbbbbbbbbbbbbb' as NodeId
export const CAROL = 'cccccccccccccccc' as NodeId
const OPERATIONS: Channel = { kind: 'operations' }

interface Pair {
  readonly harness: LinkHarness
  readonly alice: Link
  readonly bob: Link
  readonly atAlice: Witness
  readonly atBob: Witness
}

/**
 * @param skip the reason why this medium cannot be had here, or false
 * @param reach of the link: between two there is nobody but alice and bob, and each is up only while the other is
 */
export function acceptLink(
  name: string,
  start: () => Promise<LinkHarness>,
  skip: string | false = false,
  reach: Link['reach'] = 'broadcast',
): void {
  const isBroadcast = reach === 'broadcast'
  const accept = (sentence: string, body: (pair: Pair) => Promise<void>): void => {
    test(sentence, { skip }, () => withPair(start, body))
  }

  describe(`${name} is a link:`, () => {
    accept('its events come after open has returned', async ({ harness, alice }) => {
      if (!isBroadcast) await harness.finish(alice.close())
      const link = isBroadcast ? harness.link(CAROL) : alice
      const witness = new Witness()
      link.open(witness)
      assert.deepEqual(witness.told, [])
      assert.equal(link.status().state, 'connecting')
      await harness.until(() => witness.ups === 1, 'the link is up')
      assert.equal(link.status().state, 'up')
      assert.equal(link.status().cause, null)
      await harness.finish(link.close())
      assert.equal(link.status().state, 'closed')
    })

    accept('frames of any size arrive whole and in the order of one sender', async ({ harness, alice, atBob }) => {
      const sizes = [1, 2, 127, 128, 4096, 16_383, 16_384, FRAME_BYTES_MAX - 1, FRAME_BYTES_MAX]
      const frames = Array.from({ length: 200 }, (_, index) => patterned(index, sizes[index] ?? 60 + index))
      for (const frame of frames) assert.equal(alice.send(frame, OPERATIONS), true)
      await harness.until(() => atBob.frames.length >= frames.length, 'bob has all frames')
      assert.deepEqual(atBob.frames, frames)
      const bytes = frames.reduce((sum, frame) => sum + frame.length, 0)
      assert.deepEqual(pick(alice), { framesSent: 200, bytesSent: bytes, dropped: {} })
    })

    accept('a frame is copied on both ways', async ({ harness, alice, atBob, bob, atAlice }) => {
      const frame = patterned(1, 100)
      alice.send(frame, OPERATIONS)
      frame.fill(0)
      await harness.until(() => atBob.frames.length === 1, 'bob has it')
      assert.deepEqual(atBob.frames, [patterned(1, 100)])
      assert.equal(atBob.frames[0]?.buffer.byteLength, 100, 'the frame keeps no larger buffer alive')
      bob.send(patterned(2, 10), OPERATIONS)
      await harness.until(() => atAlice.frames.length === 1, 'alice has the answer')
    })

    accept('a frame of any channel reaches the other side and nobody hears himself', async (pair) => {
      const { harness, alice, bob, atAlice, atBob } = pair
      const channels: Channel[] = [
        { kind: 'announcements' },
        { kind: 'requests' },
        OPERATIONS,
        { kind: 'answers' },
        { kind: 'direct', to: BOB },
        { kind: 'telemetry' },
      ]
      for (const [index, channel] of channels.entries()) assert.equal(alice.send(patterned(index, 10), channel), true)
      bob.send(patterned(9, 10), OPERATIONS)
      await harness.until(
        () => atBob.frames.length === channels.length && atAlice.frames.length === 1,
        'both have theirs',
      )
      assert.deepEqual(new Set(atBob.frames.map((frame) => frame[0])), new Set([0, 1, 2, 3, 4, 5]))
      assert.deepEqual(atAlice.frames, [patterned(9, 10)])
    })

    const acceptBroadcast = isBroadcast ? accept : (): void => undefined
    acceptBroadcast('a direct frame reaches its destination alone', async (pair) => {
      const { harness, alice, bob, atAlice, atBob } = pair
      const carol = harness.link(CAROL)
      const atCarol = new Witness()
      carol.open(atCarol)
      await harness.until(() => atCarol.ups === 1, 'carol is up')
      alice.send(patterned(1, 10), { kind: 'direct', to: CAROL })
      alice.send(patterned(2, 10), { kind: 'requests' })
      alice.send(patterned(3, 10), { kind: 'announcements' })
      bob.send(patterned(4, 10), OPERATIONS)
      await harness.until(() => atCarol.frames.length === 4 && atBob.frames.length === 2, 'all have theirs')
      await harness.until(() => atAlice.frames.length === 1, 'alice has hers')
      assert.deepEqual(new Set(atCarol.frames.map((frame) => frame[0])), new Set([1, 2, 3, 4]))
      assert.deepEqual(new Set(atBob.frames.map((frame) => frame[0])), new Set([2, 3]))
      assert.deepEqual(atAlice.frames, [patterned(4, 10)])
      await harness.finish(carol.close())
    })

    accept('each learns that the other came and went', async ({ harness, bob, atAlice, atBob }) => {
      await harness.until(() => lastPresence(atAlice, BOB) === 'online', 'alice sees bob')
      await harness.until(() => lastPresence(atBob, ALICE) === 'online', 'bob sees alice')
      await harness.finish(bob.close())
      await harness.until(() => lastPresence(atAlice, BOB) === 'offline', 'alice sees bob go')
    })

    accept('a cut is told once with a cause, and healing brings the link back', async (pair) => {
      const { harness, alice, atAlice, atBob } = pair
      await harness.cut()
      await harness.until(() => atAlice.causes.length > 0 && atBob.causes.length > 0, 'both are down')
      assert.match(atAlice.causes[0] ?? '', /^[^\n]{10,300}$/)
      assert.equal(alice.status().state, 'connecting')
      assert.equal(alice.send(patterned(9, 10), OPERATIONS), false)
      assert.equal(alice.status().counters.dropped['down'], 1)
      await harness.heal()
      await harness.until(() => atAlice.ups === 2 && atBob.ups === 2, 'both are up again')
      await harness.until(() => atAlice.writables === 1, 'alice may write again')
      assert.equal(atAlice.causes.length, 1)
      assert.equal(alice.status().cause, null)
      assert.equal(alice.status().counters.reconnects, 1)
      const told = atAlice.told.filter((line) => line === 'up' || line === 'down' || line === 'writable')
      assert.deepEqual(told, ['up', 'down', 'up', 'writable'])
      alice.send(patterned(7, 70), OPERATIONS)
      await harness.until(() => atBob.frames.length === 1, 'frames flow again')
      assert.deepEqual(atBob.frames, [patterned(7, 70)])
    })

    accept('a full buffer refuses, `writable` follows, and what was taken arrives', async (pair) => {
      const { harness, alice, atAlice, atBob } = pair
      const taken: Uint8Array[] = []
      for (let index = 0; ; index += 1) {
        assert.ok(index < 10_000, 'the buffer has an end')
        const frame = patterned(index, 100)
        if (!alice.send(frame, OPERATIONS)) break
        taken.push(frame)
      }
      assert.equal(alice.status().counters.dropped['full'], 1)
      assert.notEqual(alice.waiting, 'nothing', 'operations wait, or it does not say')
      await harness.until(() => atAlice.writables === 1, 'alice may write again')
      const last = patterned(5, 50)
      assert.equal(alice.send(last, OPERATIONS), true)
      await harness.until(() => atBob.frames.length > taken.length, 'bob has all that was taken')
      assert.deepEqual(atBob.frames, [...taken, last])
      await harness.until(() => (alice.waiting ?? 'nothing') === 'nothing', 'nothing waits any more')
      assert.ok(atAlice.writables <= 2, 'it is told once for each time that something has waited')
    })

    accept('a frame that is too long is dropped and counted, and the link goes on', async (pair) => {
      const { harness, alice, atBob } = pair
      assert.equal(alice.send(patterned(1, FRAME_BYTES_MAX + 1), OPERATIONS), true)
      assert.equal(alice.send(patterned(2, 20), OPERATIONS), true)
      await harness.until(() => atBob.frames.length > 0, 'bob has the second')
      assert.deepEqual(atBob.frames, [patterned(2, 20)])
      assert.deepEqual(alice.status().counters.dropped, { oversize: 1 })
      assert.equal(alice.status().counters.framesSent, 1)
    })

    accept('a handler that throws costs one frame, not the link', async ({ harness, alice, bob, atBob }) => {
      const keep = atBob.frame.bind(atBob)
      let throws = 0
      atBob.frame = (bytes) => {
        if (bytes[0] !== 1) return keep(bytes)
        throws += 1
        throw new Error('planted')
      }
      for (const first of [1, 2, 1, 3, 4]) alice.send(patterned(first, 10), OPERATIONS)
      await harness.until(() => atBob.frames.length === 3, 'bob has the others')
      assert.equal(throws, 2)
      assert.equal(bob.status().counters.dropped['handler-failed'], 2)
      assert.equal(bob.status().state, 'up')
    })

    accept('close is clean: no event follows, and the link may be opened again', async (pair) => {
      const { harness, alice, bob, atAlice, atBob } = pair
      bob.send(patterned(1, 10), OPERATIONS)
      const before = atAlice.told.length
      await harness.finish(alice.close())
      await harness.finish(alice.close())
      assert.deepEqual(atAlice.told.slice(before), [])
      assert.equal(alice.send(patterned(2, 10), OPERATIONS), false)
      const again = new Witness()
      alice.open(again)
      await harness.until(() => again.ups === 1 && bob.status().state === 'up', 'both are up again')
      bob.send(patterned(3, 10), OPERATIONS)
      await harness.until(() => again.frames.length === 1, 'alice hears bob')
      assert.deepEqual(again.frames, [patterned(3, 10)])
      assert.equal(atAlice.ups, 1)
      assert.equal(atBob.causes.length, isBroadcast ? 0 : 1)
    })
  })
}

async function withPair(start: () => Promise<LinkHarness>, body: (pair: Pair) => Promise<void>): Promise<void> {
  const started = await start()
  const links: Link[] = []
  const harness: LinkHarness = {
    ...started,
    link(node) {
      const link = started.link(node)
      links.push(link)
      return link
    },
  }
  const pair = {
    harness,
    alice: harness.link(ALICE),
    bob: harness.link(BOB),
    atAlice: new Witness(),
    atBob: new Witness(),
  }
  try {
    pair.alice.open(pair.atAlice)
    pair.bob.open(pair.atBob)
    await harness.until(() => pair.atAlice.ups === 1 && pair.atBob.ups === 1, 'alice and bob are up')
    await body(pair)
  } finally {
    for (const link of links) await harness.finish(link.close())
    await harness.end()
  }
}

/** A frame that begins with `first` and whose every byte tells its place. */
export function patterned(first: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (first + index * 7) & 0xff)
}

function pick(link: Link): object {
  const { framesSent, bytesSent, dropped } = link.status().counters
  return { framesSent, bytesSent, dropped }
}
