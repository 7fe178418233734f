import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  FRAME_BYTES_MAX,
  LINK_QUEUE_BYTES_MAX,
  LINK_QUEUE_FRAMES_MAX,
  LINK_QUEUE_FRAMES_RESERVED,
  MQTT_INFLIGHT_BYTES_MAX,
  MQTT_INFLIGHT_MAX,
  TELEMETRY_QUEUE_FRAMES_MAX,
} from '../../runtime/base/limits.ts'
import { Outbox, type Outgoing } from '../../runtime/links/mqtt/outbox.ts'

const frame = (bytes: number, control = false, topic = 't'): Outgoing => ({
  topic,
  payload: Buffer.alloc(bytes),
  retain: false,
  control,
})

function fill(outbox: Outbox, bytes: number, control: boolean): number {
  let count = 0
  while (outbox.hasPlaceFor(bytes, control)) {
    outbox.add(frame(bytes, control))
    count += 1
  }
  return count
}

function drain(outbox: Outbox): Outgoing[] {
  const taken: Outgoing[] = []
  for (let next = outbox.next(); next !== null; next = outbox.next()) taken.push(next)
  return taken
}

describe('the outbox', () => {
  test('keeps as many in flight as the window takes, and goes on as they are settled', () => {
    const outbox = new Outbox(3)
    for (const topic of ['1', '2', '3', '4', '5']) outbox.add(frame(1, false, topic))
    const first = drain(outbox)
    assert.deepEqual(
      first.map(({ topic }) => topic),
      ['1', '2', '3'],
    )
    for (const sent of first.slice(0, 2)) outbox.settle(sent)
    assert.deepEqual(
      drain(outbox).map(({ topic }) => topic),
      ['4', '5'],
    )
  })

  test('never has a window above ours or below one', () => {
    for (const [receiveMaximum, window] of [
      [65_535, MQTT_INFLIGHT_MAX],
      [0, 1],
    ] as const) {
      const outbox = new Outbox(receiveMaximum)
      fill(outbox, 1, false)
      assert.equal(drain(outbox).length, window)
    }
  })

  test('bounds the window in bytes too', () => {
    const outbox = new Outbox(65_535)
    fill(outbox, FRAME_BYTES_MAX, false)
    assert.equal(drain(outbox).length, MQTT_INFLIGHT_BYTES_MAX / FRAME_BYTES_MAX)
  })

  test('takes control before bulk, each in its order', () => {
    const outbox = new Outbox(10)
    for (const [topic, control] of [
      ['bulk 1', false],
      ['control 1', true],
      ['bulk 2', false],
      ['control 2', true],
    ] as const) {
      outbox.add(frame(1, control, topic))
    }
    assert.deepEqual(
      drain(outbox).map(({ topic }) => topic),
      ['control 1', 'control 2', 'bulk 1', 'bulk 2'],
    )
  })

  test('takes telemetry when nothing else waits, and holds little of it', () => {
    const outbox = new Outbox(10)
    const telemetry = (topic: string): Outgoing => ({ ...frame(1, false, topic), isLast: true })
    outbox.add(telemetry('telemetry 1'))
    outbox.add(frame(1, false, 'bulk'))
    outbox.add(telemetry('telemetry 2'))
    outbox.add(frame(1, true, 'control'))
    assert.equal(outbox.queuedFrames, 4)
    assert.deepEqual(
      drain(outbox).map(({ topic }) => topic),
      ['control', 'bulk', 'telemetry 1', 'telemetry 2'],
    )
    for (let count = 0; count < TELEMETRY_QUEUE_FRAMES_MAX; count++) outbox.add(telemetry('more'))
    assert.deepEqual([outbox.hasPlaceFor(1, false, true), outbox.hasPlaceFor(1, false)], [false, true])
    assert.throws(() => outbox.add(telemetry('too many')), /invariant/)
  })

  test('is bounded in frames, with places that are kept for control', () => {
    const outbox = new Outbox(1)
    assert.equal(fill(outbox, 1, false), LINK_QUEUE_FRAMES_MAX - LINK_QUEUE_FRAMES_RESERVED)
    assert.equal(fill(outbox, 1, true), LINK_QUEUE_FRAMES_RESERVED)
    assert.throws(() => outbox.add(frame(1, true)), /invariant/)
  })

  test('is bounded in bytes', () => {
    const outbox = new Outbox(1)
    assert.equal(fill(outbox, FRAME_BYTES_MAX, false), LINK_QUEUE_BYTES_MAX / FRAME_BYTES_MAX)
    assert.equal(outbox.hasPlaceFor(1, true), false)
  })

  test('has room again when half of it is free', () => {
    const outbox = new Outbox(65_535)
    fill(outbox, 1, false)
    while (outbox.queuedFrames > LINK_QUEUE_FRAMES_MAX / 2) {
      assert.equal(outbox.hasRoom, false)
      const next = outbox.next()
      assert.ok(next !== null)
      outbox.settle(next)
    }
    assert.equal(outbox.hasRoom, true)
  })
})
