import type { Clock } from '../../base/clock.ts'
import { assert } from '../../base/errors.ts'
import {
  FRAME_BYTES_MAX,
  RECONNECT_DELAY_MIN_MS,
  SERIAL_GOODBYE_MS,
  SERIAL_OPEN_TIMEOUT_MS,
  SERIAL_REOPEN_MAX_MS,
} from '../../base/limits.ts'
import type { Logger } from '../../base/logger.ts'
import type { Random } from '../../base/random.ts'
import { copyCounters, countDropped, countReceived, countSent, newCounters } from '../counters.ts'
import type { Channel, Link, LinkCounters, LinkEvents, LinkStatus, Waiting } from '../link.ts'
import { type ReconnectTiming, reconnectDelayMs } from '../reconnect.ts'
import type { LineMachine, LineOutput, LineStatistics } from './machine.ts'
import type { OpenPort, OpenSerialPort } from './port-events.ts'

export interface SerialLinkOptions {
  /** For people and for `fleetstep link`: `serial` unless there are several. */
  readonly name: string
  readonly reach: Link['reach']
  /** The port as the config names it, for people. */
  readonly where: string
  readonly openPort: OpenSerialPort
  readonly machine: LineMachine
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Told of bytes that are no frames of this link: text of a console, or another protocol that shares the port. */
  readonly onForeign?: ((bytes: Uint8Array) => void) | undefined
}

export interface SerialLinkStatus extends LinkStatus {
  /** What the line does below the frames of the link. */
  readonly line: LineStatistics
}

const REOPEN_TIMING: ReconnectTiming = { delayMinMs: RECONNECT_DELAY_MIN_MS, delayMaxMs: SERIAL_REOPEN_MAX_MS }

type PortState =
  | { readonly kind: 'closed' }
  | { readonly kind: 'opening'; readonly port: OpenPort; readonly cancel: () => void }
  | { readonly kind: 'open'; readonly port: OpenPort }
  /** Until the next attempt. */
  | { readonly kind: 'waiting'; readonly cancel: () => void }

/** A link over a serial port: it opens the port, opens it again when it comes back, and runs the protocol of the line on it. */
export class SerialLink implements Link {
  readonly name: string
  readonly reach: Link['reach']
  readonly #options: SerialLinkOptions
  readonly #counters: LinkCounters = newCounters()
  #events: LinkEvents | null = null
  #port: PortState = { kind: 'closed' }
  #device: string
  #cause: string | null = null
  #attempts = 0
  #isUp = false
  #hasBeenUp = false
  /** The owner knows that the link is down. */
  #hasToldDown = false
  #refused = false
  /** Something waited after a `send`, and `writable` has not followed yet. */
  #hasWaited = false
  #isCarryingOut = false
  #wake: { readonly at: number; readonly cancel: () => void } | null = null
  #messagesLostBefore = 0

  constructor(options: SerialLinkOptions) {
    this.name = options.name
    this.reach = options.reach
    this.#options = options
    this.#device = options.where
  }

  open(events: LinkEvents): void {
    assert(this.#events === null && this.#port.kind === 'closed', 'a link is opened once, or again after close')
    this.#events = events
    this.#hasBeenUp = false
    this.#hasToldDown = false
    this.#cause = null
    this.#attempts = 0
    this.#openPort()
  }

  send(frame: Uint8Array, channel: Channel): boolean {
    if (frame.length > FRAME_BYTES_MAX) {
      countDropped(this.#counters, 'oversize')
      return true
    }
    if (frame.length === 0) {
      countDropped(this.#counters, 'empty')
      return true
    }
    const { machine, clock } = this.#options
    const handover = machine.send(frame, channel, clock.now())
    if (handover === 'taken') {
      countSent(this.#counters, frame.length)
      this.#carryOut()
    } else countDropped(this.#counters, handover)
    const isRefused = handover === 'full' || handover === 'down'
    if (isRefused) this.#refused = true
    // Whatever became of the frame: the owner sees that something waits, and holds back until it is told.
    else this.#hasWaited ||= machine.waiting !== 'nothing'
    return !isRefused
  }

  get waiting(): Waiting {
    return this.#isUp ? this.#options.machine.waiting : 'nothing'
  }

  async close(): Promise<void> {
    if (this.#events === null) return
    const { machine, clock } = this.#options
    this.#events = null
    this.#isUp = false
    this.#refused = false
    this.#hasWaited = false
    this.#cause = null
    const port = this.#port
    this.#port = { kind: 'closed' }
    this.#wake?.cancel()
    this.#wake = null
    if (port.kind === 'opening' || port.kind === 'waiting') port.cancel()
    if (port.kind === 'opening') await port.port.close()
    if (port.kind !== 'open') return
    const leftAt = machine.goodbye(clock.now())
    for (const output of machine.take()) if (output.kind === 'write') port.port.write(output.bytes)
    this.#noteLost()
    const latest = clock.now() + SERIAL_GOODBYE_MS
    await this.#reached(Math.min(leftAt, latest))
    await Promise.race([port.port.close(), this.#reached(latest)])
  }

  status(): SerialLinkStatus {
    const { machine, where } = this.#options
    const state = this.#events === null ? 'closed' : this.#isUp ? 'up' : 'connecting'
    const device = this.#device === where ? where : `${where} (${this.#device})`
    const peers = machine.peers.length === 0 ? '' : `, to ${machine.peers.join(', ')}`
    return {
      state,
      cause: this.#cause,
      peer: `${device}${peers}`,
      counters: copyCounters(this.#counters),
      line: { ...machine.statistics },
    }
  }

  #openPort(): void {
    const { clock, openPort, where } = this.#options
    const events = {
      opened: (device: string) => this.#ifCurrent(port, () => this.#portOpened(device)),
      data: (bytes: Uint8Array) => this.#ifCurrent(port, () => this.#receive(bytes)),
      gone: (cause: string) => this.#ifCurrent(port, () => this.#portGone(cause)),
    }
    const port = openPort(events)
    const cancel = clock.schedule(clock.now() + SERIAL_OPEN_TIMEOUT_MS, () => {
      void port.close()
      this.#portGone(`${where} does not open: the adapter hangs; unplug it and plug it in again`)
    })
    this.#port = { kind: 'opening', port, cancel }
  }

  /** A port that was given up may still speak. */
  #ifCurrent(port: OpenPort, action: () => void): void {
    const isCurrent = (this.#port.kind === 'opening' || this.#port.kind === 'open') && this.#port.port === port
    if (isCurrent) action()
  }

  #portOpened(device: string): void {
    if (this.#port.kind !== 'opening') return
    const { clock, machine } = this.#options
    this.#port.cancel()
    this.#device = device
    this.#port = { kind: 'open', port: this.#port.port }
    machine.start(clock.now())
    this.#carryOut()
  }

  #portGone(cause: string): void {
    const { clock, random, machine } = this.#options
    const port = this.#port
    if (port.kind === 'opening') port.cancel()
    const delayMs = reconnectDelayMs(this.#attempts, REOPEN_TIMING, random)
    this.#attempts += 1
    this.#port = {
      kind: 'waiting',
      cancel: clock.schedule(clock.now() + delayMs, () => this.#openPort()),
    }
    machine.stop(cause)
    this.#carryOut()
    this.#noteDown(cause)
  }

  #receive(bytes: Uint8Array): void {
    this.#options.machine.receive(bytes, this.#options.clock.now())
    this.#carryOut()
  }

  /** A handler may call `send`, which comes back here: what it leads to is carried out after. */
  #carryOut(): void {
    if (this.#isCarryingOut) return
    this.#isCarryingOut = true
    const { machine } = this.#options
    try {
      for (let outputs = machine.take(); outputs.length > 0; outputs = machine.take())
        for (const output of outputs) this.#carryOutOne(output)
    } finally {
      this.#isCarryingOut = false
    }
    this.#noteLost()
    this.#tellWritable()
    this.#scheduleWake()
  }

  #carryOutOne(output: LineOutput): void {
    switch (output.kind) {
      case 'write':
        if (this.#port.kind === 'open') this.#port.port.write(output.bytes)
        return
      case 'up':
        this.#noteUp()
        return
      case 'down':
        this.#noteDown(output.cause)
        return
      case 'frame':
        countReceived(this.#counters, output.bytes.length)
        this.#tell('frame', (events) => events.frame(output.bytes))
        return
      case 'presence':
        this.#tell('presence', (events) => events.presence(output.node, output.online))
        return
      case 'foreign':
        this.#tell('foreign', () => this.#options.onForeign?.(output.bytes))
        return
    }
  }

  #noteUp(): void {
    this.#isUp = true
    this.#attempts = 0
    this.#cause = null
    this.#hasToldDown = false
    if (this.#hasBeenUp) this.#counters.reconnects += 1
    this.#hasBeenUp = true
    this.#tell('up', (events) => events.up())
  }

  #noteDown(cause: string): void {
    this.#isUp = false
    this.#cause = cause
    if (this.#hasToldDown) return
    this.#hasToldDown = true
    this.#tell('down', (events) => events.down(cause))
  }

  #noteLost(): void {
    const { messagesLost } = this.#options.machine.statistics
    countDropped(this.#counters, 'connection-lost', messagesLost - this.#messagesLostBefore)
    this.#messagesLostBefore = messagesLost
  }

  #tellWritable(): void {
    const { machine } = this.#options
    const isWritable = (this.#refused && machine.hasRoom) || (this.#hasWaited && machine.waiting === 'nothing')
    if (!isWritable || !this.#isUp) return
    this.#refused = false
    this.#hasWaited = false
    this.#tell('writable', (events) => events.writable())
  }

  #tell(what: string, event: (events: LinkEvents) => void): void {
    if (this.#events === null) return
    try {
      event(this.#events)
    } catch (error) {
      countDropped(this.#counters, 'handler-failed')
      this.#options.logger.error(`${this.name}: the handler of "${what}" failed; this is a bug`, { error })
    }
  }

  #scheduleWake(): void {
    const { clock, machine } = this.#options
    const at = this.#port.kind === 'open' ? machine.wakeAt() : null
    if (this.#wake?.at === at) return
    this.#wake?.cancel()
    this.#wake = null
    if (at === null) return
    const cancel = clock.schedule(at, () => {
      this.#wake = null
      machine.tick(clock.now())
      this.#carryOut()
    })
    this.#wake = { at, cancel }
  }

  #reached(at: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.schedule(at, resolve)
    })
  }
}
