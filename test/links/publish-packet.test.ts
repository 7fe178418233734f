import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { describe, test } from 'node:test'
import type { Failure } from '../../runtime/links/mqtt/failure.ts'
import type { Outgoing } from '../../runtime/links/mqtt/outbox.ts'
import { PACKET_ID_MAX, publishPacket } from '../../runtime/links/mqtt/publish-packet.ts'
import { Publisher } from '../../runtime/links/mqtt/publisher.ts'

const outgoing = (payload: Buffer, more: Partial<Outgoing> = {}): Outgoing => ({
  topic: 'a/é',
  payload,
  retain: false,
  control: false,
  ...more,
})

const ONE = Buffer.from([0xff])
const TOPIC = '0004612fc3a9'

describe('a PUBLISH', () => {
  test('has no properties for a broker of MQTT 3.1.1', () => {
    assert.equal(publishPacket(outgoing(ONE), 0x0102, 4).toString('hex'), `3209${TOPIC}0102ff`)
    assert.equal(publishPacket(outgoing(ONE, { retain: true }), 1, 4).toString('hex'), `3309${TOPIC}0001ff`)
  })

  test('says to a broker of MQTT 5 what it holds, and what may expire', () => {
    const version = '26000176000131'
    const cbor = `030010${Buffer.from('application/cbor').toString('hex')}`
    const json = `030010${Buffer.from('application/json').toString('hex')}`
    const text = `03000a${Buffer.from('text/plain').toString('hex')}`
    const packet = (more: Partial<Outgoing>): string => publishPacket(outgoing(ONE, more), 1, 5).toString('hex')
    assert.equal(packet({}), `3224${TOPIC}00011a${cbor}${version}ff`)
    assert.equal(packet({ control: true }), `3229${TOPIC}00011f020000003c${cbor}${version}ff`)
    assert.equal(packet({ retain: true, control: true }), `3320${TOPIC}0001160101${text}${version}ff`)
    assert.equal(packet({ isJson: true }), `3226${TOPIC}00011c0101${json}${version}ff`)
  })

  test('has its length in as few bytes as hold it', () => {
    for (const [remaining, written] of [
      [127, '7f'],
      [128, '8001'],
      [16_383, 'ff7f'],
      [16_384, '808001'],
    ] as const) {
      const packet = publishPacket(outgoing(Buffer.alloc(remaining - 8, 7)), 1, 4).toString('hex')
      assert.equal(packet.slice(2, -2 * (remaining - 8)), `${written}${TOPIC}0001`)
      assert.equal(packet.length / 2, 1 + written.length / 2 + remaining)
    }
  })
})

describe('the publisher', () => {
  const publisher = (): { readonly publisher: Publisher; readonly ids: number[] } => {
    const ids: number[] = []
    const write = (packet: Buffer, _encoding: string, done: () => void): void => {
      ids.push(packet.readUInt16BE(8))
      done()
    }
    return { publisher: new Publisher(new Writable({ write }), 4), ids }
  }

  test('tells each that waits of its own answer, once', () => {
    const { publisher: one, ids } = publisher()
    const answers: [string, Failure | null][] = []
    for (const name of ['first', 'second']) one.publish(outgoing(ONE), (failure) => answers.push([name, failure]))
    one.acknowledge(ids[1] ?? 0, 0x87)
    for (let again = 0; again < 2; again += 1) one.acknowledge(ids[0] ?? 0, 0x10)
    const refused = { kind: 'not-authorised', detail: 'publish refused' }
    assert.deepEqual(answers, [
      ['second', refused],
      ['first', null],
    ])
  })

  test('is idle once all are answered', () => {
    const { publisher: one, ids } = publisher()
    const isTold: string[] = []
    one.whenIdle(() => isTold.push('at first'))
    for (let index = 0; index < 2; index += 1) one.publish(outgoing(ONE), () => undefined)
    one.whenIdle(() => isTold.push('at the end'))
    one.acknowledge(ids[0] ?? 0, 0)
    assert.deepEqual(isTold, ['at first'])
    one.acknowledge(ids[1] ?? 0, 0)
    assert.deepEqual(isTold, ['at first', 'at the end'])
  })

  test('takes no packet id that is still waited for, and goes round', () => {
    const { publisher: one, ids } = publisher()
    one.publish(outgoing(ONE), () => undefined)
    for (let index = 1; index < PACKET_ID_MAX; index += 1) {
      one.publish(outgoing(ONE), () => undefined)
      one.acknowledge(ids.at(-1) ?? 0, 0)
    }
    one.publish(outgoing(ONE), () => undefined)
    assert.deepEqual([ids[0], ids.at(-2), ids.at(-1)], [1, PACKET_ID_MAX, 2])
  })
})
