import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it, type TestContext } from 'node:test'
import { COMMIT_CONGESTED_MS, MQTT_INFLIGHT_MAX } from '../../runtime/base/limits.ts'
import { openGateway, type Gateway } from '../../runtime/gateway/gateway.ts'
import { memoryStorage } from '../../runtime/gateway/parts.ts'
import { founders } from '../bench/workload.ts'
import { until } from '../links/clocks.ts'
import { MOSQUITTO_DEFAULTS, MOSQUITTO_FLEET, MOSQUITTO_SKIP, startMosquitto } from '../links/mosquitto.ts'
import type { LinkCounters } from '../../runtime/links/link.ts'
import { mqttLink } from '../../runtime/links/mqtt/mqtt-link.ts'
import { startTcpProxy } from '../links/tcp-proxy.ts'

const fleet = founders(3)

async function open(t: TestContext, index: number, port: number, keepaliveS = 15): Promise<Gateway> {
  const node = fleet.founders[index]?.node
  assert.ok(node !== undefined)
  const timing = { delayMinMs: 1, delayMaxMs: 20, stableMs: 0, keepaliveS }
  const links = [
    (context: Parameters<Parameters<Gateway['addLink']>[0]>[0]) =>
      mqttLink({ ...context, servers: [`mqtt://127.0.0.1:${port}`], timing }),
  ]
  const gateway = await openGateway({ fleet, node, storage: memoryStorage(), links })
  t.after(() => gateway.close())
  return gateway
}

function countersOf(gateway: Gateway): LinkCounters {
  const [link] = gateway.links()
  assert.ok(link !== undefined)
  return link.counters
}

function isUp(gateway: Gateway): boolean {
  return gateway.links()[0]?.state === 'up'
}

function sameState(gateways: readonly Gateway[]): boolean {
  return new Set(gateways.map(({ state }) => JSON.stringify(state.entries()))).size === 1
}

describe('gateways over Mosquitto', { skip: MOSQUITTO_SKIP }, () => {
  it('miss none of 5,000 operations of an absence, and fetch no more than them', async (t) => {
    // With its own defaults, which keep 1,000 messages for an absent client and drop the rest in silence.
    const broker = await startMosquitto(MOSQUITTO_DEFAULTS)
    t.after(() => broker.end())
    const [busy, away] = await Promise.all([open(t, 0, broker.port), open(t, 1, broker.port)])
    busy.state.set('before', 0)
    await until(() => away.state.get('before') === 0, 'both are in step')
    await away.closeLink('mqtt')
    for (let count = 0; count < 5000; count += 1) {
      busy.state.set(`line${count % 10}/point${count % 500}`, count)
      if (count % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    const before = countersOf(away).bytesReceived
    away.openLink('mqtt')
    await until(() => away.inspect().members.length > 0 && sameState([busy, away]), 'the one that was away has all')
    assert.equal(away.state.entries().length, 501)
    const bytes = countersOf(away).bytesReceived - before
    t.diagnostic(`${Math.round(bytes / 50) / 100} bytes for each of 5,000 operations`)
    assert.ok(bytes < 5000 * 60, `${bytes} bytes for 5,000 operations`)
    const rest = countersOf(away).bytesReceived
    busy.state.set('after', 1)
    await until(() => away.state.get('after') === 1, 'one more')
    assert.ok(countersOf(away).bytesReceived - rest < 20_000, 'what is there is not fetched again')
  })

  it('converge after a link has been cut a thousand times', async (t) => {
    const broker = await startMosquitto(MOSQUITTO_FLEET)
    t.after(() => broker.end())
    const proxy = await startTcpProxy(broker.port)
    t.after(() => proxy.end())
    const steady = await open(t, 0, broker.port)
    const shaky = await open(t, 1, proxy.port)
    const flaps = 1000
    for (let flap = 0; flap < flaps; flap += 1) {
      await until(() => isUp(shaky), 'the shaky one is up')
      const told = countersOf(shaky).reconnects
      if (flap % 20 === 0) for (const { state } of [steady, shaky]) state.set(`point${flap}`, flap)
      proxy.sever()
      proxy.mend()
      await until(() => countersOf(shaky).reconnects > told, 'it is back')
    }
    await until(() => sameState([steady, shaky]) && steady.state.entries().length === flaps / 20, 'both are in step')
    assert.ok(countersOf(shaky).reconnects >= flaps)
  })

  it('come back into step when the way of one was open on one side only', async (t) => {
    const broker = await startMosquitto(MOSQUITTO_FLEET)
    t.after(() => broker.end())
    const proxy = await startTcpProxy(broker.port)
    t.after(() => proxy.end())
    const steady = await open(t, 0, broker.port)
    const deaf = await open(t, 1, proxy.port, 1)
    await until(() => isUp(deaf) && isUp(steady), 'both are up')
    proxy.freeze()
    for (let count = 0; count < 50; count += 1) {
      steady.state.set(`steady${count}`, count)
      deaf.state.set(`deaf${count}`, count)
    }
    await until(() => !isUp(deaf), 'the keep-alive notices')
    proxy.mend()
    await until(() => sameState([steady, deaf]) && steady.state.entries().length === 100, 'both are in step')
  })

  it('come into step over a way that takes a fifth of a second, and fetch little twice', async (t) => {
    const broker = await startMosquitto(MOSQUITTO_FLEET)
    t.after(() => broker.end())
    const proxy = await startTcpProxy(broker.port)
    t.after(() => proxy.end())
    proxy.delay(200)
    const [near, far] = [await open(t, 0, broker.port), await open(t, 1, proxy.port)]
    await until(() => isUp(near) && isUp(far), 'both are up')
    for (let count = 0; count < 300; count += 1) {
      near.state.set(`near${count}`, count)
      far.state.set(`far${count}`, count)
      if (count % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await until(() => sameState([near, far]) && near.state.entries().length === 600, 'both are in step', 60_000)
    const bytes = countersOf(far).bytesReceived
    t.diagnostic(`${bytes} bytes for 300 operations`)
    assert.ok(bytes < 300 * 150, `${bytes} bytes for 300 operations`)
  })

  it('send many changes in few frames over a way that is slower than they come, and drop none of them', async (t) => {
    const broker = await startMosquitto(MOSQUITTO_FLEET)
    t.after(() => broker.end())
    const proxy = await startTcpProxy(broker.port)
    t.after(() => proxy.end())
    const delayMs = 300
    proxy.delay(delayMs)
    const [far, near] = [await open(t, 0, proxy.port), await open(t, 1, broker.port)]
    far.state.set('before', 0)
    await until(() => near.state.get('before') === 0, 'both are in step')
    const before = countersOf(far)
    const changes = 1000
    const startedAt = performance.now()
    for (let count = 0; count < changes; count += 1) {
      far.state.set(`line${count % 10}/point${count % 500}`, count)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    const passedMs = performance.now() - startedAt
    await until(() => sameState([near, far]) && near.state.entries().length === 501, 'both are in step')
    const { dropped, ...after } = countersOf(far)
    const framesSent = after.framesSent - before.framesSent
    const bytes = after.bytesSent - before.bytesSent
    const told = `${framesSent} frames, ${bytes} bytes for ${changes} operations in ${Math.round(passedMs)} ms`
    t.diagnostic(told)
    // What the window lets through, what is gathered meanwhile, and half as many for announcements and a machine that stutters.
    const mostPerMs = MQTT_INFLIGHT_MAX / (2 * delayMs) + 1 / COMMIT_CONGESTED_MS
    assert.ok(framesSent < MQTT_INFLIGHT_MAX + 1.5 * mostPerMs * passedMs, told)
    assert.equal(dropped['full'], undefined)
  })

  it('go on where they were after the broker was killed under load, again and again, and came back with nothing', async (t) => {
    const broker = await startMosquitto(MOSQUITTO_FLEET)
    t.after(() => broker.end())
    const gateways = await Promise.all([0, 1, 2].map((index) => open(t, index, broker.port)))
    const kills = 5
    for (let round = 0; round < kills; round += 1) {
      await until(() => gateways.every(isUp), 'all are up')
      for (let count = 0; count < 60; count += 1) {
        if (count === 20) await broker.kill()
        if (count === 40) await until(() => !gateways.some(isUp), 'all have lost it')
        for (const [index, { state }] of gateways.entries()) state.set(`round${round}/point${count}-${index}`, count)
        if (count % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await broker.restart()
    }
    const points = kills * 60 * gateways.length
    const [first] = gateways
    await until(() => sameState(gateways) && first?.state.entries().length === points, 'all are in step', 60_000)
  })

  it('miss nothing when the broker drops what a member has not read', async (t) => {
    // As in an hour in which a member hangs and its connection stays: the broker keeps so much for it, and no more.
    const broker = await startMosquitto([...MOSQUITTO_FLEET, 'max_queued_messages 20', 'queue_qos0_messages true'])
    t.after(() => broker.end())
    const proxy = await startTcpProxy(broker.port)
    t.after(() => proxy.end())
    const [busy, hanging] = [await open(t, 0, broker.port), await open(t, 1, proxy.port, 60)]
    busy.state.set('before', 0)
    await until(() => hanging.state.get('before') === 0, 'both are in step')
    proxy.freeze()
    const isDropping = (): boolean => broker.log().includes('messages are being dropped')
    let count = 0
    for (; !isDropping() && count < 5000; count += 1) {
      // Bytes that do not compress, so that the buffers of the sockets are full soon.
      busy.state.set(`point${count % 100}`, randomBytes(8000))
      if (count % 4 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    assert.ok(isDropping(), `the broker dropped nothing of ${count} changes`)
    assert.ok(isUp(hanging), 'the one that hangs has not noticed')
    proxy.sever()
    proxy.mend()
    const heldOf = (gateway: Gateway): string => JSON.stringify(gateway.inspect().vector)
    await until(() => heldOf(hanging) === heldOf(busy), 'the one that hung has all', 60_000)
    assert.ok(sameState([busy, hanging]))
  })
})
