/**
 * What the link does next, as a pure function of what it is doing and what happened. Sockets and timers are elsewhere.
 *
 *   closed ─open─▶ connecting ─CONNACK─▶ subscribing ─SUBACK─▶ up
 *                    ▲    └────────── failed ─────┴────────────┘
 *                    └─due─ waiting ◀─┘
 *
 * 1. There is a connection in `connecting`, `subscribing` and `up`, and in no other state.
 * 2. `up` is entered through SUBACK only: what is sent before would reach the others while theirs is missed here.
 * 3. `fall` is told once for each outage, however many attempts fail in it.
 * 4. A pause is never shorter than the shortest delay, except for the one change from MQTT 5 to 3.1.1 at the same server.
 */
import type { Monotonic } from '../../base/clock.ts'
import { unreachable } from '../../base/errors.ts'
import { MQTT_VERSION_STALE_MS } from '../../base/limits.ts'
import type { Random } from '../../base/random.ts'
import type { Failure } from './failure.ts'
import { reconnectDelayMs, type ReconnectTiming } from '../reconnect.ts'

/** The protocol levels of MQTT 3.1.1 and MQTT 5. */
export type MqttVersion = 4 | 5

export type SessionState =
  | { readonly kind: 'closed' }
  | { readonly kind: 'waiting'; readonly server: number; readonly until: Monotonic }
  | {
      readonly kind: 'connecting'
      readonly server: number
      readonly version: MqttVersion
      /** The socket, with its TLS if any, stands: from here on silence is the broker's. */
      readonly reached: boolean
      readonly deadline: Monotonic
    }
  | {
      readonly kind: 'subscribing'
      readonly server: number
      readonly version: MqttVersion
      readonly deadline: Monotonic
    }
  | { readonly kind: 'up'; readonly server: number; readonly version: MqttVersion; readonly since: Monotonic }

export interface Session {
  readonly state: SessionState
  /** Attempts in a row that led to no stable link; they make the pauses longer. */
  readonly failures: number
  /** The last failure and where, until the link is up. */
  readonly cause: { readonly failure: Failure; readonly server: number } | null
  /** True once the present outage has been told. */
  readonly fallen: boolean
  /** By server: MQTT 5 once that has worked, until it is refused; else the version that worked last, unless that is long ago. */
  readonly versions: ReadonlyMap<number, MqttVersion>
}

export type SessionEvent =
  | { readonly kind: 'open'; readonly server: number }
  | { readonly kind: 'due' }
  | { readonly kind: 'reached' }
  | { readonly kind: 'connected' }
  | { readonly kind: 'subscribed' }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'close' }

export type SessionStep =
  | { readonly kind: 'connect'; readonly server: number; readonly version: MqttVersion }
  | { readonly kind: 'subscribe' }
  | { readonly kind: 'rise' }
  /** Drop the connection without a word. */
  | { readonly kind: 'abandon' }
  /** Say goodbye, then drop the connection. */
  | { readonly kind: 'leave' }
  | { readonly kind: 'fall'; readonly failure: Failure; readonly server: number }

export interface SessionTiming extends ReconnectTiming {
  /** For CONNACK, and again for SUBACK. */
  readonly connectTimeoutMs: number
  readonly stableMs: number
}

export interface SessionWorld {
  readonly now: Monotonic
  readonly random: Random
  readonly servers: number
  readonly timing: SessionTiming
}

export interface Decision {
  readonly session: Session
  /** In this order; what is told to the owner comes last, since the owner may call back. */
  readonly steps: readonly SessionStep[]
}

export const CLOSED: Session = {
  state: { kind: 'closed' },
  failures: 0,
  cause: null,
  fallen: false,
  versions: new Map(),
}

export function decide(session: Session, event: SessionEvent, world: SessionWorld): Decision {
  switch (event.kind) {
    case 'open':
      return session.state.kind === 'closed' ? connect(session, event.server, world) : stay(session)
    case 'due':
      return onDue(session, world)
    case 'reached':
      return onReached(session, world)
    case 'connected':
      return onConnected(session, world)
    case 'subscribed':
      return onSubscribed(session, world)
    case 'failed':
      return onFailed(session, event.failure, world)
    case 'close':
      return onClose(session)
    default:
      return unreachable(event)
  }
}

/** When `due` has to be told; null if nothing is waited for. */
export function nextWakeUp(state: SessionState): Monotonic | null {
  switch (state.kind) {
    case 'closed':
    case 'up':
      return null
    case 'waiting':
      return state.until
    case 'connecting':
    case 'subscribing':
      return state.deadline
    default:
      return unreachable(state)
  }
}

function onDue(session: Session, world: SessionWorld): Decision {
  const { state } = session
  const wakeUp = nextWakeUp(state)
  if (wakeUp === null || world.now < wakeUp) return stay(session)
  switch (state.kind) {
    case 'waiting':
      return connect(session, state.server, world)
    case 'connecting':
      return onFailed(session, { kind: 'timeout', detail: state.reached ? 'no CONNACK' : 'no connection' }, world)
    case 'subscribing':
      return onFailed(session, { kind: 'timeout', detail: 'no SUBACK' }, world)
    case 'closed':
    case 'up':
      return stay(session)
    default:
      return unreachable(state)
  }
}

/** The broker gets the whole time for its answer, however long the way to it took; the way is bounded by the same. */
function onReached(session: Session, world: SessionWorld): Decision {
  const { state } = session
  if (state.kind !== 'connecting' || state.reached) return stay(session)
  return stay({ ...session, state: { ...state, reached: true, deadline: world.now + world.timing.connectTimeoutMs } })
}

function onConnected(session: Session, world: SessionWorld): Decision {
  const { state } = session
  if (state.kind !== 'connecting') return stay(session)
  const { server, version } = state
  const deadline = world.now + world.timing.connectTimeoutMs
  // A moment of silence, or another broker behind one address, must not cost all that MQTT 5 tells from then on.
  const versions = new Map(session.versions).set(server, session.versions.get(server) === 5 ? 5 : version)
  return {
    session: { ...session, versions, state: { kind: 'subscribing', server, version, deadline } },
    steps: [{ kind: 'subscribe' }],
  }
}

function onSubscribed(session: Session, world: SessionWorld): Decision {
  const { state } = session
  if (state.kind !== 'subscribing') return stay(session)
  const { server, version } = state
  return {
    session: { ...session, cause: null, fallen: false, state: { kind: 'up', server, version, since: world.now } },
    steps: [{ kind: 'rise' }],
  }
}

function onFailed(session: Session, failure: Failure, world: SessionWorld): Decision {
  const { state } = session
  if (state.kind === 'closed' || state.kind === 'waiting') return stay(session)
  const { server } = state
  const isInDoubt = failure.kind === 'protocol-version' || isOldVersion(state, world.now)
  const versions = isInDoubt ? without(session.versions, server) : session.versions
  if (mayBeTheVersion(state, failure)) {
    const decision = connect({ ...session, versions }, server, world, 4)
    return { ...decision, steps: [{ kind: 'abandon' }, ...decision.steps] }
  }
  const stable = state.kind === 'up' && world.now - state.since >= world.timing.stableMs
  const failures = stable ? 0 : session.failures
  const pauseMs = reconnectDelayMs(Math.floor(failures / world.servers), world.timing, world.random)
  return {
    session: {
      versions,
      failures: failures + 1,
      fallen: true,
      cause: { failure, server },
      state: { kind: 'waiting', server: (server + 1) % world.servers, until: world.now + pauseMs },
    },
    steps: session.fallen ? [{ kind: 'abandon' }] : [{ kind: 'abandon' }, { kind: 'fall', failure, server }],
  }
}

function onClose(session: Session): Decision {
  const closed = { ...session, state: CLOSED.state, failures: 0, fallen: false, cause: null }
  switch (session.state.kind) {
    case 'closed':
    case 'waiting':
      return stay(closed)
    case 'connecting':
    case 'subscribing':
      return { session: closed, steps: [{ kind: 'abandon' }] }
    case 'up':
      return { session: closed, steps: [{ kind: 'leave' }] }
    default:
      return unreachable(session.state)
  }
}

/** Brokers of MQTT 3.1.1 answer version 5 with a code (NATS, aedes), by hanging up, or not at all (RabbitMQ 3.10). */
function mayBeTheVersion(state: SessionState, failure: Failure): boolean {
  if (state.kind !== 'connecting' || state.version !== 5) return false
  if (failure.kind === 'protocol-version') return true
  return state.reached && (failure.kind === 'timeout' || failure.kind === 'closed')
}

/** A broker that was silent once may speak MQTT 5 all the same, and one that did not may be a newer one by now. */
function isOldVersion(state: SessionState, now: Monotonic): boolean {
  return state.kind === 'up' && state.version === 4 && now - state.since >= MQTT_VERSION_STALE_MS
}

function connect(session: Session, server: number, world: SessionWorld, only?: MqttVersion): Decision {
  const version = only ?? session.versions.get(server) ?? 5
  const deadline = world.now + world.timing.connectTimeoutMs
  return {
    session: { ...session, state: { kind: 'connecting', server, version, reached: false, deadline } },
    steps: [{ kind: 'connect', server, version }],
  }
}

function stay(session: Session): Decision {
  return { session, steps: [] }
}

function without(versions: ReadonlyMap<number, MqttVersion>, server: number): ReadonlyMap<number, MqttVersion> {
  const rest = new Map(versions)
  rest.delete(server)
  return rest
}
