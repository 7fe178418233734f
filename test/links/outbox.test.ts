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
import { Outbox, type Outgoing, type Priority } from '../../runtime/links/mqtt/outbox.ts'

const frame = (bytes: number, priority: Priority = 'operations', topic = 't'): Outgoing => ({
  topic,
  payload: Buffer.alloc(bytes),
  retain: false,
  priority,
})

function fill(outbox: Outbox, bytes: number, priority: Priority = 'operations'): number {
  let count = 0
  while (outbox.hasPlaceFor(bytes, priority)) {
    outbox.add(frame(bytes, priority))
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
    for (const topic of ['1', '2', '3', '4', '5']) outbox.add(frame(1, 'operations', topic))
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
      fill(outbox, 1)
      assert.equal(drain(outbox).length, window)
    }
  })

  test('bounds the window in bytes too', () => {
    const outbox = new Outbox(65_535)
    fill(outbox, FRAME_BYTES_MAX)
    assert.equal(drain(outbox).length, MQTT_INFLIGHT_BYTES_MAX / FRAME_BYTES_MAX)
  })

  test('takes control first, then operations, then answers, and telemetry when nothing else waits, each in its order', () => {
    const outbox = new Outbox(10)
    for (const round of [1, 2])
      for (const priority of ['telemetry', 'answers', 'operations', 'control'] as const)
        outbox.add(frame(1, priority, `${priority} ${round}`))
    assert.equal(outbox.queuedFrames, 8)
    assert.deepEqual(
      drain(outbox).map(({ topic }) => topic),
      ['control', 'operations', 'answers', 'telemetry'].flatMap((priority) => [`${priority} 1`, `${priority} 2`]),
    )
  })

  test('says what waits of that which may be held back', () => {
    const outbox = new Outbox(1)
    const said: string[] = []
    for (const priority of ['control', 'telemetry', 'answers', 'operations'] as const) {
      outbox.add(frame(1, priority))
      said.push(outbox.waiting)
    }
    assert.deepEqual(said, ['nothing', 'nothing', 'answers', 'operations'])
    for (let next = outbox.next(); next !== null; next = outbox.next()) {
      said.push(outbox.waiting)
      outbox.settle(next)
    }
    assert.deepEqual(said.slice(4), ['operations', 'answers', 'nothing', 'nothing'])
  })

  test('holds little telemetry', () => {
    const outbox = new Outbox(10)
    for (let count = 0; count < TELEMETRY_QUEUE_FRAMES_MAX; count++) outbox.add(frame(1, 'telemetry'))
    assert.deepEqual([outbox.hasPlaceFor(1, 'telemetry'), outbox.hasPlaceFor(1, 'operations')], [false, true])
    assert.throws(() => outbox.add(frame(1, 'telemetry')), /invariant/)
  })

  test('is bounded in frames, with places that are kept for control', () => {
    const outbox = new Outbox(1)
    assert.equal(fill(outbox, 1), LINK_QUEUE_FRAMES_MAX - LINK_QUEUE_FRAMES_RESERVED)
    assert.equal(fill(outbox, 1, 'control'), LINK_QUEUE_FRAMES_RESERVED)
    assert.throws(() => outbox.add(frame(1, 'control')), /invariant/)
  })

  test('is bounded in bytes', () => {
    const outbox = new Outbox(1)
    assert.equal(fill(outbox, FRAME_BYTES_MAX), LINK_QUEUE_BYTES_MAX / FRAME_BYTES_MAX)
    assert.equal(outbox.hasPlaceFor(1, 'control'), false)
  })

  test('has room again when half of it is free', () => {
    const outbox = new Outbox(65_535)
    fill(outbox, 1)
    while (outbox.queuedFrames > LINK_QUEUE_FRAMES_MAX / 2) {
      assert.equal(outbox.hasRoom, false)
      const next = outbox.next()
      assert.ok(next !== null)
      outbox.settle(next)
    }
    assert.equal(outbox.hasRoom, true)
  })
})
