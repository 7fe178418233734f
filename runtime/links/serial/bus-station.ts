import type { Monotonic } from '../../base/clock.ts'
import { assert } from '../../base/errors.ts'
import type { NodeId } from '../../base/ids.ts'
import {
  SERIAL_ANSWER_MS,
  SERIAL_BUS_ANSWER_MS,
  SERIAL_BUS_ADDRESS_MAX,
  SERIAL_BUS_ROTATION_MS,
  SERIAL_BUS_TURN_MAX_MS,
  SERIAL_SILENCE_MS,
} from '../../base/limits.ts'
import type { Random } from '../../base/random.ts'
import type { Channel, Waiting } from '../link.ts'
import { type BusHello, type BusPacket, decodeBusPacket, encodeBusPacket } from './bus-packet.ts'
import { type BusPeer, BusPeers, followRoster, receiveFrom } from './bus-peers.ts'
import { BusRing } from './bus-ring.ts'
import { BusSender } from './bus-sender.ts'
import { LineDecoder } from './decoder.ts'
import { encodeSerialFrame } from './frame.ts'
import { type Handover, type LineMachine, type LineOutput, type LineStatistics, newStatistics } from './machine.ts'
import { Pacer, payloadFor } from './pacing.ts'
import { describeSilence, describeTwin, obstacleIn } from './bus-obstacles.ts'
import { SERIAL_VERSION } from './packet.ts'

export interface BusStationOptions {
  /** Id of the fleet, 16 hexadecimal digits. */
  readonly fleet: string
  readonly node: NodeId
  /** 1 to SERIAL_BUS_ADDRESS_MAX, another one for each station. */
  readonly address: number
  readonly baud: number
  readonly payload?: number | undefined
  readonly random: Random
  /** The port, for people. */
  readonly where: string
}

/** Stands before a message instead of an address. */
const EVERYBODY = 0

/**
 * The protocol between 2 to 16 gateways on one pair of wires, where one speaks at a time: `bus-ring.ts` says when, and in
 * its turn a station sends to all others at once. A frame is kept until every one of them has acknowledged it.
 */
export class BusStation implements LineMachine {
  readonly statistics: LineStatistics = newStatistics()
  readonly #options: BusStationOptions
  readonly #payload: number
  readonly #decoder = new LineDecoder()
  readonly #peers = new BusPeers()
  readonly #pacer: Pacer
  readonly #ring: BusRing
  readonly #sender: BusSender
  #outputs: LineOutput[] = []
  #incarnation = 0
  #pairings = 0
  #isUp = false
  #startedAt: Monotonic = 0
  /** The owner knows that nobody is there. */
  #hasTold = false
  #obstacle: string | null = null

  constructor(options: BusStationOptions) {
    const { address, baud, random } = options
    assert(address >= 1 && address <= SERIAL_BUS_ADDRESS_MAX, 'a station has an address of the bus')
    this.#options = options
    this.#payload = options.payload ?? payloadFor(baud)
    this.#pacer = new Pacer(baud)
    const { statistics } = this
    const rotationMs = (): number => this.#rotationMs
    this.#sender = new BusSender({ baud, payload: this.#payload, pacer: this.#pacer, statistics, rotationMs })
    this.#ring = new BusRing({
      address,
      random,
      pacer: this.#pacer,
      peers: this.#peers,
      frameMs: this.#pacer.timeOf(this.#sender.frameBytes),
      rotationMs,
    })
  }

  start(now: Monotonic): void {
    this.#decoder.reset()
    this.#reset()
    this.#startedAt = now
    this.#hasTold = false
    this.#ring.listen(now)
    this.tick(now)
  }

  receive(bytes: Uint8Array, now: Monotonic): void {
    if (this.#ring.isClosed) return
    this.statistics.bytesIn += bytes.length
    this.#ring.noteBytes(bytes.length, now)
    for (const piece of this.#decoder.push(bytes)) {
      if (piece.kind === 'frame') this.#receiveFrame(piece.content, now)
      else if (piece.kind === 'damaged') this.statistics.damaged += 1
      else {
        this.statistics.foreignBytes += piece.bytes.length
        this.#outputs.push(piece)
      }
    }
    this.tick(now)
  }

  send(frame: Uint8Array, channel: Channel, now: Monotonic): Handover {
    if (!this.#isUp) return 'down'
    // Nobody is there who would hear it.
    if (this.#peers.all().every(({ pairing }) => pairing === null)) return 'taken'
    const to = channel.kind === 'direct' ? this.#peers.addressOf(channel.to) : EVERYBODY
    if (to === null) return 'taken'
    const message = new Uint8Array(1 + frame.length)
    message[0] = to
    message.set(frame, 1)
    const handover = this.#sender.offer(message, channel, now)
    if (handover !== 'taken') return handover
    this.#ring.resumeTurn()
    this.tick(now)
    return handover
  }

  tick(now: Monotonic): void {
    if (this.#ring.isClosed) return
    this.#forgetTheSilent(now)
    this.#tellNobody(now)
    for (let task = this.#ring.next(now); task !== null; task = this.#ring.next(now)) {
      switch (task) {
        case 'turn':
          this.#sender.beginTurn(this.#turnMs, now)
          break
        case 'aside':
          this.#stepAside(now)
          break
        case 'speak':
          if (!this.#speakInTurn(now)) return
          break
        case 'here':
          this.#write({ kind: 'here', from: this.#options.address }, now)
          break
        case 'invite':
          this.#write({ kind: 'invitation', from: this.#options.address }, now)
          break
        case 'hello':
          this.#write({ kind: 'hello', from: this.#options.address, hello: this.#hello() }, now)
          break
        default:
          this.#write(
            { kind: 'token', from: this.#options.address, to: task.to, heard: this.#peers.acknowledgements() },
            now,
          )
      }
    }
  }

  stop(cause: string): void {
    if (this.#ring.isClosed) return
    for (const peer of this.#peers.all()) this.#forget(peer)
    this.#countLost()
    this.#isUp = false
    this.#ring.close()
    this.#outputs.push({ kind: 'down', cause })
  }

  goodbye(now: Monotonic): Monotonic {
    if (this.#isUp) this.#write({ kind: 'goodbye', from: this.#options.address }, now)
    this.#countLost()
    this.#isUp = false
    this.#ring.close()
    return this.#pacer.freeAt
  }

  take(): LineOutput[] {
    const outputs = this.#outputs
    this.#outputs = []
    return outputs
  }

  wakeAt(): Monotonic | null {
    if (this.#ring.isClosed) return null
    const oldest = Math.min(...this.#peers.all().map(({ heardAt }) => heardAt + this.#silenceMs), Infinity)
    const told = this.#isUp || this.#hasTold ? Infinity : this.#answerBy
    const speakAt = this.#sender.hasData ? this.#sender.dataAt : Infinity
    return Math.min(this.#ring.wakeAt(speakAt), oldest, told)
  }

  get hasRoom(): boolean {
    return this.#sender.hasRoom
  }

  get waiting(): Waiting {
    return this.#sender.waiting
  }

  get isUp(): boolean {
    return this.#isUp
  }

  get peers(): readonly NodeId[] {
    return this.#peers
      .all()
      .flatMap(({ identity, inbound }) => (identity === null || inbound === null ? [] : [identity.node]))
  }

  /** @returns false while the port has to take what was written before there can be more */
  #speakInTurn(now: Monotonic): boolean {
    if (!this.#sender.hasData) {
      this.#ring.finishTurn()
      return true
    }
    if (now < this.#sender.dataAt) return false
    const { address: from } = this.#options
    if (this.#sender.sendNext(now, (data) => this.#write({ kind: 'data', from, data }, now))) this.#ring.noteTraffic()
    return true
  }

  #receiveFrame(content: Uint8Array, now: Monotonic): void {
    const packet = decodeBusPacket(content)
    if (packet === null) {
      this.statistics.unexpected += 1
      return
    }
    const isOtherNode = packet.kind === 'hello' && packet.hello.node !== this.#options.node
    if (packet.from === this.#options.address) {
      if (!isOtherNode && this.#ring.mayBeEcho(now)) this.#ring.noteEcho()
      else if (!this.#ring.isAside) this.#stepAside(now)
      return
    }
    const peer = this.#peers.heard(packet.from, now)
    this.#ring.noteFrame(packet, now)
    switch (packet.kind) {
      case 'token':
        if (peer.pairing === null) return
        for (const heard of packet.heard)
          if (heard.of === this.#options.address) this.#sender.acknowledge(peer.address, heard, now)
        return
      case 'hello':
        this.#receiveHello(peer, packet.hello)
        return
      case 'goodbye':
        this.#forget(peer)
        return
      case 'data': {
        const messages = receiveFrom(peer, packet.data)
        if (messages === null) this.#forget(peer)
        else for (const message of messages) this.#deliver(message)
        return
      }
      case 'invitation':
      case 'here':
    }
  }

  #deliver(message: Uint8Array): void {
    const to = message[0] ?? EVERYBODY
    const isMeant = to === EVERYBODY || to === this.#options.address
    if (isMeant && message.length > 1) this.#outputs.push({ kind: 'frame', bytes: message.slice(1) })
  }

  #receiveHello(peer: BusPeer, hello: BusHello): void {
    const obstacle = obstacleIn(hello, peer.address, this.#options)
    if (obstacle === null) this.#takeIn(peer, hello, { address: this.#options.address, incarnation: this.#incarnation })
    else this.#obstacle = obstacle
  }

  #takeIn(peer: BusPeer, hello: BusHello, self: { readonly address: number; readonly incarnation: number }): void {
    const { node, incarnation } = hello
    if (peer.identity !== null && peer.identity.incarnation !== incarnation) this.#leave(peer)
    peer.identity = { node, incarnation }
    if (peer.pairing === null) {
      this.#pairings += 1
      peer.pairing = this.#pairings & 0xff
      this.#sender.addReceiver(peer.address)
      this.#ring.askForHello()
    }
    if (hello.isAsking) this.#ring.askForHello()
    const wasKnown = peer.inbound !== null
    const news = followRoster(peer, hello, self)
    if (news !== 'same') this.#ring.askForHello()
    if (news !== 'new' || wasKnown) return
    if (!this.#isUp) this.#outputs.push({ kind: 'up' })
    if (!this.#isUp) this.statistics.sessions += 1
    this.#isUp = true
    this.#hasTold = false
    this.#outputs.push({ kind: 'presence', node, online: true })
  }

  /** Nobody waits for its acknowledgements any more. */
  #leave(peer: BusPeer): void {
    const node = peer.inbound === null ? null : (peer.identity?.node ?? null)
    Object.assign(peer, { identity: null, pairing: null, inbound: null })
    if (node !== null && !this.#peers.isHeard(node)) this.#outputs.push({ kind: 'presence', node, online: false })
    // What waits is for nobody, if this was the last one.
    this.#sender.removeReceiver(
      peer.address,
      this.#peers.all().every(({ pairing }) => pairing === null),
    )
  }

  #forget(peer: BusPeer): void {
    this.#leave(peer)
    this.#peers.remove(peer.address)
  }

  #forgetTheSilent(now: Monotonic): void {
    const silent = this.#peers.all().filter(({ heardAt }) => now >= heardAt + this.#silenceMs)
    if (silent.length === 0) return
    const isLast = silent.length === this.#peers.all().length
    if (isLast) this.#countLost()
    for (const peer of silent) this.#forget(peer)
    if (!isLast || !this.#isUp) return
    this.#isUp = false
    this.#outputs.push({ kind: 'down', cause: `nobody is heard on ${this.#options.where} any more: look at the wires` })
  }

  #tellNobody(now: Monotonic): void {
    if (this.#isUp || this.#hasTold || now < this.#answerBy) return
    this.#hasTold = true
    const cause = this.#obstacle ?? describeSilence(this.#options, this.statistics.damaged > 0)
    this.#outputs.push({ kind: 'down', cause })
  }

  /** A ring takes in one after the other. */
  get #answerBy(): Monotonic {
    return this.#startedAt + (this.#peers.all().length === 0 ? SERIAL_ANSWER_MS : SERIAL_BUS_ANSWER_MS)
  }

  /** Another station has this one's address: it was there before, or both leave and come back at different times. */
  #stepAside(now: Monotonic): void {
    for (const peer of this.#peers.all()) this.#forget(peer)
    this.#countLost()
    this.#reset()
    this.#ring.stepAside(now)
    this.#isUp = false
    this.#hasTold = true
    this.#outputs.push({ kind: 'down', cause: describeTwin(this.#options) })
  }

  #countLost(): void {
    this.statistics.messagesLost += this.#sender.drop()
  }

  /** A new life: what others have kept of the old one does not count. */
  #reset(): void {
    this.#incarnation = Math.max(1, this.#options.random.uint32())
    this.#peers.clear()
    this.#sender.reset()
    this.#isUp = false
    this.#obstacle = null
  }

  #hello(): BusHello {
    const { fleet, node } = this.#options
    const isAsking = this.#peers.all().some(({ identity, inbound }) => identity !== null && inbound === null)
    const roster = this.#peers.roster((address) => this.#sender.startFor(address))
    const [version, incarnation, payloadMax] = [SERIAL_VERSION, this.#incarnation, this.#payload]
    return { version, fleet, node, incarnation, payloadMax, isAsking, roster }
  }

  get #turnMs(): number {
    return Math.min(SERIAL_BUS_TURN_MAX_MS, SERIAL_BUS_ROTATION_MS / (this.#peers.all().length + 1))
  }

  /** With as many stations as are there now, all of which have much to send. */
  get #rotationMs(): number {
    return (this.#peers.all().length + 1) * Math.max(this.#turnMs, this.#sender.leastTurnMs)
  }

  get #silenceMs(): number {
    return Math.max(SERIAL_SILENCE_MS, 4 * this.#rotationMs)
  }

  /** @returns bytes on the line */
  #write(packet: BusPacket, now: Monotonic): number {
    const bytes = encodeSerialFrame(encodeBusPacket(packet), this.#pacer.isIdle(now))
    this.#ring.noteWritten(bytes.length, now)
    this.#pacer.note(bytes.length, now)
    this.statistics.bytesOut += bytes.length
    this.#outputs.push({ kind: 'write', bytes })
    return bytes.length
  }
}
