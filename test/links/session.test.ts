import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MQTT_VERSION_STALE_MS } from '../../runtime/base/limits.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { describeFailure, failureOf, failureOfReason, type Failure } from '../../runtime/links/mqtt/failure.ts'
import { reconnectDelayMs } from '../../runtime/links/reconnect.ts'
import {
  CLOSED,
  decide,
  nextWakeUp,
  type Session,
  type SessionEvent,
  type SessionStep,
} from '../../runtime/links/mqtt/session.ts'

const TIMING = { delayMinMs: 100, delayMaxMs: 6400, connectTimeoutMs: 5000, stableMs: 10_000 }
const REFUSED: Failure = { kind: 'refused', detail: '' }
const SHUT: Failure = { kind: 'closed', detail: '' }
const WRONG_VERSION: Failure = { kind: 'protocol-version', detail: '' }

/** Walks through a session and keeps the steps of the last event. */
class Walk {
  session: Session = CLOSED
  steps: readonly SessionStep[] = []
  now = 0
  private readonly servers: number
  private readonly random = seededRandom(7)

  constructor(servers = 1) {
    this.servers = servers
  }

  tell(...events: (SessionEvent | SessionEvent['kind'])[]): this {
    for (const event of events) {
      const full = typeof event === 'string' ? eventOf(event) : event
      const world = { now: this.now, random: this.random, servers: this.servers, timing: TIMING }
      const decision = decide(this.session, full, world)
      this.session = decision.session
      this.steps = decision.steps
    }
    return this
  }

  fail(failure: Failure = REFUSED): this {
    return this.tell({ kind: 'failed', failure })
  }

  /** Jumps to the wake-up; returns how long it was. */
  wake(): number {
    const at = nextWakeUp(this.session.state)
    assert.ok(at !== null)
    const pause = at - this.now
    this.now = at
    this.tell('due')
    return pause
  }

  get names(): string {
    return this.steps
      .map((step) => (step.kind === 'connect' ? `connect ${step.server} v${step.version}` : step.kind))
      .join(', ')
  }
}

function eventOf(kind: SessionEvent['kind']): SessionEvent {
  if (kind === 'open') return { kind, server: 0 }
  if (kind === 'failed') return { kind, failure: REFUSED }
  return { kind }
}

describe('the session of an MQTT link', () => {
  test('is up only after connection and subscription', () => {
    const walk = new Walk().tell('open')
    assert.equal(walk.names, 'connect 0 v5')
    assert.equal(walk.tell('reached').names, '')
    assert.equal(walk.tell('connected').names, 'subscribe')
    assert.equal(walk.session.state.kind, 'subscribing')
    assert.equal(walk.tell('subscribed').names, 'rise')
    assert.equal(walk.session.state.kind, 'up')
    assert.equal(nextWakeUp(walk.session.state), null)
  })

  test('tells an outage once, and again only after it has been up', () => {
    const walk = new Walk().tell('open').fail()
    assert.equal(walk.names, 'abandon, fall')
    walk.wake()
    assert.equal(walk.fail().names, 'abandon')
    walk.wake()
    walk.tell('connected', 'subscribed')
    assert.equal(walk.session.cause, null)
    assert.equal(walk.fail(SHUT).names, 'abandon, fall')
  })

  test('tries 3.1.1 at once after a refused version, a silent broker, or one that hangs up on MQTT 5', () => {
    assert.equal(new Walk().tell('open').fail(WRONG_VERSION).names, 'abandon, connect 0 v4')
    assert.equal(new Walk().tell('open', 'reached').fail(SHUT).names, 'abandon, connect 0 v4')
    const silent = new Walk().tell('open', 'reached')
    assert.equal(silent.wake(), 5000)
    assert.equal(silent.names, 'abandon, connect 0 v4')
  })

  test('does not blame the version for a broker that was never reached or refused the node', () => {
    assert.equal(new Walk().tell('open').fail(SHUT).names, 'abandon, fall')
    const unreached = new Walk().tell('open')
    unreached.wake()
    assert.equal(unreached.names, 'abandon, fall')
    const denied = new Walk().tell('open', 'reached').fail({ kind: 'not-authorised', detail: '' })
    assert.equal(denied.names, 'abandon, fall')
  })

  test('remembers what worked for each server, and forgets it when it is refused', () => {
    const walk = new Walk().tell('open').fail(WRONG_VERSION).tell('connected', 'subscribed').fail(SHUT)
    walk.wake()
    assert.equal(walk.names, 'connect 0 v4')
    walk.fail()
    walk.wake()
    assert.equal(walk.names, 'connect 0 v4', 'a refused connection says nothing of the version')
    walk.fail(WRONG_VERSION)
    walk.wake()
    assert.equal(walk.names, 'connect 0 v5')
    walk.tell('close', 'open')
    assert.equal(walk.names, 'connect 0 v5')
  })

  test('a server that speaks MQTT 5 is asked for it again after a moment in which it was silent or hung up', () => {
    const walk = new Walk().tell('open', 'reached', 'connected', 'subscribed').fail(SHUT)
    walk.wake()
    assert.equal(walk.tell('reached').fail(SHUT).names, 'abandon, connect 0 v4', 'it may be another broker by now')
    walk.tell('reached', 'connected', 'subscribed').fail(SHUT)
    walk.wake()
    assert.equal(walk.names, 'connect 0 v5')
    walk.fail(WRONG_VERSION).tell('connected', 'subscribed').fail(SHUT)
    walk.wake()
    assert.equal(walk.names, 'connect 0 v4', 'it has said by itself that it speaks 3.1.1 now')
  })

  test('a server that was silent at first is asked for MQTT 5 again after a long connection in 3.1.1', () => {
    const walk = new Walk().tell('open', 'reached').fail(SHUT).tell('connected', 'subscribed')
    walk.now += MQTT_VERSION_STALE_MS - 1
    walk.fail(SHUT)
    walk.wake()
    assert.equal(walk.names, 'connect 0 v4', 'it may speak nothing else, and each question costs a while')
    walk.tell('connected', 'subscribed')
    walk.now += MQTT_VERSION_STALE_MS + 1
    walk.fail(SHUT)
    walk.wake()
    assert.equal(walk.names, 'connect 0 v5')
  })

  test('a try of 3.1.1 that fails as well is not remembered', () => {
    const walk = new Walk().tell('open', 'reached').fail(SHUT).fail()
    assert.equal(walk.names, 'abandon, fall')
    walk.wake()
    assert.equal(walk.names, 'connect 0 v5')
  })

  test('goes round the servers, and lengthens the pause only after each round', () => {
    const walk = new Walk(2).tell({ kind: 'open', server: 1 })
    assert.equal(walk.names, 'connect 1 v5')
    const pauses: number[] = []
    const servers: string[] = []
    for (let attempt = 0; attempt < 6; attempt += 1) {
      walk.fail()
      pauses.push(walk.wake())
      servers.push(walk.names)
    }
    assert.deepEqual(servers, [
      'connect 0 v5',
      'connect 1 v5',
      'connect 0 v5',
      'connect 1 v5',
      'connect 0 v5',
      'connect 1 v5',
    ])
    for (const [index, pause] of pauses.entries()) {
      const span = 100 * 2 ** Math.floor(index / 2)
      assert.ok(pause >= span / 2 && pause < span, `pause ${index} was ${pause} ms`)
    }
  })

  test('starts from the shortest pause again only after a stable time up', () => {
    for (const [upMs, longest] of [
      [9_999, false],
      [10_000, true],
    ] as const) {
      const walk = new Walk().tell('open')
      for (let attempt = 0; attempt < 5; attempt += 1) {
        walk.fail()
        walk.wake()
      }
      walk.tell('connected', 'subscribed')
      walk.now += upMs
      walk.fail(SHUT)
      assert.equal(walk.wake() < 100, longest)
    }
  })

  test('an unanswered subscription is a failure', () => {
    const walk = new Walk().tell('open', 'connected')
    assert.equal(walk.wake(), 5000)
    assert.equal(walk.names, 'abandon, fall')
    assert.deepEqual(walk.session.cause?.failure, { kind: 'timeout', detail: 'no SUBACK' })
  })

  test('close leaves with a goodbye when up, and drops everything else', () => {
    assert.equal(new Walk().tell('open', 'connected', 'subscribed', 'close').names, 'leave')
    assert.equal(new Walk().tell('open', 'connected', 'close').names, 'abandon')
    assert.equal(new Walk().tell('open', 'close').names, 'abandon')
    const waiting = new Walk().tell('open').fail().tell('close')
    assert.equal(waiting.names, '')
    assert.equal(nextWakeUp(waiting.session.state), null)
    assert.equal(new Walk().tell('close').names, '')
  })

  test('what comes late or early changes nothing', () => {
    for (const event of ['due', 'reached', 'connected', 'subscribed', 'failed'] as const) {
      assert.deepEqual(new Walk().tell(event).session, CLOSED, event)
    }
    const waiting = new Walk().tell('open').fail()
    const before = waiting.session
    assert.deepEqual(waiting.tell('due', 'connected', 'subscribed', 'failed', 'open').session, before)
  })
})

test('pauses are doubled up to the longest, and drawn from the upper half of their span', () => {
  const random = seededRandom(1)
  for (let round = 0; round < 40; round += 1) {
    const span = Math.min(100 * 2 ** round, 6400)
    const drawn = Array.from({ length: 50 }, () => reconnectDelayMs(round, TIMING, random))
    assert.ok(drawn.every((delay) => delay >= span / 2 && delay < span))
    assert.ok(Math.max(...drawn) - Math.min(...drawn) > span / 4, 'they are spread')
  }
})

test('each failure is one clear line that says what to do', () => {
  const coded = (code: string | number, message = 'something\nbroke'): Failure =>
    failureOf(Object.assign(new Error(message), { code }))
  const cases: readonly (readonly [Failure, string, RegExp])[] = [
    [coded('ECONNREFUSED'), 'refused', /start the broker/],
    [coded('ENOTFOUND'), 'name-not-found', /DNS/],
    [coded('EAI_AGAIN'), 'name-not-found', /DNS/],
    [coded('EHOSTUNREACH'), 'unreachable', /cable/],
    [coded('ETIMEDOUT'), 'timeout', /did not answer/],
    [coded('DEPTH_ZERO_SELF_SIGNED_CERT'), 'tls', /check ca, cert and key/],
    [coded('ERR_TLS_CERT_ALTNAME_INVALID'), 'tls', /check ca, cert and key/],
    [coded('ERR_SSL_WRONG_VERSION_NUMBER'), 'tls', /the port speaks TLS/],
    [coded('CERT_NOT_YET_VALID'), 'tls-not-yet-valid', /clock/],
    [coded('CERT_HAS_EXPIRED'), 'tls-expired', /clock/],
    [coded('ECONNRESET'), 'closed', /closed the connection/],
    [coded(4), 'not-authorised', /username/],
    [coded(5), 'not-authorised', /access list/],
    [coded(134), 'not-authorised', /username/],
    [coded(135), 'not-authorised', /access list/],
    [coded(1), 'protocol-version', /neither MQTT 5 nor 3\.1\.1/],
    [coded(132), 'protocol-version', /neither MQTT 5 nor 3\.1\.1/],
    [coded(2), 'identifier', /client id/],
    [coded(137), 'broker-unavailable', /takes no clients/],
    [coded(142), 'taken-over', /share one node id/],
    [coded(149), 'packet-too-large', /65536/],
    [failureOf(new Error('Keepalive timeout')), 'timeout', /did not answer/],
    [failureOf(new Error('Invalid header flag bits')), 'protocol', /that a broker listens/],
    [failureOf('thrown text'), 'protocol', /thrown text/],
    [failureOfReason(200, ''), 'protocol', /reason code 200/],
    [failureOfReason(131, 'disconnected by the broker'), 'protocol', /\(disconnected by the broker, reason code 131\)/],
    [
      failureOfReason(0, 'disconnected by the broker'),
      'closed',
      /closed the connection \(disconnected by the broker\)/,
    ],
    [coded(147), 'limit', /more than it takes .*raise the broker's limits/],
    [coded(150), 'limit', /raise the broker's limits/],
    [coded(151), 'limit', /raise the broker's limits/],
    [coded(154, 'Connection refused: Retain not supported'), 'lacking', /QoS 1, retained messages and wildcards/],
    [coded(155), 'lacking', /QoS 1, retained messages and wildcards/],
    [failureOfReason(162, 'subscription refused'), 'lacking', /wildcards.*allow them/],
    [coded(156), 'moved', /another server.*correct the address/],
    [coded(157), 'moved', /another server/],
    [coded(160), 'broker-unavailable', /log/],
    [coded(143), 'not-authorised', /access list/],
    [coded(144), 'not-authorised', /access list/],
  ]
  for (const [failure, kind, advice] of cases) {
    assert.equal(failure.kind, kind)
    const line = describeFailure(failure, 'mqtt://host:1883')
    assert.match(line, advice)
    assert.match(line, /mqtt:\/\/host:1883/)
    assert.doesNotMatch(line, /\n/)
    assert.ok(line.length < 400)
  }
})
