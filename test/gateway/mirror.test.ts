import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import type { Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { connect, type MqttClient } from 'mqtt'
import { LINK_QUEUE_FRAMES_MAX } from '../../runtime/base/limits.ts'
import { silentLogger } from '../../runtime/base/logger.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { loadProfile } from '../../runtime/device/profiles/load.ts'
import type { Gateway } from '../../runtime/gateway/gateway.ts'
import type { Digest } from '../../runtime/base/digest.ts'
import type { DeviceRules } from '../../runtime/state/rules/rules.ts'
import { Mirror, type MirrorOptions } from '../../runtime/gateway/mirror/mirror.ts'
import { pathOfTopic, topicOfPath } from '../../runtime/gateway/mirror/mirror-topics.ts'
import { shippedProfile } from '../../runtime/gateway/shipped-profiles.ts'
import type { Path } from '../../runtime/state/path.ts'
import { accepted, profileText } from '../device/profile-text.ts'
import { realClock, until } from '../links/clocks.ts'
import { MOSQUITTO_FLEET, MOSQUITTO_SKIP, startMosquitto, type Mosquitto } from '../links/mosquitto.ts'
import { keepingLogger } from '../links/mqtt-fixture.ts'
import { ACCEPTED, say, startScriptedBroker, SUBSCRIBED } from '../links/scripted-broker.ts'
import { openAlone } from './fleet.ts'

const run = promisify(execFile)

const mirrorDefaults = {
  version: '1.2.3',
  username: undefined,
  password: undefined,
  tls: {},
  paths: ['**'],
  writes: ['**'],
  homeAssistant: false,
  clock: realClock,
  logger: silentLogger,
}

interface Stage {
  readonly gateway: Gateway
  readonly broker: Mosquitto
  readonly root: string
  /** What a tool of people has seen: the last payload by topic. */
  readonly seen: Map<string, string>
  readonly messages: string[]
  mirror(options?: Partial<MirrorOptions>): Mirror
  publish(topic: string, message: string, ...words: readonly string[]): Promise<unknown>
}

async function stage(t: TestContext): Promise<Stage> {
  const { profile } = loadProfile(shippedProfile('generic-linux'))
  const gateway = await openAlone(t, { device: 'pump', profile })
  const broker = await startMosquitto(MOSQUITTO_FLEET)
  t.after(() => broker.end())
  const root = `fleet/${gateway.fleet}`
  const seen = new Map<string, string>()
  const messages: string[] = []
  const tool: MqttClient = connect(`mqtt://127.0.0.1:${broker.port}`, { protocolVersion: 5 })
  t.after(() => tool.end(true))
  tool.on('message', (topic, payload, packet) => {
    seen.set(topic, payload.toString())
    messages.push(`${topic} ${payload.toString()} ${packet.properties?.contentType}`)
  })
  await tool.subscribeAsync('#', { qos: 1 })
  return {
    gateway,
    broker,
    root,
    seen,
    messages,
    mirror(options = {}) {
      const mirror = new Mirror({
        gateway,
        profile: () => gateway.profile,
        servers: [`mqtt://127.0.0.1:${broker.port}`],
        random: seededRandom(1),
        ...mirrorDefaults,
        ...options,
      })
      mirror.start()
      t.after(() => mirror.stop())
      return mirror
    },
    publish: async (topic, message, ...words) =>
      await run('mosquitto_pub', ['-p', String(broker.port), '-t', topic, '-m', message, ...words]),
  }
}

/** What the fleet allows of the points in the hall. */
const HALL: DeviceRules = {
  node: null,
  profile: { name: 'hall', digest: '0123456789abcdef' as Digest },
  points: [
    { path: 'lamp', valueType: 'Bool', access: 'RW' },
    { path: '**', valueType: 'Any', access: 'RW' },
  ],
}

describe('the mirror in JSON', { skip: MOSQUITTO_SKIP }, () => {
  it('shows each point as a retained message, and takes away what is gone', async (t) => {
    const { gateway, root, seen, messages, broker, mirror } = await stage(t)
    const leaf = (path: string): string => `${root}/s/${gateway.node}/${path}`
    gateway.state.set('hall/lamp', true)
    gateway.state.set('hall/name', 'Hauptgebäude "A"')
    gateway.state.set('hall/°C', 21.5)
    mirror()
    await until(() => seen.has(leaf('hall/_c2_b0C')), 'all are shown')
    assert.equal(seen.get(leaf('hall/lamp')), 'true')
    assert.equal(seen.get(leaf('hall/name')), '"Hauptgebäude \\"A\\""')
    assert.equal(seen.get(`${root}/n/${gateway.node}/mirror`), 'online')
    assert.ok(messages.includes(`${leaf('hall/lamp')} true application/json`))
    const { stdout } = await run('mosquitto_sub', [
      '-p',
      String(broker.port),
      '-t',
      leaf('hall/lamp'),
      '-C',
      '1',
      '-W',
      '60',
    ])
    assert.equal(stdout, 'true\n', 'who comes later finds it')
    gateway.state.delete('hall/lamp')
    await until(() => seen.get(leaf('hall/lamp')) === '', 'the removed one is taken away')
  })

  it('shows telemetry like any point', async (t) => {
    const { gateway, root, seen, mirror } = await stage(t)
    const leaf = `${root}/s/${gateway.node}/pump/`
    gateway.state.report('pump/load', 0.5)
    mirror()
    await until(() => seen.get(`${leaf}load`) === '0.5', 'what was read before is shown')
    gateway.state.report('pump/load', 0.75)
    gateway.state.report('pump/uptime', 7)
    await until(() => seen.get(`${leaf}load`) === '0.75' && seen.get(`${leaf}uptime`) === '7', 'and what is read then')
    gateway.telemetry.withdraw('pump/load')
    await until(() => seen.get(`${leaf}load`) === '', 'what is gone is taken away')
    assert.equal(gateway.inspect().paths, 0, 'no operation was made')
  })

  it('says how far each value that a device reports can be relied on, and since when', async (t) => {
    const { gateway, root, seen, mirror, publish } = await stage(t)
    const topic = (path: string): string => `${root}/q/${gateway.node}/${path}`
    const quality = (path: string) => JSON.parse(seen.get(topic(path)) ?? '{}') as Record<string, unknown>
    await publish(topic('pump/gone'), '{"quality":"good"}', '-r')
    gateway.state.set('pump/label', 'north')
    gateway.state.report('pump/load', 0.5, { ageMs: 1000 })
    mirror()
    await until(() => quality('pump/load')['quality'] === 'good', 'what was read is good')
    assert.ok(Number(quality('pump/load')['ageMs']) >= 1000, `${seen.get(topic('pump/load'))}`)
    await until(() => seen.has(topic('pump/uptime')), 'so is what was not read')
    assert.deepEqual(quality('pump/uptime'), { quality: 'uncertain', ageMs: null }, 'what was never read is not')
    assert.equal(seen.has(topic('pump/label')), false, 'nobody reports what people set')
    gateway.state.report('pump/health/load', { state: 'down', error: 'no such file' })
    await until(() => quality('pump/load')['quality'] === 'bad', 'what fails is bad')
    await until(() => seen.get(topic('pump/gone')) === '', 'what lies there of a point that is gone is taken away')
  })

  it('takes away all that lies there of points that are gone, also more than its queue holds', async (t) => {
    const { gateway, root, seen, mirror, broker } = await stage(t)
    const tool = connect(`mqtt://127.0.0.1:${broker.port}`)
    t.after(() => tool.end(true))
    const topics = Array.from(
      { length: 3 * LINK_QUEUE_FRAMES_MAX },
      (_, index) => `${root}/${index % 2 === 0 ? 's' : 'q'}/${gateway.node}/gone/${index}`,
    )
    await Promise.all(topics.map((topic) => tool.publishAsync(topic, '1', { qos: 1, retain: true })))
    const shown = mirror()
    await until(() => topics.every((topic) => seen.get(topic) === ''), 'all are taken away')
    assert.deepEqual(shown.status().counters.dropped, {})
  })

  it('looks at the qualities of all points now and then, and not for each that lies at a broker', async (t) => {
    const { gateway, root, seen, mirror, broker } = await stage(t)
    gateway.state.report('pump/load', 0.5)
    const topic = (index: number): string => `${root}/q/${gateway.node}/pump/gone${index}`
    const tool = connect(`mqtt://127.0.0.1:${broker.port}`)
    t.after(() => tool.end(true))
    const points = 100
    for (let index = 0; index < points; index += 1)
      await tool.publishAsync(topic(index), '{}', { qos: 1, retain: true })
    const looks = t.mock.method(gateway.telemetry, 'list')
    mirror()
    for (let index = 0; index < points; index += 1) {
      await until(() => seen.get(topic(index)) === '', 'what lies there of a point that is gone is taken away')
    }
    assert.ok(looks.mock.callCount() < points / 4, `${looks.mock.callCount()} looks`)
  })

  it('leaves out what the broker does not take, says so, and stays connected', async (t) => {
    const { gateway, root, mirror } = await stage(t)
    const small = await startMosquitto(['allow_anonymous true', 'max_packet_size 2000'])
    t.after(() => small.end())
    const tool = connect(`mqtt://127.0.0.1:${small.port}`, { protocolVersion: 5 })
    t.after(() => tool.end(true))
    const seen = new Map<string, string>()
    tool.on('message', (topic, payload) => seen.set(topic, payload.toString()))
    await tool.subscribeAsync('#')
    const leaf = `${root}/s/${gateway.node}/hall/`
    gateway.state.set('hall/text', 'short')
    gateway.state.set('hall/lamp', 1)
    const lines: string[] = []
    const shown = mirror({ servers: [`mqtt://127.0.0.1:${small.port}`], logger: keepingLogger(lines) })
    await until(() => seen.get(`${leaf}text`) === '"short"', 'a short text is shown')
    gateway.state.set('hall/text', 'x'.repeat(4000))
    await until(() => seen.get(`${leaf}text`) === '', 'it is no more, since it is not the value any more')
    await until(() => seen.get(`${leaf}lamp`) === '1', 'the other point is shown')
    await until(() => lines.some((line) => /hall\/text is left out/.test(line)), 'it says so')
    gateway.state.set('hall/lamp', 2)
    await until(() => seen.get(`${leaf}lamp`) === '2', 'it goes on')
    const { state, cause, peer, counters } = shown.status()
    assert.deepEqual([state, cause, peer], ['up', null, `mqtt://127.0.0.1:${small.port}`])
    assert.deepEqual([counters.dropped, counters.framesSent >= 3], [{ 'over-broker-limit': 1 }, true])
    assert.equal(lines.filter((line) => line.includes('connected to')).length, 1, lines.join('\n'))
  })

  it('says why it is not connected', async (t) => {
    const { broker, mirror } = await stage(t)
    const shown = mirror()
    await until(() => shown.status().state === 'up', 'it is connected')
    await broker.kill()
    await until(() => /refused the connection/.test(shown.status().cause ?? ''), 'it says why')
    assert.equal(shown.status().state, 'connecting')
    await broker.restart()
    await until(() => shown.status().state === 'up', 'it is connected again')
    assert.deepEqual([shown.status().cause, shown.status().counters.reconnects], [null, 1])
  })

  it('says again that it is there when something else is retained of it', async (t) => {
    const { gateway, root, seen, mirror, publish } = await stage(t)
    const topic = `${root}/n/${gateway.node}/mirror`
    const shown = mirror()
    for (const message of ['offline', '']) {
      await until(() => seen.get(topic) === 'online', 'it says that it is there')
      seen.delete(topic)
      await publish(topic, message, '-r')
    }
    await until(() => seen.get(topic) === 'online', 'it says so again')
    await shown.stop()
    await until(() => seen.get(topic) === 'offline', 'until it goes')
  })

  it('describes the device to a Home Assistant that says all the time that it has started', async (t) => {
    const { gateway, mirror, broker, seen } = await stage(t)
    const assistant = connect(`mqtt://127.0.0.1:${broker.port}`)
    t.after(() => assistant.end(true))
    mirror({ homeAssistant: true, random: { uint32: () => 2 ** 28 } })
    const topic = `homeassistant/device/${gateway.node}/config`
    await until(() => seen.has(topic), 'the device is described')
    seen.delete(topic)
    const isDescribed = (): boolean => {
      assistant.publish('homeassistant/status', 'online', { qos: 0 })
      return seen.has(topic)
    }
    await until(isDescribed, 'it is described again')
  })

  it('publishes a point that changes all the time once in a second, the last value in the end', async (t) => {
    const { gateway, root, messages, mirror } = await stage(t)
    const topic = `${root}/s/${gateway.node}/speed `
    gateway.state.set('speed', -1)
    mirror()
    await until(() => messages.some((line) => line.startsWith(topic)), 'the first is shown')
    const startedAt = performance.now()
    let count = 0
    while (performance.now() - startedAt < 1500 || count < 50) {
      gateway.state.set('speed', (count += 1))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await until(() => messages.some((line) => line.startsWith(`${topic}${count} `)), 'the last value is shown')
    const elapsedMs = performance.now() - startedAt
    const shown = messages.filter((line) => line.startsWith(topic)).length
    assert.ok(shown <= 1 + Math.ceil(elapsedMs / 1000), `${shown} of ${count} in ${elapsedMs} ms`)
  })

  it('grants wishes of mosquitto_pub that the profile and the config allow, and answers the others', async (t) => {
    const { gateway, root, seen, mirror, publish } = await stage(t)
    mirror({ writes: ['hall/**', 'pump/**'] })
    await until(() => seen.get(`${root}/n/${gateway.node}/mirror`) === 'online', 'the mirror is there')
    const wish = async (path: string, message: string, ...words: string[]): Promise<unknown> =>
      await publish(`${root}/set/${gateway.node}/${path}`, message, ...words)
    const errors = `${root}/n/${gateway.node}/err`
    gateway.profiles.apply('hall', HALL)
    await wish('hall/lamp', 'true')
    await wish('hall/name', '"main"')
    await wish('hall/meter', '9007199254740993')
    await until(() => gateway.state.get('hall/meter') !== undefined, 'a number beyond 2^53 is granted')
    assert.equal(gateway.state.get('hall/meter'), 9_007_199_254_740_993n, 'with all of its digits')
    await until(() => gateway.state.get('hall/name') === 'main', 'the wishes are granted')
    assert.equal(gateway.state.get('hall/lamp'), true)
    for (const [path, message, code, text, ...words] of [
      ['hall/lamp', 'on', 'request-invalid', /"on" is not JSON: text stands in double quotes/],
      ['hall/meter', '1e400', 'request-invalid', /^1e400 is too large for a number$/],
      ['hall/lamp', '1', 'operation-invalid', /hall\/lamp must be true or false \(Bool\), but is 1/],
      ['hall/lamp', '', 'request-invalid', /a wish has 1 to .* an empty one deletes nothing/],
      ['door', 'true', 'operation-refused', /may not be set from here: see mirror\.writes/],
      ['pump/load', '1', 'operation-refused', /read only/],
      ['pump/none', '1', 'path-unknown', /not in this device's profile/],
      ['hall/a_zz', '1', 'none', /none/],
      ['hall/lamp', 'false', 'request-invalid', /not retained/, '-r'],
    ] as const) {
      seen.delete(errors)
      await wish(path, message, ...words)
      if (code === 'none') {
        await until(() => gateway.state.get('hall/a_zz') === 1, 'an underline stands for itself')
        continue
      }
      // A retained wish is as any other for those who are there; it is refused to those who come later.
      if (words.length > 0) {
        await until(() => gateway.state.get('hall/lamp') === false, 'it is granted to those who are there')
        gateway.state.set('hall/lamp', true)
        const again = mirror({ writes: ['**'] })
        await until(() => seen.has(errors), 'the one who comes later refuses it')
        await again.stop()
        assert.equal(gateway.state.get('hall/lamp'), true)
      }
      await until(() => seen.has(errors), `${path} is answered`)
      const answer = JSON.parse(seen.get(errors) ?? '') as Record<string, string>
      assert.equal(answer['code'], code)
      assert.equal(answer['path'], path)
      assert.match(answer['message'] ?? '', text)
    }
    assert.equal(gateway.state.get('door'), undefined)
  })

  it('says all again to a broker that has forgotten, and takes away what it keeps of points that are gone', async (t) => {
    const { gateway, root, seen, broker, mirror, publish } = await stage(t)
    const stale = `${root}/s/${gateway.node}/gone`
    await publish(stale, '1', '-r')
    // Longer than any frame of a link, and not longer than what a mirror publishes.
    const long = `${root}/s/${gateway.node}/text`
    await publish(long, 'x'.repeat(100_000), '-r')
    gateway.state.set('lamp', true)
    mirror()
    await until(() => seen.get(stale) === '' && seen.get(long) === '', 'the stale ones are taken away')
    await until(() => seen.get(`${root}/s/${gateway.node}/lamp`) === 'true', 'the lamp is shown')
    await broker.kill()
    seen.clear()
    gateway.state.set('lamp', false)
    await broker.restart()
    await until(() => seen.get(`${root}/s/${gateway.node}/lamp`) === 'false', 'it is shown again')
    await until(() => seen.get(`${root}/n/${gateway.node}/mirror`) === 'online', 'it says that it is there again')
  })

  it('describes the device to Home Assistant, and again when that has started', async (t) => {
    const { gateway, root, seen, mirror, publish } = await stage(t)
    const described = mirror({ homeAssistant: true, random: { uint32: () => 0 } })
    const topic = `homeassistant/device/${gateway.node}/config`
    await until(() => seen.has(topic), 'the device is described')
    const { dev, o, cmps, avty } = JSON.parse(seen.get(topic) ?? '') as Record<string, Record<string, unknown>>
    assert.deepEqual(dev, { ids: [gateway.node], name: 'pump' })
    assert.deepEqual(o, { name: 'fleetstep', sw: '1.2.3' })
    assert.deepEqual(avty, [{ t: `${root}/n/${gateway.node}/mirror` }])
    assert.deepEqual(cmps?.['load'], {
      p: 'sensor',
      name: 'load',
      uniq_id: `${gateway.node}_load`,
      stat_t: `${root}/s/${gateway.node}/pump/load`,
      stat_cla: 'measurement',
      avty: [
        { t: `${root}/n/${gateway.node}/mirror` },
        {
          t: `${root}/q/${gateway.node}/pump/load`,
          val_tpl: "{{ 'online' if value_json.quality == 'good' else 'offline' }}",
        },
      ],
      avty_mode: 'all',
      json_attr_t: `${root}/q/${gateway.node}/pump/load`,
    })
    const settable = Object.values(cmps ?? {}).filter(
      (one) => typeof one === 'object' && one !== null && 'cmd_t' in one,
    )
    assert.ok(settable.length > 0, 'what people may set has a topic for it')
    seen.delete(topic)
    await publish('homeassistant/status', 'online')
    await until(() => seen.has(topic), 'it is described again')
    const { profile: stricter } = accepted(profileText('valueType: Bool, readWrite: R'))
    gateway.useProfile(stricter)
    described.describeAnew()
    await until(() => seen.get(topic)?.includes('"point"') === true, 'the points of another profile are described')
    const { cmps: next } = JSON.parse(seen.get(topic) ?? '') as Record<string, Record<string, unknown>>
    assert.deepEqual(next?.['load'], { p: 'sensor' }, 'what is gone is taken away')
  })

  it('takes away in Home Assistant what has another platform now, before it is described anew', async (t) => {
    const { gateway, seen, messages, mirror } = await stage(t)
    const topic = `homeassistant/device/${gateway.node}/config`
    const described = (): unknown[] =>
      messages
        .filter((line) => line.startsWith(topic))
        .map((line) => (JSON.parse(line.slice(topic.length, line.lastIndexOf(' '))) as Record<string, unknown>)['cmps'])
    const { profile } = accepted(profileText('valueType: Bool, readWrite: RW'))
    gateway.useProfile(profile)
    const first = mirror({ homeAssistant: true })
    await until(() => seen.get(topic)?.includes('"switch"') === true, 'the point can be set')
    const { profile: number } = accepted(profileText('valueType: Uint8, readWrite: RW'))
    gateway.useProfile(number)
    first.describeAnew()
    await until(() => seen.get(topic)?.includes('"number"') === true, 'it is a number')
    assert.deepEqual(described().at(-2), { point: { p: 'switch' } }, 'the switch is taken away')
    await first.stop()
    const second = mirror({ homeAssistant: true, writes: [] })
    await until(
      () => described().some((cmps) => JSON.stringify(cmps) === '{"point":{"p":"number"}}'),
      'so is the number',
    )
    await until(() => seen.get(topic)?.includes('"stat_t"') === true, 'what is there now is said last')
    assert.match(seen.get(topic) ?? '', /"point":\{"p":"sensor"/)
    await second.stop()
    mirror({ homeAssistant: true, profile: () => null })
    await until(() => seen.get(topic) === '', 'without a profile nothing is described any more')
  })

  it('takes away in Home Assistant what was described before the start and is not any more', async (t) => {
    const { gateway, seen, mirror } = await stage(t)
    const topic = `homeassistant/device/${gateway.node}/config`
    const first = mirror({ homeAssistant: true })
    await until(() => seen.get(topic)?.includes('"load"') === true, 'the device is described')
    await first.stop()
    const { profile: stricter } = accepted(profileText('valueType: Bool, readWrite: R'))
    gateway.useProfile(stricter)
    const second = mirror({ homeAssistant: true })
    await until(() => seen.get(topic)?.includes('"load":{"p":"sensor"}') === true, 'what is gone is taken away')
    assert.match(seen.get(topic) ?? '', /"point":\{"p":"binary_sensor",/)
    await second.stop()
    const third = mirror({ homeAssistant: true })
    await until(() => seen.get(topic)?.includes('"load"') === false, 'what was taken away is not named for ever')
    await third.stop()
    mirror({ homeAssistant: false })
    await until(() => seen.get(topic) === '', 'nothing is described any more')
  })
})

describe('the mirror with a broker that acknowledges nothing', () => {
  it('keeps no more of wishes for points that are not there than the queue takes', async (t) => {
    const gateway = await openAlone(t, {})
    const root = `fleet/${gateway.fleet}`
    const { published, acknowledge } = await silentStage(
      t,
      { gateway, profile: () => null, writes: ['lamp'] },
      (socket) => {
        for (let index = 0; index < 3000; index += 1) say(socket, `${root}/set/${gateway.node}/nothing/${index}`, '1')
        say(socket, `${root}/set/${gateway.node}/lamp`, 'true')
      },
    )
    await until(() => gateway.state.get('lamp') === true, 'all wishes have come')
    acknowledge()
    await until(() => published.includes(`${root}/s/${gateway.node}/lamp`), 'the lamp is shown')
    const ofNothing = published.filter((topic) => topic.startsWith(`${root}/s/${gateway.node}/nothing/`))
    assert.ok(ofNothing.length < LINK_QUEUE_FRAMES_MAX, `${ofNothing.length} were kept`)
  })

  it('describes another profile as soon as the queue has room', async (t) => {
    const { profile } = accepted(profileText('valueType: Bool, readWrite: RW'))
    const gateway = await openAlone(t, { profile })
    for (let index = 0; index < 3 * LINK_QUEUE_FRAMES_MAX; index += 1) gateway.state.set(`row/${index}`, index)
    const options = { gateway, profile: () => gateway.profile, homeAssistant: true }
    const { mirror, published, acknowledge } = await silentStage(t, options, () => {})
    const descriptions = (): number => published.filter((topic) => topic.startsWith('homeassistant/')).length
    await until(() => published.some((topic) => topic.includes('/s/')), 'the points wait in the queue')
    assert.equal(descriptions(), 1)
    gateway.useProfile(accepted(profileText('valueType: Uint8, readWrite: R')).profile)
    mirror.describeAnew()
    acknowledge()
    await until(() => descriptions() === 3, 'what was there is taken away, and what is there now is described')
    assert.deepEqual(mirror.status().counters.dropped, {})
  })
})

interface SilentStage {
  readonly mirror: Mirror
  /** Topics that have come to the broker. */
  readonly published: readonly string[]
  /** From now on it acknowledges. */
  acknowledge(): void
}

async function silentStage(
  t: TestContext,
  options: Pick<MirrorOptions, 'gateway' | 'profile'> & Partial<MirrorOptions>,
  atFirst: (socket: Socket) => void,
): Promise<SilentStage> {
  const published: string[] = []
  const answers: (() => void)[] = []
  let isPrompt = false
  const broker = await startScriptedBroker({
    connack: ACCEPTED,
    suback: [...SUBSCRIBED, 0],
    subscribe: () => undefined,
    publish(socket, packetId, topic) {
      published.push(topic)
      const answer = (): void => void socket.write(Buffer.from([0x40, 2, ...packetId]))
      if (isPrompt) return answer()
      answers.push(answer)
      if (published.length === 1) atFirst(socket)
    },
  })
  t.after(() => broker.end())
  const servers = [`mqtt://127.0.0.1:${broker.port}`]
  const mirror = new Mirror({ ...mirrorDefaults, servers, random: seededRandom(1), ...options })
  mirror.start()
  t.after(() => mirror.stop())
  const acknowledge = (): void => {
    isPrompt = true
    for (const answer of answers) answer()
  }
  return { mirror, published, acknowledge }
}

describe('topics of the mirror', () => {
  it('write each path in letters that every broker takes, and back', () => {
    for (const [path, topic] of [
      ['line1/pump-3/speed', 'line1/pump-3/speed'],
      ['pump/load_1m', 'pump/load_1m'],
      ['pump/a_5f', 'pump/a_5f5f'],
      ['a b/c.d', 'a_20b/c_2ed'],
      ['_/__2e/_.', '_/__5f2e/__2e'],
      ['höhe/+/#/🌡', 'h_c3_b6he/_2b/_23/_f0_9f_8c_a1'],
    ] as const) {
      assert.equal(topicOfPath(path as Path), topic)
      assert.equal(pathOfTopic(topic), path)
    }
    for (const topic of ['', '/a', 'a//b', 'a.b', 'a_41', 'a_ff', 'a_00', 'a_2a', 'é'])
      assert.equal(pathOfTopic(topic), null, topic)
  })
})
