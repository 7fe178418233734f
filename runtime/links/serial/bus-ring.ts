import type { Monotonic } from '../../base/clock.ts'
import {
  SERIAL_BUS_CONFLICT_MS,
  SERIAL_BUS_ECHO_MS,
  SERIAL_BUS_HELLO_MS,
  SERIAL_BUS_IDLE_TURN_MS,
  SERIAL_BUS_INVITATION_MS,
  SERIAL_BUS_INVITE_ALONE_MS,
  SERIAL_BUS_INVITE_MS,
  SERIAL_BUS_LISTEN_MS,
  SERIAL_BUS_LOST_MS,
  SERIAL_BUS_LOST_STEP_MS,
  SERIAL_BUS_TURNS_IN_VAIN_MAX,
  SERIAL_BUS_USAGE_MS,
} from '../../base/limits.ts'
import { fraction, type Random } from '../../base/random.ts'
import type { BusPacket } from './bus-packet.ts'
import type { BusPeers } from './bus-peers.ts'
import type { Pacer } from './pacing.ts'

export interface BusRingOptions {
  readonly address: number
  readonly random: Random
  readonly pacer: Pacer
  readonly peers: BusPeers
  /** What the longest frame takes. */
  readonly frameMs: number
  /** How long it takes at most until the token is back. */
  readonly rotationMs: () => number
}

/** What the station does now: its turn begins, it has to leave because another has its address, it sends data, or it writes one frame of the ring. */
export type RingTask = 'turn' | 'aside' | 'speak' | 'here' | 'invite' | 'hello' | { readonly to: number }

type State =
  | { readonly kind: 'closed' }
  /** Hears who is there, and whether somebody has this address, before it takes part. */
  | { readonly kind: 'listening'; readonly until: Monotonic }
  /** Somebody else has the token. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'holding'; readonly since: Monotonic; readonly isBegun: boolean; readonly isFinished: boolean }
  /** Has invited those who are not in the ring. */
  | { readonly kind: 'inviting'; readonly until: Monotonic }
  /** Has given the token away, and watches whether it is used. */
  | { readonly kind: 'passing'; readonly to: number; readonly isRepeated: boolean; readonly bytesBefore: number }
  /** Another station has this address. */
  | { readonly kind: 'aside'; readonly until: Monotonic }

/**
 * Who may speak on a bus: the one that holds the token, which goes from address to address in a ring, in the manner of
 * BACnet MS/TP (ASHRAE 135, clause 9). A token that is not used is given to the next one, and to that station again soon; one
 * that is lost is made anew by the station with the lowest address, which also invites stations that come, at intervals.
 */
export class BusRing {
  readonly #options: BusRingOptions
  #state: State = { kind: 'closed' }
  #bytesHeardAt: Monotonic = 0
  #bytesHeard = 0
  /** The adapter hears what it sends itself: so many of these bytes are still to come. */
  #hearsItself = false
  #ownBytes = 0
  /** When the token was here last. */
  #turnAt: Monotonic = -Infinity
  /** When to answer an invitation. */
  #hereAt: Monotonic | null = null
  #inviteAt: Monotonic = 0
  /** Somebody has answered the last invitation: the next turn brings another one. */
  #mayBeMore = false
  #helloAt: Monotonic = 0
  /** To whom the token went last, until that station is heard in time. */
  #passedTo: number | null = null
  /** Turns in a row after which nobody used the token: two with one address that speak at the same moments. */
  #turnsInVain = 0
  /** Data has passed since the last turn: nobody lingers. */
  #hasTraffic = false

  constructor(options: BusRingOptions) {
    this.#options = options
  }

  get isClosed(): boolean {
    return this.#state.kind === 'closed'
  }

  listen(now: Monotonic): void {
    const ms = SERIAL_BUS_LISTEN_MS * (1 + fraction(this.#options.random))
    this.#state = { kind: 'listening', until: now + ms }
    this.#bytesHeardAt = now
    this.#turnAt = -Infinity
    this.#hereAt = null
    this.#helloAt = now
  }

  stepAside(now: Monotonic): void {
    this.#turnsInVain = 0
    this.#passedTo = null
    this.#state = { kind: 'aside', until: now + SERIAL_BUS_CONFLICT_MS * (1 + fraction(this.#options.random)) }
  }

  close(): void {
    this.#state = { kind: 'closed' }
  }

  noteBytes(bytes: number, now: Monotonic): void {
    this.#bytesHeardAt = now
    const own = this.#hearsItself && this.mayBeEcho(now) ? Math.min(bytes, this.#ownBytes) : 0
    this.#ownBytes -= own
    // Nobody has answered if a station hears no more than itself.
    if (bytes === own) return
    this.#bytesHeard += 1
    if (this.#state.kind === 'inviting') this.#mayBeMore = true
  }

  /** This station has written so many bytes. */
  noteWritten(bytes: number, now: Monotonic): void {
    this.#ownBytes = bytes + (this.mayBeEcho(now) ? this.#ownBytes : 0)
  }

  /** A frame of this station itself has come back to it. */
  noteEcho(): void {
    this.#hearsItself = true
  }

  /** Data was sent by this station. */
  noteTraffic(): void {
    this.#hasTraffic = true
  }

  /** What carries this station's own address may be its own frame, which the adapter hears. */
  mayBeEcho(now: Monotonic): boolean {
    return now <= this.#options.pacer.freeAt + SERIAL_BUS_ECHO_MS
  }

  askForHello(): void {
    this.#helloAt = -Infinity
  }

  /** A frame of another station was heard. */
  noteFrame(packet: BusPacket, now: Monotonic): void {
    if (packet.kind === 'data') this.#hasTraffic = true
    if (packet.kind === 'here') this.askForHello()
    // Where one has come there may be more, whose answers met.
    if (packet.kind === 'here') this.#mayBeMore = true
    const { kind } = this.#state
    const isTakingPart = kind !== 'listening' && kind !== 'aside' && kind !== 'closed'
    if (!isTakingPart) return
    if (packet.kind === 'here') return
    if (packet.from === this.#passedTo && now <= this.#usedBy + this.#options.frameMs) this.#passedTo = null
    // Whoever else speaks has the token: two of them become one when both who hear it give theirs up.
    this.#state = { kind: 'waiting' }
    if (packet.kind === 'token' && packet.to === this.#options.address) {
      this.#turnsInVain = this.#passedTo === null ? 0 : this.#turnsInVain + 1
      this.#state = { kind: 'holding', since: now, isBegun: false, isFinished: false }
      return
    }
    const isForgotten = now - this.#turnAt > 1.5 * this.#options.rotationMs() + SERIAL_BUS_LOST_MS
    if (packet.kind === 'invitation' && isForgotten)
      this.#hereAt = now + (fraction(this.#options.random) * SERIAL_BUS_INVITATION_MS) / 2
  }

  /** The station has nothing more to send in its turn. */
  finishTurn(): void {
    if (this.#state.kind === 'holding') this.#state = { ...this.#state, isFinished: true }
  }

  /** There is something to send after all, while the token is still here. */
  resumeTurn(): void {
    if (this.#state.kind === 'holding') this.#state = { ...this.#state, isFinished: false }
  }

  get isAside(): boolean {
    return this.#state.kind === 'aside'
  }

  /** @returns what to do now; null until something is heard or the time of `wakeAt` has come */
  next(now: Monotonic): RingTask | null {
    const state = this.#state
    switch (state.kind) {
      case 'closed':
        return null
      case 'aside':
        if (now >= state.until) this.listen(now)
        return null
      case 'listening':
        if (now < state.until) return null
        this.#state = { kind: 'waiting' }
        return this.next(now)
      case 'waiting':
        return this.#nextWaiting(now)
      case 'holding':
        return this.#nextHolding(state, now)
      case 'inviting':
        if (now < state.until) return null
        // Something may have come to be sent meanwhile.
        this.#state = { kind: 'holding', since: -Infinity, isBegun: true, isFinished: false }
        return this.next(now)
      case 'passing':
        return this.#nextPassing(state, now)
    }
  }

  /** @param speakAt when the port can take the next frame of data, if there is one */
  wakeAt(speakAt: Monotonic): Monotonic {
    const state = this.#state
    switch (state.kind) {
      case 'closed':
        return Infinity
      case 'aside':
      case 'listening':
      case 'inviting':
        return state.until
      case 'waiting':
        return Math.min(this.#lostAt, this.#hereAt ?? Infinity)
      case 'passing':
        return this.#usedBy
      case 'holding':
        if (!state.isFinished) return speakAt
        return this.#isAlone ? this.#inviteAt : state.since + SERIAL_BUS_IDLE_TURN_MS
    }
  }

  #nextWaiting(now: Monotonic): RingTask | null {
    if (this.#hereAt !== null && now >= this.#hereAt) {
      this.#hereAt = null
      return 'here'
    }
    if (now < this.#lostAt) return null
    this.#state = { kind: 'holding', since: now, isBegun: false, isFinished: false }
    return this.next(now)
  }

  #nextHolding(state: Extract<State, { kind: 'holding' }>, now: Monotonic): RingTask | null {
    if (!state.isBegun) {
      if (this.#turnsInVain >= SERIAL_BUS_TURNS_IN_VAIN_MAX) return 'aside'
      this.#state = { ...state, isBegun: true }
      this.#turnAt = now
      this.#hereAt = null
      if (this.#mayBeMore) this.#inviteAt = now
      this.#mayBeMore = false
      return 'turn'
    }
    if (now >= this.#helloAt && !this.#isAlone) {
      this.#helloAt = now + SERIAL_BUS_HELLO_MS
      return 'hello'
    }
    if (!state.isFinished) return 'speak'
    this.#options.peers.retry(now)
    if (now >= this.#inviteAt && this.#options.peers.isLowest(this.#options.address)) {
      const pauseMs = this.#isAlone ? SERIAL_BUS_INVITE_ALONE_MS : SERIAL_BUS_INVITE_MS
      // Two that are alone on one bus must not go on speaking at the same moments.
      this.#inviteAt = now + pauseMs * (0.75 + fraction(this.#options.random) / 2)
      // Counted from when it has left: what is written before it is known.
      this.#state = { kind: 'inviting', until: Math.max(now, this.#options.pacer.freeAt) + SERIAL_BUS_INVITATION_MS }
      return 'invite'
    }
    const to = this.#options.peers.successorOf(this.#options.address)
    if (to === null) return null
    if (!this.#hasTraffic && now < state.since + SERIAL_BUS_IDLE_TURN_MS) return null
    this.#hasTraffic = false
    return this.#pass(to)
  }

  #nextPassing({ to, isRepeated, bytesBefore }: Extract<State, { kind: 'passing' }>, now: Monotonic): RingTask | null {
    if (now < this.#usedBy) return null
    if (this.#bytesHeard > bytesBefore) {
      // Somebody speaks, though nothing could be read yet.
      this.#state = { kind: 'waiting' }
      return null
    }
    if (!isRepeated) return this.#pass(to, true)
    const next = this.#options.peers.successorOf(to)
    this.#options.peers.skip(to, now)
    if (next !== null && next !== to && next !== this.#options.address) return this.#pass(next)
    this.#state = { kind: 'holding', since: now, isBegun: false, isFinished: false }
    return this.next(now)
  }

  /** @param isRepeated it is not said again: it was before, or nobody may be there any more */
  #pass(to: number, isRepeated: boolean = this.#options.peers.isInDoubt(to)): RingTask {
    this.#state = { kind: 'passing', to, isRepeated, bytesBefore: this.#bytesHeard }
    this.#passedTo = to
    return { to }
  }

  get #isAlone(): boolean {
    return this.#options.peers.successorOf(this.#options.address) === null
  }

  get #usedBy(): Monotonic {
    return this.#options.pacer.freeAt + SERIAL_BUS_USAGE_MS
  }

  get #lostAt(): Monotonic {
    const quietSince = Math.max(this.#bytesHeardAt, this.#options.pacer.freeAt)
    return quietSince + SERIAL_BUS_LOST_MS + this.#options.address * SERIAL_BUS_LOST_STEP_MS
  }
}
