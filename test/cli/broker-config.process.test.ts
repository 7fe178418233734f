import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { until } from '../links/clocks.ts'
import { fleetstep, fleetstepJson, start, workplace, type Workplace } from './program.ts'

describe('fleetstep broker config', () => {
  it('writes settings for each kind of broker, and says what to do with them', async (t) => {
    const place = workplace(t)
    const config = fleetConfig(place, 2)
    const run = await fleetstep(
      place,
      'broker',
      'config',
      '--for',
      'mosquitto',
      '--config',
      config,
      '--server',
      'b.example',
    )
    assert.equal(run.code, 0, run.stderr)
    assert.match(run.stdout, /certificates\.sh\n/)
    assert.match(run.stdout, /servers: \[mqtts:\/\/b\.example:8883\]/)
    assert.deepEqual(readdirSync(join(place.folder, 'broker')).toSorted(), [
      'certificates.sh',
      'members',
      'mosquitto.acl',
      'mosquitto.conf',
    ])
    for (const kind of ['nats', 'rabbitmq']) {
      const servers = ['n1.example', 'n2.example', 'n3.example'].flatMap((server) => ['--server', server])
      const words = ['--for', kind, '--config', config, '--directory', kind, '--passwords', ...servers]
      const written = (await fleetstepJson(place, 'broker', 'config', ...words)) as {
        servers: string[]
        files: string[]
      }
      assert.deepEqual(
        written.servers,
        ['n1', 'n2', 'n3'].map((name) => `mqtts://${name}.example:8883`),
      )
      for (const file of written.files) assert.doesNotMatch(text(place, kind, file), /\{\{|undefined/, file)
      assert.equal(written.files.filter((file) => file.endsWith('.conf')).length, 3)
    }
  })

  it('serves gateways that reach it over IPv6, and no other machine where it is to serve its own', async (t) => {
    const place = workplace(t)
    const config = fleetConfig(place, 2)
    const written = async (kind: string, ...servers: readonly string[]): Promise<unknown> => {
      const named = servers.flatMap((server) => ['--server', server])
      const words = ['--for', kind, '--config', config, '--directory', kind, '--passwords', '--plain', ...named]
      return ((await fleetstepJson(place, 'broker', 'config', ...words)) as { servers: unknown }).servers
    }
    assert.deepEqual(await written('mosquitto', 'fd00::1'), ['mqtt://[fd00::1]:1883'])
    assert.match(text(place, 'mosquitto', 'mosquitto.conf'), /^listener 1883 ::$/m)
    assert.deepEqual(await written('nats', 'fd00::1', 'fd00::2'), ['mqtt://[fd00::1]:1883', 'mqtt://[fd00::2]:1883'])
    const nats = text(place, 'nats', 'nats-server-2.conf')
    assert.deepEqual(nats.match(/(?<=listen: ").*(?=")/g), ['[::]:4222', '[::]:6222', '[::]:1883'])
    assert.match(nats, /routes: .*@\[fd00::1\]:6222","nats-route:.*@\[fd00::2\]:6222"/)
    for (const [server, address] of [
      ['localhost', '127.0.0.1'],
      ['::1', '::1'],
    ] as const) {
      await written('mosquitto', server)
      assert.match(text(place, 'mosquitto', 'mosquitto.conf'), new RegExp(`^listener 1883 ${address}$`, 'm'))
    }
  })

  it('keeps the passwords when it is run again for one more member, and lets nobody else read them', async (t) => {
    const place = workplace(t)
    const words = ['--for', 'mosquitto', '--passwords', '--plain', '--user', 'nodered', '--config']
    await fleetstepJson(place, 'broker', 'config', ...words, fleetConfig(place, 1))
    const before = passwords(place)
    await fleetstepJson(place, 'broker', 'config', ...words, fleetConfig(place, 2))
    const after = passwords(place)
    assert.deepEqual([before.size, after.size], [2, 3])
    for (const [user, password] of before) assert.equal(after.get(user), password)
    assert.equal(new Set(after.values()).size, 3)
    for (const file of readdirSync(join(place.folder, 'broker', 'passwords')))
      assert.equal(statSync(join(place.folder, 'broker', 'passwords', file)).mode & 0o077, 0)
    const hashes = text(place, 'broker', 'mosquitto.passwords')
    for (const password of after.values()) assert.ok(!hashes.includes(password), 'the broker has hashes alone')
  })

  const mistakes: readonly (readonly [readonly string[], RegExp])[] = [
    [['--for', 'emqx'], /--for emqx is none that is known: write one of mosquitto, nats, rabbitmq, peers/],
    [['--for', 'mosquitto', '--plain'], /--plain leaves out certificates, so it needs --passwords/],
    [['--for', 'rabbitmq'], /add --passwords/],
    [['--for', 'mosquitto', '--server', 'a', '--server', 'b'], /Mosquitto forms no cluster/],
    [['--for', 'nats', '--server', 'a b'], /--server a b is no name/],
    [['--for', 'nats', '--server', 'a:1883'], /--server a:1883 is no name .* --tcp-port/],
    [['--for', 'nats', '--server', 'fe80::1%eth0'], /--server fe80::1%eth0 is no name/],
    [['--for', 'rabbitmq', '--passwords', '--server', 'a', '--server', 'fd00::1'], /RabbitMQ knows .* by name/],
    [['--for', 'nats', '--user', '../x'], /--user \.\.\/x is no name for a user/],
    [['--for', 'nats', '--user', 'broker'], /--user broker is no name for a user/],
    [['--for', 'nats', '--path', '/etc/my broker'], /cannot stand in the settings of nats/],
    [['--for', 'nats', '--member', 'pump-1'], /--member pump-1 is no node id: it has 16 hexadecimal digits/],
    [['--for', 'peers', '--passwords'], /peers know each other by certificates/],
  ]
  for (const [words, message] of mistakes) {
    it(`answers "${words.join(' ')}" with one line`, async (t) => {
      const place = workplace(t)
      const run = await fleetstep(place, 'broker', 'config', '--config', fleetConfig(place, 1), ...words)
      assert.equal(run.code, 2)
      assert.match(run.stderr, message)
      assert.equal(run.stderr.split('\n').length, 2)
    })
  }

  it('serves a fleet with an operator: its founder, and the nodes that were ever named', async (t) => {
    const place = workplace(t)
    const founder = '0a00000000000001'
    const made = await fleetstep(place, 'fleet', 'create', 'plant', '--founder', founder)
    assert.equal(made.code, 0, made.stderr)
    const words = ['--for', 'rabbitmq', '--passwords', '--plain', '--fleet', 'plant']
    const users = async (...more: readonly string[]): Promise<unknown> => {
      await fleetstepJson(place, 'broker', 'config', ...words, ...more)
      const definitions = JSON.parse(text(place, 'broker', 'definitions.json')) as { users: { name: string }[] }
      return definitions.users.map(({ name }) => name)
    }
    assert.deepEqual(await users(), [founder])
    assert.deepEqual(await users('--member', '0a00000000000002'), [founder, '0a00000000000002'])
    assert.deepEqual(await users('--member', '0a00000000000003'), [founder, '0a00000000000002', '0a00000000000003'])
    await fleetstep(place, 'seed', 'create', 'cards.seed', '--fleet', 'plant', '--server', 'mqtt://127.0.0.1:1')
    const config = place.file('gateway.yaml', 'fleet: { seed: cards.seed }\ndataDirectory: data\n')
    const bySeed = await fleetstepJson(
      place,
      'broker',
      'config',
      '--for',
      'nats',
      '--config',
      config,
      '--directory',
      'nats',
    )
    const { fleet } = JSON.parse(text(place, 'plant', 'fleet.json')) as { fleet: { id: string } }
    assert.equal((bySeed as { fleet: string }).fleet, fleet.id)
    assert.match(text(place, 'nats', 'nats-server.conf'), new RegExp(`user: "${founder}"`))
  })

  it('makes certificates alone for a fleet without a broker', async (t) => {
    const place = workplace(t)
    const run = await fleetstep(place, 'broker', 'config', '--for', 'peers', '--config', fleetConfig(place, 2))
    assert.equal(run.code, 0, run.stderr)
    assert.match(run.stdout, /- kind: peers\n {4}peers: \[mqtts:\/\/127\.0\.0\.1:1884\]/)
    assert.match(text(place, 'broker', 'certificates.sh'), /clientAuth,serverAuth/)
    assert.doesNotMatch(text(place, 'broker', 'certificates.sh'), /certificate broker|\{\{/)
  })

  it('needs the list of members, who are the users', async (t) => {
    const place = workplace(t)
    const nowhere = await fleetstep(place, 'broker', 'config', '--for', 'nats')
    assert.deepEqual([nowhere.code, /name the fleet: --config .* or --fleet/.test(nowhere.stderr)], [2, true])
    const config = place.file('alone.yaml', 'fleet: { name: alone }\ndataDirectory: data\n')
    const run = await fleetstep(place, 'broker', 'config', '--for', 'nats', '--config', config)
    assert.deepEqual([run.code, /fleet\.members is missing/.test(run.stderr)], [3, true])
  })
})

it('fleetstep broker says under which URL it is reached over IPv6', async (t) => {
  const place = workplace(t)
  const broker = start(place, 'broker', '--host', '::1', '--port', '0')
  await until(() => broker.stdout.endsWith('\n') || broker.code !== null, 'it is ready')
  assert.match(broker.stdout, /^fleetstep: broker ready on mqtt:\/\/\[::1\]:[0-9]+\n$/)
})

function fleetConfig(place: Workplace, count: number): string {
  const members = Array.from({ length: count }, (_, index) => `{ node: '0a0000000000000${index}' }`).join(', ')
  return place.file('gateway.yaml', `fleet: { name: pumps, members: [${members}] }\ndataDirectory: data\n`)
}

function text(place: Workplace, ...names: readonly string[]): string {
  return readFileSync(join(place.folder, ...names), 'utf8')
}

function passwords(place: Workplace): ReadonlyMap<string, string> {
  const names = readdirSync(join(place.folder, 'broker', 'passwords'))
  return new Map(names.map((name) => [name, text(place, 'broker', 'passwords', name).trimEnd()]))
}
