import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { connect } from 'mqtt'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { memberIdOf, nodeOf, type NodeId } from '../../runtime/base/ids.ts'
import { silentLogger } from '../../runtime/base/logger.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { LoadedProfile } from '../../runtime/device/profiles/document.ts'
import { controlHandler } from '../../runtime/gateway/control-methods.ts'
import { valueToJson } from '../../runtime/gateway/control-protocol.ts'
import { enforceProfile } from '../../runtime/gateway/fleet-profiles.ts'
import { type Gateway, openGateway } from '../../runtime/gateway/gateway.ts'
import { Mirror } from '../../runtime/gateway/mirror/mirror.ts'
import { startBroker } from '../../runtime/gateway/broker.ts'
import { memoryHub, type MemoryHub } from '../../runtime/links/memory/memory-link.ts'
import type { Link } from '../../runtime/links/link.ts'
import { MemoryStore } from '../../runtime/storage/memory-store.ts'
import type { Operation } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import { isValue, type Value } from '../../runtime/state/value.ts'
import { fleetIdOf, type Genesis } from '../../runtime/sync/membership.ts'
import type { Batch } from '../../runtime/sync/message.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import { realClock, until } from '../links/clocks.ts'
import { accepted } from '../device/profile-text.ts'
import { HandIssuer } from '../support/handmade.ts'
import { openAlone } from './fleet.ts'

const ANNA = '0200000000000001' as NodeId
const CARL = '0200000000000003' as NodeId
/** Says what it likes, and outranks the others. */
const FORGER = '0200000000000002' as NodeId

const fleet: Genesis = {
  name: 'guarded',
  founders: [
    { node: ANNA, tier: 1 },
    { node: CARL, tier: 0 },
    { node: FORGER, tier: 3 },
  ],
}

const GUARDED = `
apiVersion: '1'
name: guarded
deviceResources:
  - { name: lamp, properties: { valueType: Bool, readWrite: RW } }
  - { name: speed, properties: { valueType: Uint8, readWrite: RW, minimum: 10, maximum: 20 } }
  - { name: warmth, properties: { valueType: Float32, readWrite: RW, minimum: -5, maximum: 35 } }
  - { name: mode, properties: { valueType: String, readWrite: RW, optional: { enum: ['off', auto] } } }
  - { name: code, properties: { valueType: String, readWrite: RW, optional: { pattern: '[a-c]{1,3}' } } }
  - { name: note, properties: { valueType: String, readWrite: RW, optional: { maxLength: 4 } } }
  - { name: list, properties: { valueType: Int8Array, readWrite: RW, minimum: -3, maximum: 3, optional: { merge: append, maxLength: 3 } } }
  - { name: starts, properties: { valueType: Uint8, readWrite: RW, maximum: 5, optional: { merge: counter } } }
  - { name: level, properties: { valueType: Uint8, readWrite: R, maximum: 9 } }
  - name: relay
    attributes: { driver: gpio, line: 17 }
    properties: { valueType: Bool, readWrite: RW, optional: { safeValue: false } }
`

const FLEET_ID = fleetIdOf(fleet)

const PROFILE = accepted(GUARDED)

/** What may stand at each point, said once more by hand. Whatever is not here may not be there at all. */
const ALLOWED: Readonly<Record<string, (value: Value) => boolean>> = {
  lamp: isBool,
  speed: (value) => isWhole(value, 10, 20),
  warmth: (value) => typeof value === 'number' && value >= -5 && value <= 35,
  mode: (value) => value === 'off' || value === 'auto',
  code: (value) => typeof value === 'string' && /^[abc]{1,3}$/.test(value),
  note: (value) => typeof value === 'string' && Array.from(value).length <= 4,
  list: (value) => Array.isArray(value) && value.length <= 3 && value.every((one: Value) => isWhole(one, -3, 3)),
  starts: (value) => isWhole(value, 0, 5),
  level: (value) => isWhole(value, 0, 9),
  relay: isBool,
  'reported/relay': isBool,
  'health/relay': (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
}

function isBool(value: Value): boolean {
  return typeof value === 'boolean'
}

function isWhole(value: Value, from: number, to: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to
}

/** @param view names it in a failure */
function assertAllAllowed(gateway: Gateway, view: string): void {
  for (const which of ['tentative', 'settled'] as const) {
    for (const [path, value] of gateway.state.entries('pump', which)) {
      const isAllowed = ALLOWED[path.slice('pump/'.length)]
      assert.ok(isAllowed?.(value) === true, `${view}, ${which}: ${path} is ${JSON.stringify(valueToJson(value))}`)
    }
  }
}

const KINDS = ['set', 'set', 'set', 'add', 'append', 'toggle', 'delete'] as const

interface Attempt {
  readonly path: string
  readonly kind: (typeof KINDS)[number]
  readonly value: Value
}

const anyValue: fc.Arbitrary<Value> = fc
  .oneof(
    fc.boolean(),
    fc.integer({ min: -6, max: 40 }),
    fc.double({ min: -50, max: 50, noNaN: true }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.constantFrom('off', 'auto', 'a', 'abc', 'abcd', '', 'Auto', 'true', '12'),
    fc.string({ unit: 'grapheme', maxLength: 6 }),
    fc.array(fc.integer({ min: -5, max: 5 }), { maxLength: 5 }),
    fc.constantFrom<Value>(null, {}, { state: 'up' }, { state: 'up', extra: 1 }, new Uint8Array([1, 2]), [[1]], [true]),
  )
  .filter((value): value is Value => isValue(value))

const anyPath = fc.constantFrom(
  ...Object.keys(ALLOWED).map((name) => `pump/${name}`),
  'pump/none',
  'pump/reported/none',
  'pump/reported/level',
  'pump/lamp/deeper',
  'pump',
)

const attempts: fc.Arbitrary<readonly Attempt[]> = fc.array(
  fc.record({ path: anyPath, kind: fc.constantFrom(...KINDS), value: anyValue }),
  { minLength: 10, maxLength: 40 },
)

/** Runs something that may be refused, and by nothing else than a refusal. @returns true if it was not */
async function isTaken(act: () => unknown): Promise<boolean> {
  try {
    await act()
    return true
  } catch (error) {
    assert.ok(error instanceof FleetstepError, String(error))
    return false
  }
}

describe('no value outside its profile enters the state', { timeout: 120_000 }, () => {
  it('by the library', async (t) => {
    const gateway = await openGuarded(t)
    const counts = { taken: 0, refused: 0 }
    await fc.assert(
      fc.asyncProperty(attempts, async (list) => {
        for (const { path, kind, value } of list) {
          const isIn = await isTaken(() => changeBy(gateway, { path, kind, value }))
          counts[isIn ? 'taken' : 'refused'] += 1
        }
        assertAllAllowed(gateway, 'after the library')
      }),
      { numRuns: 40 },
    )
    assert.ok(counts.taken > 50 && counts.refused > 50, JSON.stringify(counts))
  })

  it('by the readings of a driver', async (t) => {
    const gateway = await openGuarded(t)
    const counts = { taken: 0, refused: 0 }
    await fc.assert(
      fc.asyncProperty(attempts, async (list) => {
        for (const { path, value } of list) {
          const isIn = await isTaken(() => gateway.state.report(path, value))
          counts[isIn ? 'taken' : 'refused'] += 1
        }
        assertAllAllowed(gateway, 'after readings')
      }),
      { numRuns: 40 },
    )
    assert.ok(counts.taken > 5 && counts.refused > 50, JSON.stringify(counts))
  })

  it('by the control socket, which the commands use', async (t) => {
    const gateway = await openGuarded(t)
    const handler = controlHandler(gateway)
    const stream = { emit: () => undefined, onEnd: () => undefined }
    const call = async (method: string, params: Readonly<Record<string, unknown>>): Promise<unknown> =>
      await handler(method, params, stream)
    await fc.assert(
      fc.asyncProperty(attempts, async (list) => {
        for (const { path, kind, value } of list) {
          const json = valueToJson(value)
          if (kind === 'set') await isTaken(() => call('state.set', { path, value: json }))
          else if (kind === 'delete' || kind === 'toggle') await isTaken(() => call('state.patch', { [kind]: [path] }))
          else await isTaken(() => call('state.patch', { [kind]: { [path]: json } }))
        }
        assertAllAllowed(gateway, 'after the control socket')
      }),
      { numRuns: 40 },
    )
  })

  it('by wishes over MQTT', async (t) => {
    const gateway = await openGuarded(t)
    const broker = await startBroker({ host: '127.0.0.1', port: 0, logger: silentLogger })
    t.after(() => broker.close())
    const servers = [`mqtt://127.0.0.1:${broker.port}`]
    const mirror = new Mirror({
      gateway,
      profile: () => gateway.profile,
      version: '1',
      servers,
      username: undefined,
      password: undefined,
      tls: {},
      paths: ['**'],
      writes: ['**'],
      homeAssistant: false,
      clock: realClock,
      random: seededRandom(1),
      logger: silentLogger,
    })
    mirror.start()
    t.after(() => mirror.stop())
    const tool = connect(servers[0] ?? '', { protocolVersion: 4 })
    t.after(() => tool.end(true))
    const shown = new Map<string, string>()
    tool.on('message', (topic, payload) => shown.set(topic, payload.toString()))
    await tool.subscribeAsync(`fleet/${gateway.fleet}/#`)
    await until(() => shown.get(`fleet/${gateway.fleet}/n/${ANNA}/mirror`) === 'online', 'the mirror is there')
    const root = `fleet/${gateway.fleet}/set/${ANNA}/`
    for (const { path, value } of fc.sample(attempts, { numRuns: 12, seed: 7 }).flat()) {
      await tool.publishAsync(root + path, JSON.stringify(valueToJson(value) ?? null), { qos: 1 })
    }
    await tool.publishAsync(`${root}pump/speed`, '17', { qos: 1 })
    await until(() => gateway.state.get('pump/speed') === 17, 'the last wish is granted')
    assert.ok(shown.has(`fleet/${gateway.fleet}/n/${ANNA}/err`), 'who wished for the others was told')
    assertAllAllowed(gateway, 'after wishes')
  })

  it('by batches that a member forged, which outranks everybody', async (t) => {
    const counts = { forged: 0 }
    await fc.assert(
      fc.asyncProperty(attempts, async (list) => {
        const stage = await openForged()
        try {
          const { anna, carl } = stage
          const batches = forge(stage, list)
          counts.forged += batches.length
          for (const batch of batches) stage.forger.send(encodeFrame(FLEET_ID, { kind: 'batch', batch }), OPERATIONS)
          await until(
            () => holds(anna, FORGER, batches.length) && holds(carl, FORGER, batches.length),
            'both have them',
          )
          assertAllAllowed(anna, 'at the gateway that has the device')
          assertAllAllowed(carl, 'at another one')
          assert.deepEqual(anna.state.entries('pump'), carl.state.entries('pump'))
        } finally {
          await stage.close()
        }
      }),
      { numRuns: 10 },
    )
    assert.ok(counts.forged > 50, `${counts.forged}`)
    t.diagnostic(`${counts.forged} forged operations`)
  })

  it('by a member that knows an old profile only', async () => {
    const stage = await openForged()
    try {
      const { anna, carl, hub } = stage
      carl.state.set('pump/speed', 20)
      await until(() => anna.state.get('pump/speed') === 20, 'anna has it')
      hub.cut(CARL)
      const stricter = accepted(GUARDED.replace('maximum: 20', 'maximum: 15'))
      anna.useProfile(stricter.profile)
      assert.equal(enforceProfile(anna, stricter).kind, 'in-state')
      anna.state.set('pump/speed', 11)
      // Carl has not heard of it; what it says comes behind the new rules in the one order.
      for (const lamp of [true, false, true]) carl.state.set('pump/lamp', lamp)
      const late = carl.state.set('pump/speed', 19)
      assert.equal(late.outcome, 'applied')
      hub.heal(CARL)
      await until(() => holds(anna, CARL, 5) && late.outcome === 'void', 'both know what comes first')
      assert.match(late.reason ?? '', /pump\/speed must be from 10 to 15/)
      for (const gateway of [anna, carl]) {
        assert.equal(gateway.state.get('pump/speed'), 11)
        assert.deepEqual(gateway.profiles.misfits('pump'), [])
        assertAllAllowed(gateway, gateway.device)
      }
      assert.throws(() => carl.state.set('pump/speed', 19), { code: 'operation-invalid' })
    } finally {
      await stage.close()
    }
  })

  it('by a gateway that takes the device of another for its own', async () => {
    const stage = await openForged()
    try {
      const taken = enforceProfile(stage.thief, accepted(GUARDED.replace('maximum: 20', 'maximum: 200')))
      assert.ok(taken.kind === 'refused')
      assert.match(taken.reason, /the device pump belongs to node 0200000000000001/)
    } finally {
      await stage.close()
    }
  })
})

const OPERATIONS = { kind: 'operations' } as const

async function changeBy({ state }: Gateway, { path, kind, value }: Attempt): Promise<void> {
  switch (kind) {
    case 'set':
      return void state.set(path, value)
    case 'add':
      // What is no number is a mistake of the program, which the types find.
      return typeof value === 'number' || typeof value === 'bigint' ? void state.add(path, value) : undefined
    case 'append':
      return void state.append(path, value)
    case 'toggle':
      return void state.toggle(path)
    case 'delete':
      return void state.delete(path)
  }
}

/** One gateway whose profile is in force. */
async function openGuarded(t: TestContext): Promise<Gateway> {
  const gateway = await openAlone(t, { device: 'pump', profile: PROFILE.profile })
  assert.equal(enforceProfile(gateway, PROFILE).kind, 'in-state')
  return gateway
}

interface Stage {
  /** Has the device. */
  readonly anna: Gateway
  readonly carl: Gateway
  /** Carl under the device name of anna. */
  readonly thief: Gateway
  readonly hub: MemoryHub
  readonly forger: Link
  close(): Promise<void>
}

/** Two gateways that have the rules, and a member of higher priority than theirs that is a bare link. */
async function openForged(): Promise<Stage> {
  const hub = memoryHub({ clock: realClock })
  const openNode = async (node: NodeId, device: string, profile?: LoadedProfile): Promise<Gateway> =>
    await openGateway({
      fleet,
      node,
      device,
      profile: profile?.profile,
      storage: new MemoryStore(),
      links: [() => hub.link(node)],
      clock: realClock,
    })
  const anna = await openNode(ANNA, 'pump', PROFILE)
  const carl = await openNode(CARL, 'carl')
  const forger = hub.link(FORGER)
  const ignore = (): void => undefined
  forger.open({ up: ignore, down: ignore, frame: ignore, presence: ignore, writable: ignore })
  assert.equal(enforceProfile(anna, PROFILE).kind, 'in-state')
  await until(() => carl.profiles.list().length === 1 && forger.status().state === 'up', 'carl has the rules')
  const thief: Gateway = Object.create(carl, { device: { value: 'pump' } }) as Gateway
  const close = async (): Promise<void> => {
    await Promise.all([anna.close(), carl.close(), forger.close()])
  }
  return { anna, carl, thief, hub, forger, close }
}

/** What a program of the forger's own says to have been issued behind the rules, each in a batch that looks right. */
function forge({ anna }: Stage, list: readonly Attempt[]): readonly Batch[] {
  const hand = new HandIssuer(memberIdOf(FORGER, 0), 3)
  const [rules] = anna.profiles.list()
  assert.ok(rules?.by, 'the rules stand')
  let after: Pick<Operation, 'id' | 'stage'> = { id: rules.by, stage: rules.stage }
  for (const { path, kind, value } of list) {
    const needsNumber = kind === 'add' && typeof value !== 'number'
    if (needsNumber) continue
    const argument = kind === 'toggle' || kind === 'delete' ? null : value
    after = hand.issue({ after, write: { path: path as Path, kind, argument } })
  }
  return hand.batches
}

function holds(gateway: Gateway, node: NodeId, count: number): boolean {
  return gateway.inspect().members.some(({ member, heldSeq }) => nodeOf(member) === node && heldSeq >= count)
}
