import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { connect } from 'mqtt'
import { silentLogger } from '../../runtime/base/logger.ts'
import { memoryStorage, mirror, openGateway, peers } from '../../runtime/index.ts'
import { startEmbeddedBroker } from '../../runtime/links/mqtt/embedded-broker.ts'
import { founders } from '../bench/workload.ts'
import { until } from '../links/clocks.ts'
import { freePort } from '../links/mosquitto.ts'

describe('an application of its own', { timeout: 120_000 }, () => {
  it('joins gateways without a broker, and shows one of them in JSON', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'fleetstep-parts-'))
    t.after(() => rmSync(directory, { recursive: true, force: true }))
    const fleet = founders(2)
    const [first, second] = fleet.founders.map(({ node }) => node)
    assert.ok(first !== undefined && second !== undefined)
    const port = await freePort()
    const listening = await peers({ name: 'first', directory, listen: { host: '127.0.0.1', port } })
    const dialling = await peers({ name: 'second', directory, listen: null, peers: [`mqtt://127.0.0.1:${port}`] })
    const gateway = await openGateway({ fleet, node: first, storage: memoryStorage(), links: [listening] })
    t.after(() => gateway.close())
    const other = await openGateway({ fleet, node: second, storage: memoryStorage(), links: [dialling] })
    t.after(() => other.close())
    gateway.state.set('hall/lamp', true)
    await until(() => other.state.get('hall/lamp') === true, 'the other has it', 60_000)
    assert.match(readFileSync(join(directory, 'peers-second.json'), 'utf8'), new RegExp(first))

    const broker = await startEmbeddedBroker({ host: '127.0.0.1', port: 0, logger: silentLogger })
    t.after(() => broker.close())
    const shown = await mirror(other, { servers: [`mqtt://127.0.0.1:${broker.port}`], writes: ['hall/**'] })
    const tool = connect(`mqtt://127.0.0.1:${broker.port}`, { protocolVersion: 4 })
    t.after(() => tool.end(true))
    const seen = new Map<string, string>()
    tool.on('message', (topic, payload) => seen.set(topic, payload.toString()))
    await tool.subscribeAsync('fleet/#')
    const root = `fleet/${other.fleet}`
    await until(() => seen.get(`${root}/s/${second}/hall/lamp`) === 'true', 'the tool sees it', 60_000)
    const { state, peer } = shown.status()
    assert.deepEqual([state, peer], ['up', `mqtt://127.0.0.1:${broker.port}`])
    await tool.publishAsync(`${root}/set/${second}/hall/lamp`, 'false')
    await until(() => gateway.state.get('hall/lamp') === false, 'the wish is granted everywhere', 60_000)
    await shown.close()
    await until(() => seen.get(`${root}/n/${second}/mirror`) === 'offline', 'it says goodbye', 60_000)
  })
})
