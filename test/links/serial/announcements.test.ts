import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SERIAL_ANNOUNCEMENT_BURST_BYTES, SERIAL_BULK_QUEUE_MS } from '../../../runtime/base/limits.ts'
import type { Channel } from '../../../runtime/links/link.ts'
import { StreamSender } from '../../../runtime/links/serial/streams.ts'

const BYTES_PER_MS = 11.52
const OPERATION: Channel = { kind: 'operations' }

describe('announcements that wait for a line', () => {
  it('give way to newer ones of the same, in their turn', () => {
    const sender = senderAt(115_200)
    sender.offer(Uint8Array.of(1, 1), { kind: 'announcements', of: 'a' }, 0)
    sender.offer(Uint8Array.of(2, 1), { kind: 'announcements', of: 'b' }, 0)
    sender.offer(Uint8Array.of(1, 2), { kind: 'announcements', of: 'a' }, 0)
    assert.deepEqual([sender.waitingFrames, sender.waitingBytes], [2, 6])
    assert.deepEqual(drain(sender), [2, 1, 2, 2, 2, 1])
    assert.deepEqual([sender.waitingFrames, sender.waitingBytes, sender.isEmpty], [0, 0, true])
  })

  it('stay, where they do not say what they are of', () => {
    const sender = senderAt(115_200)
    sender.offer(Uint8Array.of(1), { kind: 'announcements' }, 0)
    sender.offer(Uint8Array.of(2), { kind: 'announcements' }, 0)
    assert.deepEqual(drain(sender), [1, 1, 1, 2])
  })

  it('take a quarter of a line that is full, so that operations and answers come through', () => {
    const sender = senderAt(115_200)
    let announced = 0
    let carried = 0
    for (let now = 0; now < 60_000; now += 40) {
      for (let member = 0; member < 10; member += 1)
        sender.offer(new Uint8Array(400), { kind: 'announcements', of: String(member) }, now)
      if (sender.waitingFrames < 50) sender.offer(new Uint8Array(400).fill(1), OPERATION, now)
      const piece = sender.next(460, now)
      for (const byte of piece?.payload ?? []) {
        if (byte === 0) announced += 1
        if (byte === 1) carried += 1
      }
    }
    const share = announced / (announced + carried)
    assert.ok(share > 0.2 && share < 0.3, String(share))
  })

  it('take all of a line that has nothing else to do', () => {
    const sender = senderAt(115_200)
    for (let member = 0; member < 40; member += 1)
      sender.offer(new Uint8Array(400), { kind: 'announcements', of: String(member) }, 0)
    assert.ok(40 * 400 > SERIAL_ANNOUNCEMENT_BURST_BYTES)
    assert.equal(drain(sender).length, 40 * 402)
  })

  it('are forgotten with all that waits', () => {
    const sender = senderAt(115_200)
    sender.offer(Uint8Array.of(1), { kind: 'announcements', of: 'a' }, 0)
    sender.clear()
    assert.deepEqual([sender.isEmpty, sender.waitingBytes, sender.next(100, 0)], [true, 0, null])
  })
})

function senderAt(baud: number): StreamSender {
  return new StreamSender((baud / 115_200) * BYTES_PER_MS * SERIAL_BULK_QUEUE_MS)
}

function drain(sender: StreamSender): number[] {
  const bytes: number[] = []
  for (let piece = sender.next(480, 0); piece !== null; piece = sender.next(480, 0)) bytes.push(...piece.payload)
  return bytes
}
