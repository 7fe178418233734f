import assert from 'node:assert/strict'
import { existsSync, symlinkSync, unlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { isRecord } from '../../runtime/gateway/control-protocol.ts'
import { until, untilAnswered } from '../links/clocks.ts'
import { freePort } from '../links/mosquitto.ts'
import {
  aloneConfig,
  fleetstep,
  fleetstepJson,
  PROGRAM,
  runGateway,
  start,
  startCommand,
  workplace,
} from './program.ts'

/** Runs the program as a user that has a number and no name, as containers do. */
const NAMELESS = `data:text/javascript,${encodeURIComponent(`
  import os from 'node:os'
  import { syncBuiltinESMExports } from 'node:module'
  const nobody = () => { throw new Error('uv_os_get_passwd returned ENOENT') }
  Object.assign(os, { userInfo: nobody, homedir: nobody })
  syncBuiltinESMExports()`)}`

describe('fleetstep with a gateway', () => {
  it('says when it is ready, ends cleanly, and has kept the state', async (t) => {
    const place = workplace(t)
    const config = aloneConfig(place, 'pump')
    const gateway = await runGateway(place, config, '--node-id', 'a')
    assert.match(
      gateway.stdout,
      /^fleetstep \S+: gateway pump ready \(node [0-9a-f]{16}, fleet test, control .*\/run\/fleetstep\/pump\.sock\)\n$/,
    )
    assert.equal((await fleetstep(place, 'state', 'set', 'lamp', 'true')).code, 0)
    gateway.kill('SIGTERM')
    await gateway.ended
    assert.equal(gateway.code, 0)
    assert.equal(existsSync(join(place.folder, 'run', 'fleetstep', 'pump.sock')), false)
    const again = await runGateway(place, config, '--node-id', 'a', '--json')
    const ready: unknown = JSON.parse(again.stdout)
    assert.ok(isRecord(ready))
    assert.deepEqual([ready['ready'], ready['device'], ready['pid']], [true, 'pump', again.pid])
    assert.deepEqual(await fleetstepJson(place, 'state', 'get'), { lamp: true })
    again.kill('SIGINT')
    await again.ended
    assert.equal(again.code, 0)
  })

  it('comes back with its state after kill -9', async (t) => {
    const place = workplace(t)
    const config = aloneConfig(place, 'pump')
    const gateway = await runGateway(place, config, '--node-id', 'a')
    assert.equal((await fleetstep(place, 'state', 'set', 'lamp', '7')).code, 0)
    gateway.kill('SIGKILL')
    await gateway.ended
    assert.equal((await fleetstep(place, 'state', 'get')).code, 7)
    await runGateway(place, config, '--node-id', 'a')
    assert.deepEqual(await fleetstepJson(place, 'state', 'get'), { lamp: 7 })
  })

  it('keeps away from a folder for its control socket that somebody else has made', async (t) => {
    const place = workplace(t)
    const environment = { ...place.environment, XDG_RUNTIME_DIR: '', TMPDIR: place.folder }
    const elsewhere = { ...place, environment }
    const config = aloneConfig(place, 'pump')
    const folder = join(place.folder, `fleetstep-${userInfo().uid}`)
    symlinkSync(join(place.folder, 'run'), folder)
    const refused = await fleetstep(elsewhere, 'run', '--config', config, '--node-id', 'a')
    assert.deepEqual(
      [refused.code, refused.stderr.includes(`${folder} was made by somebody else; set controlSocket`)],
      [3, true],
    )
    const asked = await fleetstep(elsewhere, '--gateway', 'pump', 'status')
    assert.match(asked.stderr, /^fleetstep: nothing is asked of .* was made by somebody else; set XDG_RUNTIME_DIR/)
    unlinkSync(folder)
    await runGateway(elsewhere, config, '--node-id', 'a')
    assert.equal((await fleetstep(elsewhere, 'status')).code, 0)
  })

  it('runs and is asked as a user without a name', async (t) => {
    const place = workplace(t)
    const environment = { ...place.environment, XDG_RUNTIME_DIR: '', HOME: '', TMPDIR: place.folder }
    const elsewhere = { ...place, environment }
    const fleetstepOf = (...words: readonly string[]) =>
      startCommand(elsewhere, process.execPath, ['--import', NAMELESS, PROGRAM, ...words])
    const gateway = fleetstepOf('run', '--config', aloneConfig(place, 'pump'), '--node-id', 'a')
    await until(() => gateway.stdout.includes('\n') || gateway.code !== null, 'the gateway is ready')
    assert.match(gateway.stdout, new RegExp(`control \\S+/fleetstep-${process.getuid?.()}/pump\\.sock`), gateway.stderr)
    const asked = fleetstepOf('status')
    await asked.ended
    assert.equal(asked.code, 0, asked.stderr)
  })

  it('says in its status why the mirror is not connected', async (t) => {
    const place = workplace(t)
    const server = `mqtt://127.0.0.1:${await freePort()}`
    const config = aloneConfig(place, 'pump', `mirror: { servers: ['${server}'] }`)
    await runGateway(place, config, '--node-id', 'a')
    const cause = `${server} refused the connection: start the broker there, or correct the address`
    await untilAnswered(
      () => fleetstepJson(place, 'status'),
      (status) => isRecord(status) && isRecord(status['mirror']) && status['mirror']['cause'] === cause,
      'the cause is in the status',
    )
    assert.ok((await fleetstep(place, 'status')).stdout.includes(`  not connected: ${cause}\n`))
  })

  it('changes the state by every command, in both forms', async (t) => {
    const place = workplace(t)
    await runGateway(place, aloneConfig(place, 'pump'), '--node-id', 'a')
    assert.match((await fleetstep(place, 'state', 'get')).stdout, /there are no points yet/)
    const set = await fleetstep(place, 'state', 'set', 'line/speed', '40')
    assert.match(set.stdout, /^applied: operation [0-9a-f]{16}\.00000000:1 at stage 1, settled\n$/)
    const receipt = await fleetstepJson(place, 'state', 'set', 'line/text', '40', '--string')
    assert.ok(isRecord(receipt))
    assert.deepEqual([receipt['outcome'], receipt['stage']], ['applied', 2])
    await fleetstep(place, 'state', 'set', 'below', '-5')
    await fleetstep(place, 'state', 'set', 'large', '12345678901234567890')
    await fleetstep(place, 'state', 'patch', '{"note": "a b", "below": null}', '--toggle', 'line/text').then((run) =>
      assert.equal(run.code, 8, run.stderr),
    )
    const patch = await fleetstep(
      place,
      'state',
      'patch',
      '{"note": "a b", "below": null}',
      '--add=starts=2',
      '--append=list=x',
      '--expect=line/speed>=40',
      '--expect=large',
    )
    assert.equal(patch.code, 0, patch.stderr)
    const get = await fleetstep(place, 'state', 'get')
    assert.equal(
      get.stdout,
      'large       12345678901234567890\nline/speed  40\nline/text   "40"\nlist        ["x"]\nnote        a b\nstarts      2\n',
    )
    assert.deepEqual(await fleetstepJson(place, 'state', 'get', 'line', '--settled'), {
      'line/speed': 40,
      'line/text': '40',
    })
    const removed = await fleetstep(place, 'state', 'rm', 'line/text')
    assert.equal(removed.code, 0)
    const gone = await fleetstep(place, 'state', 'get', 'line/text')
    assert.deepEqual(
      [gone.code, gone.stderr],
      [8, 'fleetstep: there is nothing at line/text: fleetstep state get lists all points\n'],
    )
    const refused = await fleetstep(place, 'state', 'patch', '--set', 'x=1', '--expect', 'line/speed=41')
    assert.deepEqual([refused.code, refused.stdout], [8, ''])
    assert.match(
      refused.stderr,
      /^fleetstep: the change was refused: the guard line\/speed == 41 does not hold: it is 40\n$/,
    )
  })

  it('reads a patch from standard input', async (t) => {
    const place = workplace(t)
    await runGateway(place, aloneConfig(place, 'pump'), '--node-id', 'a')
    const patch = start(place, 'state', 'patch', '-')
    patch.write('{"a": {"b": [1, null]}}')
    await patch.ended
    assert.equal(patch.code, 0, patch.stderr)
    assert.deepEqual(await fleetstepJson(place, 'state', 'get'), { a: { b: [1, null] } })
  })

  it('watches until Ctrl-C, and says when the gateway ends first', async (t) => {
    const place = workplace(t)
    const gateway = await runGateway(place, aloneConfig(place, 'pump'), '--node-id', 'a')
    const people = start(place, 'state', 'watch', 'lamp')
    const programs = start(place, 'state', 'watch', '--settled', '--json')
    let value = 0
    while (people.stdout === '' || programs.stdout === '') {
      value += 1
      await fleetstep(place, 'state', 'set', 'lamp', String(value))
    }
    await fleetstep(place, 'state', 'rm', 'lamp')
    const isRemoval = (line: string): boolean => !line.includes('"after"')
    await until(
      () => people.stdout.includes('(none)\n') && programs.stdout.split('\n').slice(0, -1).some(isRemoval),
      'the last change is told',
    )
    assert.match(people.stdout, /^(lamp {2}\S+ → \d+\n)+lamp {2}\d+ → \(none\)\n$/)
    assert.deepEqual(JSON.parse(programs.stdout.trim().split('\n').at(-1) ?? ''), {
      path: 'lamp',
      before: value,
      settled: true,
    })
    people.kill('SIGINT')
    await people.ended
    assert.deepEqual([people.code, people.stderr], [0, ''])
    gateway.kill('SIGTERM')
    await programs.ended
    await gateway.ended
    assert.equal(programs.code, 7)
    assert.match(programs.stdout, /"code":"daemon-unreachable"/)
  })

  it('shows status, journal, conflicts and links, in both forms', async (t) => {
    const place = workplace(t)
    await runGateway(place, aloneConfig(place, 'pump', 'profile: generic-linux\n'), '--node-id', 'a')
    const status = await fleetstep(place, 'status')
    assert.equal(status.code, 0, status.stderr)
    for (const part of [
      /^gateway +pump, process \d+$/m,
      /^floor +\d+, \S+/m,
      /^ +[0-9a-f]{16} +0 +this gateway/m,
      /^disk +can be written/m,
    ])
      assert.match(status.stdout, part)
    const json = await fleetstepJson(place, 'status')
    assert.ok(isRecord(json))
    assert.deepEqual([json['device'], json['storageProblem'], json['links'], json['alarms']], ['pump', null, [], []])
    assert.equal((await fleetstep(place, 'journal', 'list')).code, 0)
    assert.ok(Array.isArray(await fleetstepJson(place, 'journal', 'list')))
    assert.equal((await fleetstep(place, 'conflict', 'list')).stdout, 'no conflicts\n')
    assert.deepEqual(await fleetstepJson(place, 'conflict', 'list'), [])
    for (const verb of ['reapply', 'dismiss']) {
      const run = await fleetstep(place, 'conflict', verb, 'none')
      assert.equal(run.code, 8)
      assert.match(run.stderr, /^fleetstep: there is no conflict none: list them with fleetstep conflict list\n$/)
    }
    assert.match((await fleetstep(place, 'link', 'list')).stdout, /this gateway is alone/)
    assert.deepEqual(await fleetstepJson(place, 'link', 'list'), [])
    assert.match((await fleetstep(place, 'link', 'open', 'x')).stderr, /there is no link x: this gateway has none/)
  })

  it('shows the quality and the age of what the gateway reads of itself', async (t) => {
    const place = workplace(t)
    await runGateway(place, aloneConfig(place, 'pump', 'profile: generic-linux\n'), '--node-id', 'a')
    const readings = await untilAnswered(
      async () => await fleetstepJson(place, 'state', 'get', '--telemetry'),
      (answer) => Array.isArray(answer) && answer.length > 2,
      'the gateway has read something',
    )
    assert.ok(Array.isArray(readings))
    const load: unknown = readings.find((one) => isRecord(one) && one['path'] === 'pump/load')
    assert.ok(isRecord(load))
    assert.deepEqual([load['quality'], typeof load['value'], typeof load['ageMs']], ['good', 'number', 'number'])
    assert.match((await fleetstep(place, 'state', 'get')).stdout, /^pump\/load +[\d.]+ +good, \d+ s old$/m)
    const text = await fleetstep(place, 'state', 'get', 'pump/load', '--telemetry')
    assert.match(text.stdout, /^pump\/load +[\d.]+ +good, \d+ s old +read by [0-9a-f]{16}\n$/)
    assert.equal((await fleetstep(place, 'state', 'get', 'hall', '--telemetry')).stdout, 'there is no telemetry here\n')
    const status = await fleetstep(place, 'status')
    assert.match(status.stdout, /^telemetry +\d readings of this gateway, 0 of others$/m)
    assert.match(status.stdout, /^state +1 point,/m)
  })

  it('refuses what the profile of the device does not allow', async (t) => {
    const place = workplace(t)
    await runGateway(place, aloneConfig(place, 'pump', 'profile: generic-linux\n'), '--node-id', 'a')
    const bad: readonly (readonly [string, string, RegExp])[] = [
      ['pump/load', '1', /pump\/load is read only: the device reports it/],
      ['pump/colour', 'red', /pump\/colour is not in this device's profile, which has: load/],
      ['pump/setpoint', 'warm', /pump\/setpoint must be a number/],
      ['a//b', '1', /"a\/\/b" is no path/],
    ]
    for (const [path, value, message] of bad) {
      const run = await fleetstep(place, 'state', 'set', path, value)
      assert.equal(run.code, 8)
      assert.match(run.stderr, message)
      assert.equal(run.stderr.split('\n').length, 2)
    }
  })

  it('chooses a gateway by name, by socket and by environment, and says which it took', async (t) => {
    const place = workplace(t)
    await Promise.all([
      runGateway(place, aloneConfig(place, 'anna'), '--node-id', 'a'),
      runGateway(place, aloneConfig(place, 'bert'), '--node-id', 'b'),
    ])
    const socket = join(place.folder, 'run', 'fleetstep', 'bert.sock')
    await fleetstep(place, 'state', 'set', 'name', 'anna', '--gateway', 'anna')
    await fleetstep(place, '--socket', socket, 'state', 'set', 'name', 'bert')
    const first = await fleetstep(place, 'state', 'get')
    assert.equal(first.stdout, 'name  anna\n')
    assert.equal(
      first.stderr,
      'fleetstep: several gateways run here: anna, bert; this is anna; choose with --gateway NAME\n',
    )
    const environment = { ...place.environment, FLEETSTEP_SOCKET: socket }
    assert.equal((await fleetstep({ ...place, environment }, 'state', 'get')).stdout, 'name  bert\n')
  })

  it('goes on without its broker and says so, and joins it when it comes', async (t) => {
    const place = workplace(t)
    const port = await freePort()
    const broker = start(place, 'broker', '--port', String(port), '--json')
    await until(() => broker.stdout.includes('\n'), 'the broker is ready')
    assert.equal((JSON.parse(broker.stdout) as { port: number }).port, port)
    broker.kill('SIGINT')
    await broker.ended
    assert.equal(broker.code, 0)
    const links = `links: [{ kind: mqtt, servers: ['mqtt://127.0.0.1:${port}'] }]\n`
    const gateway = await runGateway(place, aloneConfig(place, 'pump', links), '--node-id', 'a')
    await until(() => gateway.stderr.includes(`127.0.0.1:${port}`), 'the gateway says that no broker answers')
    assert.equal((await fleetstep(place, 'state', 'set', 'lamp', 'true')).code, 0)
    assert.match((await fleetstep(place, 'link', 'list')).stdout, /^mqtt {2}connecting .*\n {2}\S+/)
    const again = start(place, 'broker', '--port', String(port))
    await until(() => again.stdout.includes(`broker ready on mqtt://127.0.0.1:${port}`), 'the broker is ready again')
    await until(() => gateway.stderr.includes('connected'), 'the gateway has found it')
    assert.match((await fleetstep(place, 'link', 'list')).stdout, /^mqtt {2}up /)
    assert.equal((await fleetstep(place, 'link', 'close', 'mqtt')).stdout, 'mqtt is closed\n')
    assert.deepEqual(await fleetstepJson(place, 'link', 'open', 'mqtt'), { link: 'mqtt', isOpen: true })
  })

  it('ends with one line and its own exit code when it cannot start', async (t) => {
    const place = workplace(t)
    const blocker = createServer()
    await new Promise<void>((resolve) => void blocker.listen(0, '127.0.0.1', resolve))
    t.after(() => void blocker.close())
    const address = blocker.address()
    const port = typeof address === 'object' ? address?.port : 0
    const config = aloneConfig(place, 'pump', `broker: { port: ${await freePort()} }\n`)
    await runGateway(place, config, '--node-id', 'a')
    const members = "fleet: { name: test, members: [{ node: '0200000000000001' }] }\n"
    const bad: readonly (readonly [number, RegExp, readonly string[]])[] = [
      [4, /pump is in use by process \d+; stop that daemon first/, [config, '--node-id', 'a']],
      [4, /identity\.json belongs to node [0-9a-f]{16}, and this is not it/, [config, '--node-id', 'b']],
      [
        7,
        /another gateway answers on .*pump\.sock/,
        [place.file('same.yaml', 'fleet: { name: test }\ndevice: pump\ndataDirectory: d1\n'), '--node-id', 'a'],
      ],
      [
        6,
        /cannot listen on 127\.0\.0\.1:\d+, which another program uses/,
        [aloneConfig(place, 'b', `broker: { port: ${port} }\n`), '--node-id', 'a'],
      ],
      [
        3,
        /is not among the members of fleet test: add it/,
        [place.file('m.yaml', `${members}dataDirectory: d2\n`), '--node-id', 'a'],
      ],
      [
        3,
        /there is no such file; name the YAML file of a device profile/,
        [aloneConfig(place, 'c', 'profile: no.yaml\n'), '--node-id', 'a'],
      ],
      [
        4,
        /cannot read .*data-d\/identity\.json: ENOTDIR; choose a dataDirectory/,
        [place.file('d.yaml', `fleet: { name: f }\ndataDirectory: same.yaml/data-d\n`), '--node-id', 'a'],
      ],
    ]
    for (const [code, message, words] of bad) {
      const run = await fleetstep(place, 'run', '--config', ...words)
      const lines = run.stderr.split('\n').filter((line) => line.startsWith('fleetstep: '))
      assert.equal(lines.length, 1, run.stderr)
      assert.match(lines[0] ?? '', message)
      assert.deepEqual([run.code, run.stdout], [code, ''])
    }
  })

  it('refuses the data directory of another fleet', async (t) => {
    const place = workplace(t)
    const config = aloneConfig(place, 'pump')
    const gateway = await runGateway(place, config, '--node-id', 'a')
    gateway.kill('SIGTERM')
    await gateway.ended
    const other = place.file('other.yaml', 'fleet: { name: other }\ndevice: pump\ndataDirectory: data-pump\n')
    const run = await fleetstep(place, 'run', '--config', other, '--node-id', 'a')
    assert.equal(run.code, 4)
    assert.match(run.stderr, /^fleetstep: .*data-pump .*fleet/m)
  })
})
