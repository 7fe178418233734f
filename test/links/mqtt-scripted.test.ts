import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { FRAME_BYTES_MAX, MQTT_ACKNOWLEDGE_LOOKS } from '../../runtime/base/limits.ts'
import type { Link } from '../../runtime/links/link.ts'
import { PacketFilter } from '../../runtime/links/mqtt/packet-filter.ts'
import type { MqttLinkOptions } from '../../runtime/links/mqtt/options.ts'
import { SteppedClock, until } from './clocks.ts'
import { ALICE, BOB, patterned } from './link-acceptance.ts'
import { FLEET, testLink } from './mqtt-fixture.ts'
import { ACCEPTED, say, sayLong, startScriptedBroker, SUBSCRIBED, type Script } from './scripted-broker.ts'
import { Witness } from './witness.ts'

describe('an MQTT link with a broker that misbehaves', () => {
  test('is not up before SUBACK, and a missing SUBACK is a timeout', async () => {
    const clock = new SteppedClock()
    let isAsked = false
    const subscribe = (): void => void (isAsked = true)
    await withScript({ suback: null, subscribe }, { clock }, async ({ witness }) => {
      await until(() => isAsked, 'alice subscribes')
      clock.step()
      await until(() => witness.causes.length === 1, 'alice is down')
      assert.match(witness.causes[0] ?? '', /did not answer in time \(no SUBACK\)/)
      assert.equal(witness.ups, 0)
    })
  })

  test('says so when a subscription is not allowed', async () => {
    await withScript({ suback: [0, 0, 0, 0x87, 0] }, {}, async ({ witness }) => {
      await until(() => witness.causes.length === 1, 'alice is down')
      assert.match(witness.causes[0] ?? '', /did not authorise this node \(subscription refused\)/)
      assert.equal(witness.ups, 0)
    })
  })

  // The last one is less than a mirror may publish, and more than this link has said that it takes.
  for (const bytes of [16 * 1024 * 1024, FRAME_BYTES_MAX + 4096]) {
    test(`passes over a message of ${bytes} bytes, without holding it, and goes on`, async () => {
      const topic = `fleet/${FLEET}/op/${BOB}`
      const publish = (socket: Socket): void => {
        sayLong(socket, topic, bytes)
        say(socket, topic, 'abc')
      }
      await withScript({ publish }, {}, async ({ witness, link }) => {
        await until(() => witness.frames.length === 1 || witness.causes.length > 0, 'the frame behind it has come')
        assert.deepEqual(witness.causes, [])
        assert.deepEqual(witness.frames, [new Uint8Array(Buffer.from('abc'))])
        assert.equal(link.status().counters.dropped['oversize'], 1)
      })
    })
  }

  test('leaves a broker that states a length which no packet has', async () => {
    const publish = (socket: Socket): void => void socket.write(Buffer.from([0x90, 0xff, 0xff, 0xff, 0x7f, 1]))
    await withScript({ publish }, {}, async ({ witness }) => {
      await until(() => witness.causes.length > 0, 'alice is down')
      assert.match(witness.causes[0] ?? '', /did not keep to MQTT \(a packet without an end\)/)
    })
  })

  test('keeps no more publishes in flight than the broker takes', async () => {
    const receiveMaximum3 = [0x20, 6, 0, 0, 3, 0x21, 0, 3]
    const messages = 41 // 40 frames and the presence
    const unanswered: (readonly [number, number])[] = []
    let most = 0
    let received = 0
    // It answers one only when three are waiting, so a smaller window would stand still, and a larger one would show.
    const publish = (socket: Socket, packetId: readonly [number, number]): void => {
      unanswered.push(packetId)
      received += 1
      most = Math.max(most, unanswered.length)
      if (unanswered.length < 3) return
      setImmediate(() => socket.write(Buffer.from([0x40, 2, ...(unanswered.shift() ?? [])])))
    }
    await withScript({ connack: receiveMaximum3, publish }, {}, async ({ witness, link }) => {
      await until(() => witness.ups === 1, 'alice is up')
      for (let index = 1; index < messages; index += 1) link.send(patterned(index, 20), { kind: 'operations' })
      await until(() => received === messages, 'all has been published')
      assert.equal(most, 3)
    })
  })

  test('keeps no more than 64 publishes in flight when the broker names no limit', async () => {
    let unanswered = 0
    const publish = (): void => {
      unanswered += 1
    }
    await withScript({ publish }, { timing: { keepaliveS: 1 } }, async ({ witness, link }) => {
      await until(() => witness.ups === 1, 'alice is up')
      for (let index = 0; index < 500; index += 1) link.send(patterned(index, 20), { kind: 'operations' })
      await until(() => witness.causes.length === 1, 'the keep-alive gives up')
      assert.equal(unanswered, 64)
      assert.deepEqual(link.status().counters.dropped, { 'connection-lost': 500 - 63 })
    })
  })

  test('says that answers wait for those on their way, and sends no answer twice meanwhile', async () => {
    const receiveMaximum1 = [0x20, 6, 0, 0, 3, 0x21, 0, 1]
    const unanswered: (() => void)[] = []
    const publish = (socket: Socket, packetId: readonly [number, number]): void => {
      unanswered.push(() => socket.write(Buffer.from([0x40, 2, ...packetId])))
    }
    await withScript({ connack: receiveMaximum1, publish }, {}, async ({ witness, link }) => {
      await until(() => unanswered.length === 1, 'alice is up, and her presence is on its way')
      const answer = patterned(1, 20)
      assert.equal(link.waiting, 'nothing')
      for (const frame of [answer, answer, patterned(2, 20)]) assert.equal(link.send(frame, { kind: 'answers' }), true)
      assert.deepEqual(link.status().counters.dropped, { repeated: 1 })
      unanswered.shift()?.()
      await until(() => unanswered.length === 1, 'the answer is on its way, and another one waits')
      assert.equal(link.send(answer, { kind: 'answers' }), true)
      assert.deepEqual(link.status().counters.dropped, { repeated: 2 })
      assert.deepEqual([link.waiting, witness.writables], ['answers', 0])
      unanswered.shift()?.()
      await until(() => witness.writables === 1, 'nothing waits any more')
      assert.equal(link.waiting, 'nothing')
      link.send(answer, { kind: 'answers' })
      assert.deepEqual(link.status().counters.dropped, { repeated: 2 }, 'who asks for it later is answered again')
    })
  })

  test('a broker that acknowledges nothing any more is left for the next one, and a slow one is not', async () => {
    const clock = new SteppedClock()
    const unanswered: (() => void)[] = []
    let isPrompt = false
    const publish = (socket: Socket, packetId: readonly [number, number]): void => {
      unanswered.push(() => socket.write(Buffer.from([0x40, 2, ...packetId])))
      if (isPrompt) for (const answer of unanswered.splice(0)) answer()
    }
    const connections: number[] = []
    const subscribe = (): void => void connections.push(clock.now())
    await withScript({ publish, subscribe }, { clock }, async ({ witness, link }) => {
      try {
        // Its presence is the first that waits for an answer.
        await until(() => unanswered.length === 1, 'alice is up')
        for (let index = 1; index <= 4; index += 1) {
          for (let looks = 1; looks < MQTT_ACKNOWLEDGE_LOOKS; looks += 1) clock.step()
          link.send(patterned(index, 20), { kind: 'operations' })
          await until(() => unanswered.length === 2, 'it was published')
          const before = link.isBusy
          unanswered.shift()?.()
          await until(() => link.isBusy !== before, 'one of the two was acknowledged')
        }
        assert.deepEqual(witness.causes, [])
        for (let looks = 1; looks < MQTT_ACKNOWLEDGE_LOOKS; looks += 1) clock.step()
        assert.deepEqual(witness.causes, [])
        clock.step()
        assert.match(witness.causes.join(), /did not answer in time \(it has acknowledged nothing for 30 s\)/)
        clock.step()
        await until(() => witness.ups === 2, 'it is tried again')
        assert.equal(connections.length, 2)
        await until(() => unanswered.length > 1, 'its presence is published')
        clock.step()
        assert.equal(witness.causes.length, 1, 'the next connection has all of its looks')
      } finally {
        // Its goodbye waits for an answer too.
        isPrompt = true
        for (const answer of unanswered.splice(0)) answer()
      }
    })
  })

  test('a broker that wants to be asked rarely is asked as often as ever, so that a dead way is noticed', async () => {
    const serverKeepAlive600 = [0x20, 6, 0, 0, 3, 0x13, 0x02, 0x58]
    const publish = (socket: Socket, packetId: readonly [number, number]): void =>
      void socket.write(Buffer.from([0x40, 2, ...packetId]))
    await withScript({ connack: serverKeepAlive600, publish }, { timing: { keepaliveS: 1 } }, async ({ witness }) => {
      await until(() => witness.ups === 1, 'alice is up')
      await until(() => witness.causes.length === 1, 'alice is down')
      assert.match(witness.causes[0] ?? '', /did not answer in time \(Keepalive timeout\)/)
    })
  })

  test('a broker that refuses a publish and hangs up is said to have refused', async () => {
    const publish = (socket: Socket, packetId: readonly [number, number]): void => {
      socket.end(Buffer.from([0x40, 3, ...packetId, 0x87]))
    }
    await withScript({ publish }, {}, async ({ witness, link }) => {
      await until(() => witness.causes.length === 1, 'alice is down')
      assert.match(witness.causes[0] ?? '', /did not authorise this node .*access list/)
      assert.ok((link.status().counters.dropped['refused-by-broker'] ?? 0) >= 1)
    })
  })

  test('says that two nodes share one id when the broker tells that its place was taken', async () => {
    const publish = (socket: Socket): void => void socket.end(Buffer.from([0xe0, 2, 0x8e, 0]))
    await withScript({ publish }, {}, async ({ witness }) => {
      await until(() => witness.causes.length === 1, 'alice is down')
      assert.match(witness.causes[0] ?? '', /two nodes share one node id/)
    })
  })

  test('pauses grow while the link does not stay up', async () => {
    const publish = (socket: Socket): void => void socket.destroy()
    const timing = { delayMinMs: 4, delayMaxMs: 10_000, stableMs: 60_000 }
    await withScript({ publish }, { timing }, async ({ witness }) => {
      const at: number[] = []
      const down = witness.down.bind(witness)
      witness.down = (cause) => {
        at.push(performance.now())
        down(cause)
      }
      await until(() => at.length === 7, 'it fell seven times')
      const last = (at[6] ?? 0) - (at[5] ?? 0)
      assert.ok(last >= 4 * 2 ** 5 * 0.5, `the last pause was ${last} ms`)
    })
  })
})

async function withScript(
  script: Partial<Script>,
  options: Partial<MqttLinkOptions>,
  body: (stage: { readonly link: Link; readonly witness: Witness }) => Promise<void>,
): Promise<void> {
  const silence = { subscribe: () => {}, publish: () => {} }
  const broker = await startScriptedBroker({ connack: ACCEPTED, suback: SUBSCRIBED, ...silence, ...script })
  const link = testLink(ALICE, broker.port, { ...options, timing: { goodbyeTimeoutMs: 50, ...options.timing } })
  const witness = new Witness()
  try {
    link.open(witness)
    await body({ link, witness })
  } finally {
    await link.close()
    await broker.end()
  }
}

test('a filter of packets leaves out whole messages, wherever what comes is cut', () => {
  const small = Buffer.from([0x30, 4, 0, 1, 0x61, 0x62])
  const long = Buffer.concat([Buffer.from([0x32, 0x80, 0x01]), Buffer.alloc(128, 0x30)])
  const longest = Buffer.concat([Buffer.from([0x40, 100]), Buffer.alloc(100)])
  const stream = Buffer.concat([small, long, longest, long, small])
  for (let first = 0; first <= stream.length; first += 1) {
    for (const second of [first, first + 1, first + 2, first + 130]) {
      let skipped = 0
      const filter = new PacketFilter(100, { skipped: () => (skipped += 1), broken: () => assert.fail('it is sound') })
      const cuts = [stream.subarray(0, first), stream.subarray(first, second), stream.subarray(second)]
      const passed = Buffer.concat(cuts.map((cut) => filter.take(cut)))
      assert.deepEqual(passed, Buffer.concat([small, longest, small]), `cut at ${first} and ${second}`)
      assert.equal(skipped, 2)
    }
  }
  let broken = 0
  const filter = new PacketFilter(100, { skipped: () => assert.fail('it is no message'), broken: () => (broken += 1) })
  assert.deepEqual(filter.take(Buffer.concat([small, Buffer.from([0x40, 101]), small])), small)
  assert.deepEqual([filter.take(small).length, broken], [0, 1])
})
