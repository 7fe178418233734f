import type { Clock, Monotonic } from '../../runtime/base/clock.ts'
import { fraction, type Random, seededRandom } from '../../runtime/base/random.ts'
import type { OpenPort, OpenSerialPort, PortEvents } from '../../runtime/links/serial/port-events.ts'

/** What a line does to the bytes on it. All of it is drawn from one seed. */
export interface LineFaults {
  /** Chance of each bit to flip. */
  readonly bitErrorRate?: number
  /** Chance of each byte that a burst begins at it, and the bytes that a burst makes random. */
  readonly burstRate?: number
  readonly burstBytes?: number
  /** Chance of each byte to be lost. */
  readonly byteLossRate?: number
  /** Chance of each delivery that the receiver was late: its last bytes, up to 16, are lost. */
  readonly overrunRate?: number
}

export interface LineOptions extends LineFaults {
  readonly clock: Clock
  readonly baud: number
  readonly seed?: number
  /** Bytes are delivered at multiples of this, as the latency timer of a USB adapter does; 0 delivers each write at its end. */
  readonly latencyMs?: number
  /** A write is delivered in pieces of this length, as a UART does; whole if not given. */
  readonly sliceMs?: number
  /** One at a time: what is sent by two at once reaches everybody as noise. */
  readonly isShared?: boolean
  /** On a shared line a sender hears itself too, as adapters without a switch for it do. */
  readonly hasEcho?: boolean
}

/**
 * A serial line for two or more ports, in time that the clock drives: a byte takes ten bits, a write waits for the one
 * before it, and an idle line saves up nothing.
 */
export class EmulatedLine {
  readonly #options: LineOptions
  readonly #random: Random
  readonly #ends: LineEnd[] = []
  readonly #underWay = new Set<Transmission>()
  #faults: LineFaults
  #isCut = false
  /** Bytes that were handed to receivers, and bits that were flipped among them. */
  delivered = 0
  damaged = 0
  collisions = 0

  constructor(options: LineOptions) {
    this.#options = options
    this.#faults = options
    this.#random = seededRandom(options.seed ?? 1)
  }

  /** A port at one more end of the line. */
  port(name: string): OpenSerialPort {
    const end = new LineEnd(name, this.#options.clock, (bytes, from) => this.#transmit(bytes, from))
    this.#ends.push(end)
    return (events) => end.open(events)
  }

  setFaults(faults: LineFaults): void {
    this.#faults = faults
  }

  /** Pulls the cable in the middle: the ports stay, and what is under way is lost. */
  cut(): void {
    this.#isCut = true
    this.#underWay.clear()
  }

  heal(): void {
    this.#isCut = false
  }

  /** Pulls the adapter of one end: its port is gone until `plugIn`. */
  unplug(name: string): void {
    for (const end of this.#ends) if (end.name === name) end.unplug()
  }

  plugIn(name: string): void {
    for (const end of this.#ends) if (end.name === name) end.plugIn()
  }

  /** Something else speaks into the line, as a console does: everybody but `from` hears it. */
  inject(bytes: Uint8Array, from: string): void {
    for (const end of this.#ends) if (end.name !== from) end.deliver(bytes)
  }

  #transmit(bytes: Uint8Array, from: LineEnd): void {
    const { clock, baud, latencyMs = 0, isShared = false } = this.#options
    const start = Math.max(clock.now(), from.freeAt)
    const end = start + (bytes.length * 10_000) / baud
    from.freeAt = end
    if (this.#isCut) return
    const transmission: Transmission = { from, start, end, isGarbled: false }
    if (isShared) this.#collide(transmission)
    this.#underWay.add(transmission)
    const sliceBytes = Math.max(1, Math.floor(((this.#options.sliceMs ?? Infinity) * baud) / 10_000))
    for (let at = 0; at < bytes.length; at += sliceBytes) {
      const slice = bytes.subarray(at, at + sliceBytes)
      const sliceEnd = start + ((at + slice.length) * 10_000) / baud
      const due = latencyMs > 0 ? Math.ceil(sliceEnd / latencyMs) * latencyMs : sliceEnd
      const isLast = at + slice.length === bytes.length
      clock.schedule(due, () => this.#deliver(slice, transmission, isLast))
    }
  }

  #deliver(bytes: Uint8Array, transmission: Transmission, isLast: boolean): void {
    if (!this.#underWay.has(transmission)) return
    if (isLast) this.#underWay.delete(transmission)
    for (const to of this.#ends) {
      if (to === transmission.from && this.#options.hasEcho !== true) continue
      this.delivered += bytes.length
      to.deliver(transmission.isGarbled ? this.#noise(bytes.length) : this.#distort(bytes))
    }
  }

  #collide(transmission: Transmission): void {
    for (const other of this.#underWay) {
      if (other.from === transmission.from || other.end <= transmission.start || other.start >= transmission.end)
        continue
      if (!other.isGarbled || !transmission.isGarbled) this.collisions += 1
      other.isGarbled = true
      Object.assign(transmission, { isGarbled: true })
    }
  }

  #noise(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#random.uint32() & 0xff)
  }

  #distort(bytes: Uint8Array): Uint8Array {
    const { bitErrorRate = 0, burstRate = 0, burstBytes = 8, byteLossRate = 0, overrunRate = 0 } = this.#faults
    const out = bytes.slice()
    for (let bit = this.#gap(bitErrorRate); bit < out.length * 8; bit += 1 + this.#gap(bitErrorRate)) {
      out[bit >>> 3] = (out[bit >>> 3] ?? 0) ^ (1 << (bit & 7))
      this.damaged += 1
    }
    for (let at = this.#gap(burstRate); at < out.length; at += burstBytes + this.#gap(burstRate)) {
      for (let index = at; index < Math.min(at + burstBytes, out.length); index += 1)
        out[index] = this.#random.uint32() & 0xff
      this.damaged += 1
    }
    let kept = out
    if (overrunRate > 0 && fraction(this.#random) < overrunRate)
      kept = kept.slice(0, Math.max(0, kept.length - 1 - (this.#random.uint32() & 15)))
    if (byteLossRate > 0) kept = kept.filter(() => fraction(this.#random) >= byteLossRate)
    return kept
  }

  /** How many go by until the next event of a chance `rate`: a geometric draw. */
  #gap(rate: number): number {
    if (rate <= 0) return Infinity
    return Math.floor(Math.log(1 - fraction(this.#random)) / Math.log(1 - rate))
  }
}

interface Transmission {
  readonly from: LineEnd
  readonly start: Monotonic
  readonly end: Monotonic
  isGarbled: boolean
}

class LineEnd {
  readonly name: string
  /** When the last byte that was written has left. */
  freeAt: Monotonic = 0
  readonly #clock: Clock
  readonly #transmit: (bytes: Uint8Array, from: LineEnd) => void
  #events: PortEvents | null = null
  #isThere = true

  constructor(name: string, clock: Clock, transmit: (bytes: Uint8Array, from: LineEnd) => void) {
    this.name = name
    this.#clock = clock
    this.#transmit = transmit
  }

  open(events: PortEvents): OpenPort {
    let isOpen = true
    this.#clock.schedule(this.#clock.now() + 1, () => {
      if (!isOpen) return
      if (!this.#isThere) return events.gone(`${this.name} is not there: plug it in`)
      this.#events = events
      events.opened(this.name)
    })
    return {
      write: (bytes) => {
        if (this.#events === events) this.#transmit(bytes.slice(), this)
      },
      close: () => {
        isOpen = false
        if (this.#events === events) this.#events = null
        return Promise.resolve()
      },
    }
  }

  deliver(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#events?.data(bytes)
  }

  unplug(): void {
    this.#isThere = false
    const events = this.#events
    this.#events = null
    events?.gone(`${this.name} was unplugged: plug it in again`)
  }

  plugIn(): void {
    this.#isThere = true
  }
}
