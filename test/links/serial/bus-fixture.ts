import assert from 'node:assert/strict'
import type { NodeId } from '../../../runtime/base/ids.ts'
import { silentLogger } from '../../../runtime/base/logger.ts'
import { seededRandom } from '../../../runtime/base/random.ts'
import { BusStation } from '../../../runtime/links/serial/bus-station.ts'
import { SerialLink } from '../../../runtime/links/serial/serial-link.ts'
import { EmulatedLine, type LineOptions } from '../../support/serial-line.ts'
import { SteppedClock } from '../clocks.ts'
import { FLEET } from './serial-fixture.ts'

/** Whatever a bus does, it does not do more. */
const STEPS_PER_MS_MAX = 100

/** Stations on one pair of wires, in driven time. */
export class BusRig {
  readonly clock: SteppedClock = new SteppedClock()
  readonly line: EmulatedLine
  readonly baud: number

  constructor(options: Partial<LineOptions> = {}) {
    this.baud = options.baud ?? 115_200
    this.line = new EmulatedLine({ sliceMs: 8, ...options, baud: this.baud, clock: this.clock, isShared: true })
  }

  station(node: NodeId, address: number, machine: Machine = new Machine()): SerialLink {
    const random = seededRandom(1000 * address + Number.parseInt(node.slice(-4), 16))
    const where = `station ${address} of ${node}`
    const openPort = this.line.port(where)
    return new SerialLink({
      name: 'bus',
      reach: 'broadcast',
      where,
      openPort: ({ data, ...events }) => openPort({ ...events, data: (bytes) => machine.hear(() => data(bytes)) }),
      machine: new BusStation({ fleet: FLEET, node, address, baud: this.baud, random, where }),
      clock: {
        now: () => this.clock.now(),
        schedule: (at, callback) => this.clock.schedule(at, () => machine.run(callback)),
      },
      random,
      logger: silentLogger,
    })
  }

  until(condition: () => boolean, what: string, withinMs = 300_000): void {
    const end = this.clock.now() + withinMs
    while (!condition()) {
      assert.ok(this.clock.step(), `nothing is left to happen, but not yet: ${what}`)
      assert.ok(this.clock.now() <= end, `${withinMs} ms have passed, but not yet: ${what}`)
    }
  }

  /** @returns how often something happened in that time */
  pass(ms: number): number {
    const end = this.clock.now() + ms
    this.clock.schedule(end, () => undefined)
    let steps = 0
    for (; this.clock.now() < end; steps += 1) {
      assert.ok(steps < STEPS_PER_MS_MAX * ms, 'time goes on')
      this.clock.step()
    }
    return steps
  }
}

/** What a station runs on. */
export class Machine {
  #late: (() => void)[] = []
  #how: 'stood still' | 'heard nothing' | null = null

  /** It stands still as a board does whose card takes its time, and what comes is kept; or what comes is lost. */
  stop(how: 'stood still' | 'heard nothing'): void {
    this.#how = how
  }

  goOn(): void {
    const late = this.#late
    this.#late = []
    this.#how = null
    for (const action of late) action()
  }

  run(action: () => void): void {
    if (this.#how === 'stood still') this.#late.push(action)
    else action()
  }

  hear(action: () => void): void {
    if (this.#how !== 'heard nothing') this.run(action)
  }
}

export function busNode(address: number): NodeId {
  return `03000000000000${address.toString(16).padStart(2, '0')}` as NodeId
}
