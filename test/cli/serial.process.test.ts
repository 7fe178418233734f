import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isRecord } from '../../runtime/gateway/control-protocol.ts'
import { until, untilAnswered } from '../links/clocks.ts'
import { freePort } from '../links/mosquitto.ts'
import { PTY_SKIP, startPtyLine } from '../support/pty-line.ts'
import { fleetstep, fleetstepJson, runGateway, start, type Workplace, workplace } from './program.ts'

// socat makes the terminals.
describe('fleetstep over serial lines', { skip: PTY_SKIP }, () => {
  it('carries changes between a gateway with only a cable and one with only a network, through one with both', async (t) => {
    const place = workplace(t)
    const pty = await startPtyLine(['west', 'east'], { baud: 115_200 })
    t.after(() => pty.end())
    const port = await freePort()
    const names = ['cable', 'both', 'network'] as const
    const ids = await Promise.all(names.map((name) => fleetstepJson(place, 'node', 'id', '--node-id', name)))
    const members = ids.map((id) => `{ node: '${isRecord(id) ? String(id['id']) : ''}' }`).join(', ')
    const serial = (end: string): string => `{ kind: serial, port: ${pty.device(end)} }`
    const mqtt = `{ kind: mqtt, servers: ['mqtt://127.0.0.1:${port}'] }`
    const config = (name: string, links: string, more: string = ''): string =>
      place.file(
        `${name}.yaml`,
        `fleet: { name: test, members: [${members}] }\ndevice: ${name}\ndataDirectory: data-${name}\nlinks: [${links}]\n${more}`,
      )
    const broker = `broker: { port: ${port} }\n`
    await runGateway(place, config('both', `${serial('east')}, ${mqtt}`, broker), '--node-id', 'both')
    const cable = await runGateway(place, config('cable', serial('west')), '--node-id', 'cable')
    await runGateway(place, config('network', mqtt), '--node-id', 'network')
    for (const [from, to] of [
      ['cable', 'network'],
      ['network', 'cable'],
    ] as const) {
      assert.equal((await fleetstep(place, '--gateway', from, 'state', 'set', `from/${from}`, '1')).code, 0)
      await untilSeen(place, to, `from/${from}`)
    }
    const [link] = (await fleetstepJson(place, '--gateway', 'cable', 'link', 'list')) as Record<string, unknown>[]
    assert.deepEqual([link?.['name'], link?.['state']], ['serial', 'up'])
    assert.ok(isRecord(link?.['line']) && Number(link['line']['bytesOut']) > 0)
    const toldBefore = cable.stderr.length
    await pty.unplug('west')
    await until(() => cable.stderr.slice(toldBefore).includes(pty.device('west')), 'the pull is told')
    assert.equal((await fleetstep(place, '--gateway', 'network', 'state', 'set', 'while/away', '2')).code, 0)
    await pty.plugIn('west')
    await untilSeen(place, 'cable', 'while/away')
  })

  it('checks ports and listens to one', async (t) => {
    const place = workplace(t)
    const pty = await startPtyLine(['west', 'east'], { baud: 115_200 })
    t.after(() => pty.end())
    const free = await fleetstep(place, 'serial', 'check', pty.device('west'))
    assert.deepEqual([free.code, free.stdout], [0, `${pty.device('west')}: a link can use it\n`])
    const missing = await fleetstep(place, 'serial', 'check', '/dev/ttyNone')
    assert.equal(missing.code, 6)
    assert.match(missing.stdout, /^\/dev\/ttyNone is not there: plug it in; fleetstep serial list shows what is\n$/)
    const other = await fleetstep(place, 'serial', 'check', place.file('text', ''))
    assert.equal(other.code, 6)
    assert.match(
      other.stdout,
      /\/text is no serial port, or one that cannot do 115200 baud: fleetstep serial list shows/,
    )
    const monitor = start(place, 'serial', 'monitor', pty.device('east'), '--json')
    const config = place.file(
      'a.yaml',
      `fleet: { name: test }\ndataDirectory: a\nlinks: [{ kind: serial, port: ${pty.device('west')} }]\n`,
    )
    await runGateway(place, config, '--node-id', 'a')
    await until(() => monitor.stdout.includes('"kind":"hello"'), 'a hello is heard')
    const held = await fleetstep(place, 'serial', 'check', pty.device('west'))
    assert.equal(held.code, 6)
    assert.match(held.stdout, / is in use by \S+, process [0-9]+: end it, or give this link another port\n$/)
    monitor.kill('SIGINT')
    await monitor.ended
    assert.equal(monitor.code, 0)
    assert.ok(Array.isArray(await fleetstepJson(place, 'serial', 'list')))
  })
})

async function untilSeen(place: Workplace, gateway: string, path: string): Promise<void> {
  await untilAnswered(
    async () => (await fleetstep(place, '--gateway', gateway, 'state', 'get', path)).code,
    (code) => code === 0,
    `${gateway} has seen ${path}`,
  )
}
