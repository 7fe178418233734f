import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { memberIdOf } from '../../runtime/base/ids.ts'
import {
  TELEMETRY_FORGET_INTERVALS,
  ANNOUNCE_INTERVAL_MAX_MS,
  CONTAINER_BYTES,
  TELEMETRY_GATHER_MS,
  TELEMETRY_INTERVAL_MS,
  TELEMETRY_LOOK_MS,
  TELEMETRY_MESSAGE_BYTES_TARGET,
  TELEMETRY_POINTS_PER_MEMBER_MAX,
  TELEMETRY_READINGS_MAX,
  TELEMETRY_REFRESH_MS,
  TELEMETRY_STALE_INTERVALS,
  TELEMETRY_VALUE_BYTES_MAX,
} from '../../runtime/base/limits.ts'
import { createSigningKey, verifySignature } from '../../runtime/device/identity/keys.ts'
import type { Path } from '../../runtime/state/path.ts'
import type { DeviceRules } from '../../runtime/state/rules/rules.ts'
import type { Value } from '../../runtime/state/value.ts'
import { HeldReadings } from '../../runtime/sync/held-readings.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { Reading, StatedQuality, Telemetry } from '../../runtime/sync/message.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import { MessageOrder } from '../../runtime/sync/message-order.ts'
import type { Output } from '../../runtime/sync/output.ts'
import type { ShownReading } from '../../runtime/sync/shown-readings.ts'
import { Signatures } from '../../runtime/sync/signatures.ts'
import { rulesRequest } from '../../runtime/sync/standing-rules.ts'
import { point, rulesOf } from '../state/rules.ts'
import { DrivenReplica, founder, SIGNED } from '../support/driven-replica.ts'
import { genesisOf, set } from '../support/replica-network.ts'

const FLEET = genesisOf(3)
const [A, B, C] = [founder(FLEET, 0), founder(FLEET, 1), founder(FLEET, 2)]

describe('telemetry', () => {
  test('is heard by others with its quality and its age, and no disk is asked', () => {
    const [a, b] = [started(0), started(1)]
    assert.equal(stores(report(a, 'p/level', 4, 'uncertain', 250)), 0)
    const sent = a.wait(TELEMETRY_GATHER_MS)
    const [telemetry] = telemetryIn(a, sent)
    assert.equal(stores(sent), 0)
    b.now = 77_000
    const outputs = give(b, telemetry!)
    assert.equal(stores(outputs), 0)
    assert.deepEqual(changesIn(outputs), [
      { path: 'p/level', before: undefined, after: 4, settled: false, quality: 'uncertain' },
    ])
    b.now += 1000
    const ageMs = 250 + TELEMETRY_GATHER_MS + 1000
    const expected = { path: 'p/level', value: 4, quality: 'uncertain', ageMs, node: FLEET.founders[0]?.node }
    assert.deepEqual(shown(b, 'p/level'), expected)
    assert.deepEqual([a.inspect().journalLength, b.inspect().journalLength, b.inspect().paths], [0, 0, 0])
    assert.deepEqual(b.inspect().telemetry, { own: 0, others: 1, stale: 0, bytes: b.inspect().telemetry.bytes })
  })

  test('is gathered: at most one message in an interval, with all that is new, and nothing that is not', () => {
    const a = started(0)
    report(a, 'p/level', 1)
    report(a, 'p/flow', 1)
    assert.deepEqual(
      telemetryIn(a, a.wait(TELEMETRY_GATHER_MS)).map(({ readings }) => readings.map(({ path }) => path)),
      [['p/level', 'p/flow']],
    )
    for (let value = 2; value < 12; value++) {
      report(a, 'p/level', value)
      assert.deepEqual(telemetryIn(a, a.wait(50)), [])
    }
    const later = telemetryIn(a, a.wait(TELEMETRY_INTERVAL_MS))
    assert.deepEqual(later.map(valuesOf), [{ 'p/level': 11 }])
    report(a, 'p/level', 11)
    a.replica.readings.confirm('p/flow' as Path, a.now)
    assert.deepEqual(telemetryIn(a, a.wait(5000)), [], 'what says the same is not said again')
    assert.equal(shown(a, 'p/flow')?.ageMs, 5000, 'but it is younger')
  })

  test('is cut to messages that a slow line carries in a moment, each of one device', () => {
    const a = started(0)
    for (let index = 0; index < 100; index++) report(a, `p/point${index}`, `${index}`.repeat(10))
    report(a, 'q/level', 1)
    const sent = a.wait(TELEMETRY_GATHER_MS)
    const messages = telemetryIn(a, sent)
    assert.ok(messages.length > 3 && messages.length < 10, `${messages.length}`)
    assert.equal(messages.flatMap(({ readings }) => readings).length, 101)
    for (const { device, readings } of messages)
      for (const { path } of readings) assert.ok(path.startsWith(`${device}/`), path)
    for (const output of sent)
      if (output.kind === 'send') assert.ok(output.frame.length <= TELEMETRY_MESSAGE_BYTES_TARGET + 64)
  })

  test('is said again from time to time, since it may have been lost; in a larger fleet less often', () => {
    const refreshes = (members: number): number => {
      const a = started(0, genesisOf(members))
      report(a, 'p/level', 1)
      a.wait(TELEMETRY_GATHER_MS)
      return telemetryIn(a, a.wait(16 * TELEMETRY_REFRESH_MS)).length
    }
    assert.ok(refreshes(3) >= 16 && refreshes(3) <= 24, `${refreshes(3)}`)
    assert.ok(refreshes(16) >= 4 && refreshes(16) <= 8, `${refreshes(16)}`)
  })

  test('costs each node of an idle fleet of any size little: a quarter of what it may receive', () => {
    for (const members of [2, 16, 50]) {
      const a = started(0, genesisOf(members))
      for (let index = 0; index < 10; index++) report(a, `0a00000000000001/point${index}`, index / 7)
      a.wait(10 * 60_000)
      const hours = 12
      const bytes = a
        .wait(hours * 3_600_000)
        .reduce((sum, output) => sum + (output.kind === 'send' && isTelemetry(output) ? output.frame.length : 0), 0)
      const received = (bytes * (members - 1)) / (hours * 3600)
      assert.ok(received > 1 && received < 32, `${received} B/s with ${members} members`)
    }
  })

  test('is told to one who has just come, and by a node whose link has just come up', () => {
    const a = started(0)
    report(a, 'p/level', 1)
    a.wait(TELEMETRY_INTERVAL_MS)
    const b = started(1)
    b.issue(set('x', 1))
    b.store()
    for (const announcement of b.announcementsIn(b.wait(5000))) a.giveMessage({ kind: 'announcement', announcement })
    assert.equal(telemetryIn(a, a.wait(TELEMETRY_REFRESH_MS / 12)).length, 1)
    a.give({ kind: 'link-up', link: 'line' })
    assert.equal(telemetryIn(a, a.wait(TELEMETRY_REFRESH_MS / 12)).length, 1)
  })

  test('waits while there is no link, and until the start is on the disk', () => {
    const a = new DrivenReplica(FLEET, 0)
    report(a, 'p/level', 1)
    assert.deepEqual(telemetryIn(a, a.wait(10_000)), [], 'a start that no disk knows may be counted twice')
    a.store()
    a.give({ kind: 'link-down', link: 'air' })
    assert.deepEqual(telemetryIn(a, a.wait(10_000)), [])
    assert.equal(shown(a, 'p/level')?.value, 1, 'it is seen here')
    a.give({ kind: 'link-up', link: 'air' })
    assert.deepEqual(telemetryIn(a, a.wait(10_000)).map(valuesOf), [{ 'p/level': 1 }])
  })
})

describe('of two readings the newer one stands', () => {
  const first = message(A, 1, 5, { 'p/level': 1, 'p/flow': 1 })
  const second = message(A, 1, 6, { 'p/level': 2 })
  const restarted = message(A, 2, 1, { 'p/level': 3 })

  test('in whatever order they come, also over a restart, and each message counts once', () => {
    for (const order of [
      [first, second, restarted],
      [second, first, restarted],
      [restarted, first, second],
      [second, restarted, first],
    ]) {
      const b = started(1)
      for (const one of order) {
        const before = shown(b, 'p/level')?.value ?? 0
        give(b, one)
        assert.ok((shown(b, 'p/level')?.value ?? 0) >= before, 'it never goes back')
        assert.deepEqual(give(b, one), [])
      }
      assert.equal(shown(b, 'p/level')?.value, 3)
    }
  })

  test('and of one that was overtaken, what it alone says is taken', () => {
    const b = started(1)
    give(b, second)
    give(b, first)
    assert.deepEqual([shown(b, 'p/level')?.value, shown(b, 'p/flow')?.value], [2, 1])
  })

  test('a number is new once, within a window behind the highest', () => {
    const order = new MessageOrder()
    const take = (start: number, number: number): boolean => {
      const isNew = order.isNew(start, number)
      if (isNew) order.note(start, number)
      return isNew
    }
    const of = (numbers: readonly number[]): boolean[] => numbers.map((number) => take(1, number))
    assert.deepEqual(of([40, 40, 39, 8, 7, 39, 8]), [true, false, true, true, false, false, false])
    assert.deepEqual(of([41, 40, 9, 8]), [true, false, true, false])
    assert.deepEqual(of([72, 41, 40, 73, 41]), [true, false, false, true, false], 'the window moves by 31 and by 1')
    assert.deepEqual(of([105, 73, 74, 72]), [true, false, true, false], 'by 32')
    assert.deepEqual(of([1000, 969, 968, 967]), [true, true, true, false], 'and further')
    assert.deepEqual([take(2, 1), take(1, 2000), take(2, 1), take(2, 2)], [true, false, false, true])
  })
})

describe('a relay', () => {
  test('passes each message on once, by its other links, byte for byte', () => {
    const b = started(1)
    b.give({ kind: 'link-up', link: 'line' })
    const frame = encodeFrame(b.replica.fleet, { kind: 'telemetry', telemetry: message(A, 1, 1, { 'p/level': 1 }) })
    const outputs = [
      ...b.giveFrame(frame),
      ...b.give({ kind: 'frame', link: 'line', bytes: frame }),
      ...b.giveFrame(frame),
    ]
    const relayed = outputs.filter((output) => output.kind === 'send')
    assert.deepEqual(relayed, [{ kind: 'send', frame, to: { channel: 'telemetry', links: { except: 'air' } } }])
  })

  test('passes on nothing of its own that comes back, nor what it did not take', () => {
    const b = started(1)
    b.give({ kind: 'link-up', link: 'line' })
    assert.deepEqual(give(b, message(B, 9, 9, { 'p/level': 1 })), [])
    setRules(b, pumpOf(C))
    assert.deepEqual(give(b, message(A, 1, 1, { 'p/level': 1 })), [])
  })
})

const CODES: Readonly<Record<string, string>> = {
  range: 'operation-invalid',
  type: 'operation-invalid',
  'unknown-point': 'path-unknown',
}

describe('who may report', () => {
  const cases: readonly (readonly [what: string, rules: DeviceRules, value: Value, dropped: string | null])[] = [
    ['the node that has the device', pumpOf(A), 5, null],
    ['no other node', pumpOf(C), 5, 'read-only'],
    ['no value outside the rules', pumpOf(A), 11, 'range'],
    ['no value of another type', pumpOf(A), 'full', 'type'],
    ['no point that the rules do not name', { ...pumpOf(A), points: [] }, 5, 'unknown-point'],
    ['nobody what every node may write', freePump(), 5, 'not-owner'],
  ]
  for (const [what, rules, value, dropped] of cases) {
    test(`${what}: so every receiver judges`, () => {
      const b = started(1)
      setRules(b, rules)
      give(b, message(A, 1, 1, { 'p/level': value }))
      assert.equal(shown(b, 'p/level')?.value, dropped === null ? value : undefined)
      assert.deepEqual(
        reasons(b),
        dropped === null ? {} : { [`reading that the rules of its device refuse: ${dropped}`]: 1 },
      )
    })

    test(`${what}: so the reporter is told`, () => {
      const a = started(0)
      setRules(a, rules)
      if (dropped === null) return assert.doesNotThrow(() => report(a, 'p/level', value))
      assert.throws(() => report(a, 'p/level', value), isError(CODES[dropped] ?? 'operation-refused'))
      assert.deepEqual(telemetryIn(a, a.wait(5000)), [])
    })
  }

  test('what rules of later do not let through is not shown any more, nor said', () => {
    const [a, b] = [started(0), started(1)]
    report(a, 'p/level', 11)
    give(b, message(A, 1, 1, { 'p/level': 11 }))
    for (const one of [a, b]) setRules(one, pumpOf(A))
    assert.deepEqual(telemetryIn(a, a.wait(2 * TELEMETRY_REFRESH_MS)), [])
    assert.equal(shown(b, 'p/level'), null)
    assert.equal(changesIn(b.wait(2 * TELEMETRY_LOOK_MS)).length, 0, 'it was gone before anybody looked')
    assert.equal(b.inspect().telemetry.others, 0)
  })

  test('where no rules stand, of several the one of highest priority is shown, unless it is stale', () => {
    const b = started(1)
    give(b, message(C, 1, 1, { 'p/level': 3 }))
    give(b, message(A, 1, 1, { 'p/level': 1 }))
    give(b, message(C, 1, 2, { 'p/level': 4 }))
    assert.equal(shown(b, 'p/level')?.value, 1)
    report(b, 'p/level', 2)
    assert.equal(shown(b, 'p/level')?.value, 1, 'above what is read here')
    b.wait(TELEMETRY_STALE_INTERVALS * ANNOUNCE_INTERVAL_MAX_MS + TELEMETRY_LOOK_MS)
    assert.equal(shown(b, 'p/level')?.value, 2)
    give(b, message(C, 1, 3, { 'p/level': 5 }))
    assert.equal(shown(b, 'p/level')?.value, 2, 'below it')
    b.replica.withdraw('p/level' as Path, b.now)
    assert.equal(shown(b, 'p/level')?.value, 5, 'and above one that is stale')
  })

  test('no observer, no stranger, nobody who is retired', () => {
    const fleet: Genesis = {
      ...FLEET,
      founders: FLEET.founders.map((one, index) => (index === 0 ? { ...one, role: 'observer' } : one)),
    }
    const [a, b] = [started(0, fleet), started(1, fleet)]
    assert.throws(() => report(a, 'p/level', 1), isError('operation-refused'))
    give(b, message(A, 1, 1, { 'p/level': 1 }))
    give(b, message(memberIdOf('ff00000000000001' as never, 7), 1, 1, { 'p/level': 1 }))
    give(b, message(C, 1, 1, { 'p/level': 3 }))
    assert.equal(shown(b, 'p/level')?.value, 3)
    b.give({ kind: 'epoch', epoch: { number: 1, counting: [B], retired: [C], signature: SIGNED } })
    b.store()
    assert.equal(shown(b, 'p/level'), null)
    give(b, message(C, 1, 2, { 'p/level': 4 }))
    assert.deepEqual(reasons(b), { 'telemetry of an observer': 1, 'telemetry of a node that is no member': 2 })
    b.wait(TELEMETRY_LOOK_MS)
    assert.equal(b.inspect().telemetry.others, 0)
  })

  test('in a fleet with keys, only who has signed it', () => {
    const keys = [createSigningKey(), createSigningKey()] as const
    const founders = genesisOf(2).founders.map((one, index) => ({ ...one, key: keys[index as 0 | 1].publicKey }))
    const fleet: Genesis = { name: 'signed', operator: createSigningKey().publicKey, founders }
    const schemeOf = (key: (typeof keys)[number]) => ({
      sign: (bytes: Uint8Array) => key.sign(bytes),
      verify: verifySignature,
    })
    const at = (index: 0 | 1): DrivenReplica => {
      const own = { key: keys[index].publicKey, signature: schemeOf(keys[index]) }
      const replica = new DrivenReplica(fleet, index, undefined, undefined, own)
      replica.store()
      return replica
    }
    const [a, b] = [at(0), at(1)]
    report(a, 'p/level', 1)
    const [good] = telemetryIn(a, a.wait(TELEMETRY_GATHER_MS))
    assert.ok(good?.sealed)
    const { sealed: _, ...bare } = good
    const forged = new Signatures(b.replica.fleet, schemeOf(keys[1])).signTelemetry({ ...bare, number: 2 })
    give(b, bare)
    give(b, forged)
    assert.deepEqual(reasons(b), { 'telemetry is not signed': 1, 'telemetry is not signed by its member': 1 })
    give(b, good)
    assert.equal(shown(b, 'p/level')?.value, 1, 'what was forged does not stand in the way')
  })
})

describe('operations win', () => {
  test('a point that an operation has written is not telemetry, until it is deleted', () => {
    const b = started(1)
    give(b, message(A, 1, 1, { 'p/level': 1 }))
    assert.equal(b.replica.readings.mayReport('p/level' as Path), true)
    b.issue(set('p/level', 9))
    assert.equal(shown(b, 'p/level'), null)
    assert.equal(b.replica.readings.mayReport('p/level' as Path), false)
    assert.deepEqual(changesIn(give(b, message(A, 1, 2, { 'p/level': 2 }))), [], 'nobody sees it')
    b.issue({ writes: [{ path: 'p/level' as Path, kind: 'delete', argument: null }], guards: [] })
    assert.equal(shown(b, 'p/level')?.value, 2)
  })

  test('what is not shown is not said', () => {
    const a = started(0)
    a.issue(set('p/level', 9))
    report(a, 'p/level', 1)
    assert.deepEqual(telemetryIn(a, a.wait(5000)), [])
  })
})

describe('the age of what an operation says', () => {
  const vouch = (one: DrivenReplica, path: string, ageMs = 0) =>
    one.replica.readings.vouch({ path: path as Path, quality: 'good', ageMs }, one.now)
  const vouched = (one: DrivenReplica, path = 'p/level') => one.replica.readings.shown.vouched(path as Path, one.now)

  /** A node says nothing of its own before it has heard another one. */
  const hear = (one: DrivenReplica, other: DrivenReplica): void => {
    for (const announcement of other.announcementsIn(other.wait(2000)))
      one.giveMessage({ kind: 'announcement', announcement })
  }

  test('is said by the node that reads it, and shows nothing as telemetry', () => {
    const [a, b] = [started(0), started(1)]
    hear(a, b)
    const batches = a.batchesIn([...a.issue(set('p/level', 4)), ...a.store(), ...a.store()])
    vouch(a, 'p/level', 250)
    assert.equal(shown(a, 'p/level'), null)
    const [telemetry] = telemetryIn(a, a.wait(TELEMETRY_GATHER_MS))
    for (const batch of batches) b.giveMessage({ kind: 'batch', batch })
    assert.equal(b.replica.get('p/level' as Path), 4)
    assert.equal(vouched(b), null, 'nobody has said yet how old it is')
    give(b, telemetry!)
    b.now += 1000
    const ageMs = 250 + TELEMETRY_GATHER_MS + 1000
    const expected = { path: 'p/level', value: 4, quality: 'good', ageMs, node: FLEET.founders[0]?.node }
    assert.deepEqual([vouched(b), shown(b, 'p/level')], [expected, null])
    a.now += 1000
    assert.equal(vouched(a)?.ageMs, ageMs)
    a.issue({ writes: [{ path: 'p/level' as Path, kind: 'delete', argument: null }], guards: [] })
    assert.deepEqual([vouched(a), shown(a, 'p/level')], [null, null], 'nor after it was deleted')
    assert.deepEqual(telemetryIn(a, a.wait(2 * TELEMETRY_REFRESH_MS)), [])
  })

  test('is that of this value of this node alone', () => {
    const [a, b] = [started(0), started(1)]
    hear(a, b)
    const batches = a.batchesIn([...a.issue(set('p/level', 4)), ...a.store(), ...a.store()])
    for (const batch of batches) b.giveMessage({ kind: 'batch', batch })
    assert.equal(b.replica.get('p/level' as Path), 4)
    give(b, message(A, 1, 1, { 'p/level': 3 }))
    assert.equal(vouched(b), null, 'another value')
    give(b, message(C, 1, 1, { 'p/level': 4 }))
    assert.equal(vouched(b), null, 'another node')
    give(b, message(A, 1, 2, { 'p/level': 4 }))
    assert.equal(vouched(b)?.quality, 'good')
    b.wait(TELEMETRY_STALE_INTERVALS * ANNOUNCE_INTERVAL_MAX_MS + TELEMETRY_LOOK_MS)
    assert.equal(vouched(b)?.quality, 'stale')
  })

  test('is not said of a point that others may write too, nor of what no telemetry holds', () => {
    const a = started(0)
    a.issue(
      rulesRequest('p', { ...rulesOf(point('level', 'Float64', { access: 'RW' })), node: FLEET.founders[0]!.node }),
    )
    a.issue(set('p/level', 4))
    a.issue(set('q/text', 'x'.repeat(TELEMETRY_VALUE_BYTES_MAX)))
    a.store()
    vouch(a, 'p/level')
    vouch(a, 'q/text')
    vouch(a, 'q/nothing')
    assert.deepEqual(telemetryIn(a, a.wait(2 * TELEMETRY_REFRESH_MS)), [])
  })
})

describe('what is old', () => {
  test('is stale when its member is not heard any more, and forgotten after some time', () => {
    const b = started(1)
    give(b, message(A, 1, 1, { 'p/level': 1 }))
    const silentMs = TELEMETRY_STALE_INTERVALS * ANNOUNCE_INTERVAL_MAX_MS
    assert.deepEqual(changesIn(b.wait(silentMs - TELEMETRY_LOOK_MS)), [])
    assert.deepEqual(changesIn(b.wait(2 * TELEMETRY_LOOK_MS)), [
      { path: 'p/level', before: 1, after: 1, settled: false, quality: 'stale' },
    ])
    assert.deepEqual([shown(b, 'p/level')?.quality, b.inspect().telemetry.stale], ['stale', 1])
    assert.deepEqual(changesIn(b.wait(TELEMETRY_FORGET_INTERVALS * ANNOUNCE_INTERVAL_MAX_MS)), [
      { path: 'p/level', before: 1, after: undefined, settled: false, quality: 'stale' },
    ])
    assert.deepEqual(b.inspect().telemetry, { own: 0, others: 0, stale: 0, bytes: 0 })
    assert.deepEqual(changesIn(b.wait(3_600_000)), [])
  })

  test('is good again when it is said again', () => {
    const b = started(1)
    give(b, message(A, 1, 1, { 'p/level': 1 }))
    b.wait(TELEMETRY_STALE_INTERVALS * ANNOUNCE_INTERVAL_MAX_MS + TELEMETRY_LOOK_MS)
    const changes = changesIn(give(b, message(A, 1, 2, { 'p/level': 1 })))
    assert.deepEqual(changes, [{ path: 'p/level', before: 1, after: 1, settled: false, quality: 'good' }])
  })

  test('is stale too if its member goes on and does not say it again', () => {
    const b = started(1)
    give(b, message(A, 1, 1, { 'p/level': 1 }))
    for (let number = 2; number < 30; number++) {
      give(b, message(A, 1, number, { 'p/flow': 1 }))
      b.wait(10_000)
    }
    assert.deepEqual([shown(b, 'p/level')?.quality, shown(b, 'p/flow')?.quality], ['stale', 'good'])
  })

  test('of this node is not said any more when it is withdrawn', () => {
    const a = started(0)
    report(a, 'p/level', 1)
    const changes = changesIn(a.replica.withdraw('p/level' as Path, a.now))
    assert.deepEqual(changes, [{ path: 'p/level', before: 1, after: undefined, settled: false, quality: 'stale' }])
    assert.deepEqual(telemetryIn(a, a.wait(2 * TELEMETRY_REFRESH_MS)), [])
  })
})

describe('limits', () => {
  test('a value is small, and a point is below a device', () => {
    const a = started(0)
    assert.throws(() => report(a, 'p/text', 'x'.repeat(TELEMETRY_VALUE_BYTES_MAX)), isError('operation-invalid'))
    assert.throws(() => report(a, 'level', 1), isError('operation-invalid'))
    assert.throws(() => report(a, 'p/level', Number.NaN), isError('operation-invalid'))
    for (const ageMs of [-1, Number.NaN, Infinity])
      assert.throws(() => report(a, 'p/level', 1, 'good', ageMs), isError('operation-invalid'))
  })

  test('a member has so many points, here and elsewhere', () => {
    const [a, b] = [started(0), started(1)]
    for (let index = 0; index < TELEMETRY_POINTS_PER_MEMBER_MAX; index++) report(a, `p/point${index}`, index)
    assert.throws(() => report(a, 'p/more', 1), isError('limit-reached'))
    for (const telemetry of telemetryIn(a, a.wait(TELEMETRY_GATHER_MS))) give(b, telemetry)
    assert.equal(b.inspect().telemetry.others, TELEMETRY_POINTS_PER_MEMBER_MAX)
    give(b, message(A, 1, 1000, { 'p/more': 1, 'p/point0': -1 }))
    assert.equal(shown(b, 'p/point0')?.value, -1)
    assert.deepEqual(reasons(b), { 'reading beyond those of one member': 1 })
  })

  test('of all readings the one that was heard longest ago goes, is counted, and is seen to go', () => {
    const members = TELEMETRY_READINGS_MAX / TELEMETRY_POINTS_PER_MEMBER_MAX + 2
    const fleet = genesisOf(members)
    const b = started(1, fleet)
    const outputs: Output[] = []
    for (let index = 2; index < members; index++) {
      for (let number = 0; number < 8; number++) {
        const values = Array.from({ length: 128 }, (_, at) => [`p${index}/point${number * 128 + at}`, at] as const)
        outputs.push(...give(b, message(founder(fleet, index), 1, number, Object.fromEntries(values))))
      }
    }
    assert.equal(b.inspect().telemetry.others, TELEMETRY_READINGS_MAX)
    assert.ok(outputs.every((output) => output.kind === 'change' && output.change.after !== undefined))
    const more = changesIn(give(b, message(founder(fleet, 0), 1, 1, { 'p0/level': 1 })))
    assert.deepEqual(
      more.map(({ path, after }) => [path, after]),
      [
        ['p0/level', 1],
        ['p2/point0', undefined],
      ],
    )
    assert.deepEqual(reasons(b), { 'reading that was heard longest ago: there are too many': 1 })
  })

  test('what is held is counted in bytes, and what leaves is subtracted', () => {
    const held = new HeldReadings()
    const reading = {
      member: A,
      path: 'p/a' as Path,
      value: 'x',
      quality: 'good',
      ageMs: 0,
      start: 1,
      heardAt: 0,
    } as const
    for (let number = 1; number < 5; number++) held.put({ ...reading, number, judgedBy: null, isStale: false })
    assert.deepEqual([held.size, held.of(reading.path).length], [1, 1])
    const plainBytes = held.bytes
    held.put({ ...reading, value: [[], {}, new Uint8Array()], number: 5, judgedBy: null, isStale: false })
    assert.ok(held.bytes > plainBytes + 4 * CONTAINER_BYTES, 'an empty list takes memory')
    const [only] = held.all()
    held.remove(only!)
    held.remove(only!)
    assert.deepEqual([held.size, held.bytes, [...held.paths()]], [0, 0, []])
  })
})

function started(index: number, fleet: Genesis = FLEET): DrivenReplica {
  const one = new DrivenReplica(fleet, index)
  one.store()
  return one
}

function report(
  one: DrivenReplica,
  path: string,
  value: Value,
  quality: StatedQuality = 'good',
  ageMs: number = 0,
): readonly Output[] {
  return one.replica.report({ path: path as Path, value, quality, ageMs }, one.now)
}

function message(member: typeof A, start: number, number: number, values: Readonly<Record<string, Value>>): Telemetry {
  const readings = Object.entries(values).map(([path, value]): Reading => ({
    path: path as Path,
    value,
    quality: 'good',
    ageMs: 0,
  }))
  return { member, start, number, device: String(readings[0]?.path).split('/')[0] ?? '', readings }
}

function give(one: DrivenReplica, telemetry: Telemetry): readonly Output[] {
  return one.giveMessage({ kind: 'telemetry', telemetry })
}

function shown(one: DrivenReplica, path: string): ShownReading | null {
  return one.replica.readings.shown.reading(path as Path, one.now)
}

function telemetryIn(one: DrivenReplica, outputs: readonly Output[]): Telemetry[] {
  return one.messagesIn(outputs).flatMap((sent) => (sent.kind === 'telemetry' ? [sent.telemetry] : []))
}

function isTelemetry({ to }: Output & { readonly kind: 'send' }): boolean {
  return to.channel === 'telemetry'
}

function valuesOf({ readings }: Telemetry): Record<string, Value> {
  return Object.fromEntries(readings.map(({ path, value }) => [path, value]))
}

function changesIn(outputs: readonly Output[]): (Output & { kind: 'change' })['change'][] {
  return outputs.flatMap((output) => (output.kind === 'change' ? [output.change] : []))
}

function stores(outputs: readonly Output[]): number {
  return outputs.filter(({ kind }) => kind === 'store').length
}

function reasons(one: DrivenReplica): Readonly<Record<string, number>> {
  return one.inspect().dropped
}

function setRules(one: DrivenReplica, rules: DeviceRules): void {
  one.issue(rulesRequest('p', rules))
}

/** A pump of a member, whose level goes from 0 to 10. */
function pumpOf(member: typeof A): DeviceRules {
  const node = FLEET.founders.find((one) => memberIdOf(one.node, 0) === member)?.node ?? null
  const level = point('level', 'Float64', { access: 'R', minimum: 0, maximum: 10 })
  return { ...rulesOf(level), node }
}

function freePump(): DeviceRules {
  return { ...rulesOf(point('level', 'Float64')), node: FLEET.founders[0]?.node ?? null }
}

function isError(code: string): (error: unknown) => boolean {
  return (error) => error instanceof FleetstepError && error.code === code
}
