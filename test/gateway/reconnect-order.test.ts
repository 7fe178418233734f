import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Digest } from '../../runtime/base/digest.ts'
import { type Gateway, openGateway } from '../../runtime/gateway/gateway.ts'
import { memoryStorage } from '../../runtime/gateway/parts.ts'
import { firstOf, lastOf, type Message } from '../../runtime/sync/message.ts'
import { decodeFrame } from '../../runtime/sync/message-codec.ts'
import { founders } from '../bench/workload.ts'
import { until } from '../links/clocks.ts'
import { MOSQUITTO_FLEET, MOSQUITTO_SKIP, startMosquitto } from '../links/mosquitto.ts'
import { packetTap, type PassedPacket } from '../links/packet-tap.ts'
import { startTcpProxy } from '../links/tcp-proxy.ts'
import { linkTo } from '../support/attacked-fleet.ts'

/** Packets at which the gateway that comes back makes one more change. */
const CHANGES_MAX = 40

test(
  'a gateway that comes back subscribes, then says what it holds, and then only sends operations of its own',
  { skip: MOSQUITTO_SKIP },
  async (t) => {
    const broker = await startMosquitto(MOSQUITTO_FLEET)
    t.after(() => broker.end())
    const passed: PassedPacket[] = []
    let onPacket = (): void => {}
    const tap = packetTap((packet) => {
      passed.push(packet)
      onPacket()
    })
    const proxy = await startTcpProxy(broker.port, undefined, undefined, tap)
    t.after(() => proxy.end())
    const fleet = founders(2)
    const open = async (index: number, port: number): Promise<Gateway> => {
      const node = fleet.founders[index]!.node
      const gateway = await openGateway({ fleet, node, storage: memoryStorage(), links: [linkTo(port)] })
      t.after(() => gateway.close())
      return gateway
    }
    const [steady, shaky] = [await open(0, broker.port), await open(1, proxy.port)]
    const isUp = (): boolean => shaky.links()[0]?.state === 'up'
    steady.state.set('before', 1)
    await until(() => isUp() && shaky.state.get('before') === 1, 'both are in step')
    const before = passed.at(-1)?.connection ?? 0

    proxy.sever()
    await until(() => !isUp(), 'the shaky one is cut off')
    const missed = shaky.state.set('missed', 1)
    await missed.durable
    steady.state.set('missed too', 1)
    let changes = 0
    onPacket = () => {
      if (changes < CHANGES_MAX) shaky.state.set(`change ${(changes += 1)}`, 1)
    }
    proxy.mend()
    await until(() => steady.state.get(`change ${CHANGES_MAX}`) === 1, 'the steady one has all that was changed')
    await until(
      () => steady.state.get('missed') === 1 && shaky.state.get('missed too') === 1,
      'both have what they missed',
    )

    const now = passed.at(-1)?.connection ?? 0
    assert.ok(now > before)
    const back = passed.filter(({ connection }) => connection === now)
    assert.deepEqual(
      back.slice(0, 4).map(({ from, name }) => `${from} ${name}`),
      ['client CONNECT', 'server CONNACK', 'client SUBSCRIBE', 'server SUBACK'],
    )
    const published = back.filter(({ from, name }) => from === 'client' && name === 'PUBLISH')
    assert.ok(published[0]?.topic.endsWith('/st'), 'its presence comes first')
    const frames = published.filter(({ topic }) => !topic.endsWith('/st'))
    const said = frames.map(({ payload }) => decodeFrame(steady.fleet as Digest, payload))
    const [first] = said
    assert.ok(
      first?.kind === 'announcement' && first.announcement.vector !== null,
      `it says first what it holds: ${first?.kind}`,
    )
    assert.ok(first.announcement.ownSeq >= missed.id.seq)

    const holdsMissed = (message: Message): boolean =>
      message.kind === 'batch' &&
      message.batch.origin === missed.id.member &&
      firstOf(message.batch).current.id.seq <= missed.id.seq &&
      lastOf(message.batch).current.id.seq >= missed.id.seq
    const isMissed = ({ from, topic, payload }: PassedPacket): boolean =>
      from === 'client' && topic.includes('/op/') && holdsMissed(decodeFrame(steady.fleet as Digest, payload))
    const askedAt = back.findIndex(({ from, topic }) => from === 'server' && topic.endsWith(`/w/${steady.node}`))
    assert.ok(
      askedAt !== -1 && askedAt < back.findIndex(isMissed),
      'what it did meanwhile is asked for before it is sent',
    )
    assert.ok(
      said.some(({ kind }) => kind === 'batch') && said.some(({ kind }) => kind === 'request'),
      'it has changed and asked',
    )
  },
)
