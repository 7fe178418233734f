import type { Monotonic } from '../../base/clock.ts'
import type { NodeId } from '../../base/ids.ts'
import {
  LINK_QUEUE_BYTES_MAX,
  SERIAL_ANSWER_MS,
  SERIAL_BULK_QUEUE_MS,
  SERIAL_HELLO_MS,
  SERIAL_KEEPALIVE_MS,
  SERIAL_SILENCE_MS,
  SERIAL_WINDOW,
} from '../../base/limits.ts'
import { fraction, type Random } from '../../base/random.ts'
import type { Channel, Waiting } from '../link.ts'
import { LineDecoder } from './decoder.ts'
import { encodeSerialFrame } from './frame.ts'
import { type Handover, type LineMachine, type LineOutput, type LineStatistics, newStatistics } from './machine.ts'
import { lineRate, Pacer, payloadFor } from './pacing.ts'
import { decodePacket, encodePacket, type Hello, type Packet, SERIAL_VERSION } from './packet.ts'
import { Session } from './session.ts'
import { StreamSender } from './streams.ts'

export interface PointToPointOptions {
  /** Id of the fleet, 16 hexadecimal digits. */
  readonly fleet: string
  readonly node: NodeId
  readonly baud: number
  /** Bytes of payload in a frame; what fits the baud if not given. */
  readonly payload?: number | undefined
  readonly random: Random
  /** The port, for people. */
  readonly where: string
}

type State =
  | { readonly kind: 'closed' }
  /** Says HELLO until somebody answers it. */
  | { readonly kind: 'greeting'; readonly since: Monotonic; readonly heard: Hello | null; readonly hasTold: boolean }
  | { readonly kind: 'up'; readonly session: Session }

/** The protocol between two gateways on one line. */
export class PointToPoint implements LineMachine {
  readonly statistics: LineStatistics = newStatistics()
  readonly #options: PointToPointOptions
  readonly #payloadMax: number
  readonly #decoder = new LineDecoder()
  #pacer: Pacer
  #streams: StreamSender
  #outputs: LineOutput[] = []
  #state: State = { kind: 'closed' }
  #incarnation = 0
  #helloAt: Monotonic = 0
  /** What was heard instead of an answer, for the one line that tells why nobody answers. */
  #obstacle: Obstacle | null = null

  constructor(options: PointToPointOptions) {
    this.#options = options
    this.#payloadMax = options.payload ?? payloadFor(options.baud)
    this.#pacer = new Pacer(options.baud)
    this.#streams = this.#newStreams()
  }

  start(now: Monotonic): void {
    this.#pacer = new Pacer(this.#options.baud)
    this.#decoder.reset()
    this.#greet(now, null, false)
    this.tick(now)
  }

  receive(bytes: Uint8Array, now: Monotonic): void {
    if (this.#state.kind === 'closed') return
    this.statistics.bytesIn += bytes.length
    for (const piece of this.#decoder.push(bytes)) {
      switch (piece.kind) {
        case 'frame':
          this.#receiveFrame(piece.content, now)
          break
        case 'foreign':
          this.statistics.foreignBytes += piece.bytes.length
          this.#obstacle ??= 'foreign'
          this.#outputs.push(piece)
          break
        case 'damaged':
          this.statistics.damaged += 1
          this.#obstacle ??= 'damaged'
      }
    }
    this.tick(now)
  }

  send(frame: Uint8Array, channel: Channel, now: Monotonic): Handover {
    if (this.#state.kind !== 'up') return 'down'
    const handover = this.#streams.offer(frame, channel, now)
    if (handover === 'taken') this.tick(now)
    return handover
  }

  tick(now: Monotonic): void {
    const state = this.#state
    if (state.kind === 'greeting') this.#tickGreeting(state, now)
    if (state.kind !== 'up') return
    const { session } = state
    if (now >= session.heardAt + SERIAL_SILENCE_MS) {
      this.#end(`nobody answers on ${this.#options.where} any more: look at the cable and at the other gateway`, now)
      return
    }
    for (let content = session.next(now); content !== null; content = session.next(now)) this.#speak(content, now)
    if (now >= session.spokeAt + SERIAL_KEEPALIVE_MS) this.#speak(session.keepAlive(), now)
  }

  stop(cause: string): void {
    if (this.#state.kind === 'up') this.#leave(this.#state.session)
    if (this.#state.kind !== 'closed') this.#outputs.push({ kind: 'down', cause })
    this.#state = { kind: 'closed' }
  }

  goodbye(now: Monotonic): Monotonic {
    if (this.#state.kind === 'up') {
      this.#speak(encodePacket({ kind: 'goodbye' }), now)
      this.#forget(this.#state.session)
    }
    this.#state = { kind: 'closed' }
    return this.#pacer.freeAt
  }

  take(): LineOutput[] {
    const outputs = this.#outputs
    this.#outputs = []
    return outputs
  }

  wakeAt(): Monotonic | null {
    switch (this.#state.kind) {
      case 'closed':
        return null
      case 'greeting':
        return this.#state.hasTold ? this.#helloAt : Math.min(this.#helloAt, this.#state.since + SERIAL_ANSWER_MS)
      case 'up': {
        const { session } = this.#state
        const own = Math.min(session.heardAt + SERIAL_SILENCE_MS, session.spokeAt + SERIAL_KEEPALIVE_MS)
        return Math.min(own, session.wakeAt() ?? Infinity)
      }
    }
  }

  get hasRoom(): boolean {
    return this.#streams.hasRoom
  }

  get waiting(): Waiting {
    return this.#streams.waiting
  }

  get isUp(): boolean {
    return this.#state.kind === 'up'
  }

  get peers(): readonly NodeId[] {
    return this.#state.kind === 'up' ? [this.#state.session.peer.node] : []
  }

  #tickGreeting(state: Extract<State, { kind: 'greeting' }>, now: Monotonic): void {
    if (now >= this.#helloAt) this.#sayHello(state.heard?.incarnation ?? 0, true, now)
    if (state.hasTold || now < state.since + SERIAL_ANSWER_MS) return
    this.#state = { ...state, hasTold: true }
    this.#outputs.push({ kind: 'down', cause: describeObstacle(this.#obstacle, this.#options) })
  }

  #receiveFrame(content: Uint8Array, now: Monotonic): void {
    const packet = decodePacket(content)
    if (packet === null) {
      this.statistics.unexpected += 1
      return
    }
    if (packet.kind === 'hello') return this.#receiveHello(packet.hello, now)
    if (this.#state.kind !== 'up') {
      this.statistics.unexpected += 1
      return
    }
    const { session } = this.#state
    session.heardAt = now
    this.#receiveInSession(packet, session, now)
  }

  #receiveInSession(packet: Exclude<Packet, { kind: 'hello' }>, session: Session, now: Monotonic): void {
    const { where } = this.#options
    switch (packet.kind) {
      case 'goodbye':
        this.#end(`the gateway at the other end of ${where} has closed its link: it comes back by itself`, now)
        return
      case 'acknowledgement':
        if (!session.acknowledge(packet.acknowledgement, now)) this.#end(brokenRules(where), now)
        return
      case 'data': {
        const messages = session.receive(packet.data, now)
        if (messages === null) this.#end(brokenRules(where), now)
        else for (const bytes of messages) this.#outputs.push({ kind: 'frame', bytes })
      }
    }
  }

  #receiveHello(hello: Hello, now: Monotonic): void {
    const obstacle = obstacleIn(hello, this.#options, this.#incarnation)
    if (obstacle !== null) {
      this.#obstacle = obstacle
      return
    }
    const state = this.#state
    if (state.kind === 'up') {
      if (hello.incarnation !== state.session.peer.incarnation) {
        this.#end(`the gateway at the other end of ${this.#options.where} has started again`, now)
        this.#greet(now, hello, true)
        return
      }
      state.session.heardAt = now
      if (hello.isAsking) this.#sayHello(hello.incarnation, false, now)
      return
    }
    if (state.kind === 'closed') return
    if (hello.heard === this.#incarnation) this.#establish(hello, now)
    else {
      this.#state = { ...state, heard: hello }
      if (hello.isAsking || state.heard?.incarnation !== hello.incarnation) this.#sayHello(hello.incarnation, true, now)
    }
  }

  #establish(peer: Hello, now: Monotonic): void {
    const { statistics } = this
    this.#streams = this.#newStreams()
    const session = new Session({
      peer,
      payloadMax: this.#payloadMax,
      streams: this.#streams,
      pacer: this.#pacer,
      statistics,
      now,
    })
    this.#state = { kind: 'up', session }
    this.#obstacle = null
    statistics.sessions += 1
    if (peer.isAsking) this.#sayHello(peer.incarnation, false, now)
    this.#outputs.push({ kind: 'up' }, { kind: 'presence', node: peer.node, online: true })
  }

  /** The session is over, and a new one is sought at once. */
  #end(cause: string, now: Monotonic): void {
    if (this.#state.kind !== 'up') return
    this.#leave(this.#state.session)
    this.#outputs.push({ kind: 'down', cause })
    this.#greet(now, null, true)
  }

  #leave(session: Session): void {
    this.#outputs.push({ kind: 'presence', node: session.peer.node, online: false })
    this.#forget(session)
  }

  #forget(session: Session): void {
    this.statistics.messagesLost += session.waitingMessages
  }

  /** @param hasTold the owner knows that nobody is there */
  #greet(now: Monotonic, heard: Hello | null, hasTold: boolean): void {
    this.#incarnation = Math.max(1, this.#options.random.uint32())
    this.#obstacle = null
    this.#helloAt = now
    this.#state = { kind: 'greeting', since: now, heard, hasTold }
  }

  #sayHello(heard: number, isAsking: boolean, now: Monotonic): void {
    const hello: Hello = {
      version: SERIAL_VERSION,
      fleet: this.#options.fleet,
      node: this.#options.node,
      incarnation: this.#incarnation,
      heard,
      payloadMax: this.#payloadMax,
      window: SERIAL_WINDOW,
      isAsking,
    }
    // Two that were switched on together must not go on speaking together where the line carries one at a time.
    this.#helloAt = now + SERIAL_HELLO_MS * (0.75 + fraction(this.#options.random) / 2)
    this.#speak(encodePacket({ kind: 'hello', hello }), now)
  }

  #speak(content: Uint8Array, now: Monotonic): void {
    // A delimiter before it cuts off what the line has picked up while it was idle.
    const bytes = encodeSerialFrame(content, this.#pacer.isIdle(now))
    this.#pacer.note(bytes.length, now)
    this.statistics.bytesOut += bytes.length
    if (this.#state.kind === 'up') this.#state.session.spokeAt = now
    this.#outputs.push({ kind: 'write', bytes })
  }

  #newStreams(): StreamSender {
    const bulkBytes = lineRate(this.#options.baud) * SERIAL_BULK_QUEUE_MS
    return new StreamSender(Math.min(LINK_QUEUE_BYTES_MAX, bulkBytes))
  }
}

/** Why nobody answers, as far as it can be heard. */
type Obstacle = 'foreign' | 'damaged' | 'own-echo' | 'same-node' | 'other-fleet' | 'other-version'

function obstacleIn(hello: Hello, { fleet, node }: PointToPointOptions, incarnation: number): Obstacle | null {
  if (hello.version !== SERIAL_VERSION) return 'other-version'
  if (hello.node === node) return hello.incarnation === incarnation ? 'own-echo' : 'same-node'
  return hello.fleet === fleet ? null : 'other-fleet'
}

function describeObstacle(obstacle: Obstacle | null, { where, baud }: PointToPointOptions): string {
  switch (obstacle) {
    case null:
      return `nobody answers on ${where}: check that the other gateway runs, that TX goes to RX on both sides, and the ground`
    case 'foreign':
      return `${where} carries text or another protocol, and no gateway answers: fleetstep serial check tells of a login console`
    case 'damaged':
      return `what comes on ${where} cannot be read: set ${baud} baud on both sides, and check the ground and the cable's length`
    case 'own-echo':
      return `${where} hears only itself: TX and RX are joined, or the adapter echoes; cross them, or switch the echo off`
    case 'same-node':
      return `the gateway at the other end of ${where} has this node's id: give one of them another one`
    case 'other-fleet':
      return `the gateway at the other end of ${where} belongs to another fleet: compare fleet in both configs`
    case 'other-version':
      return `the gateway at the other end of ${where} speaks another version of the line protocol: update the older one`
  }
}

function brokenRules(where: string): string {
  return `the other end of ${where} does not keep to the protocol of the line: update the older gateway`
}
