import assert from 'node:assert/strict'
import type { NodeId } from '../../../runtime/base/ids.ts'
import { silentLogger } from '../../../runtime/base/logger.ts'
import { seededRandom } from '../../../runtime/base/random.ts'
import { type Gateway, type LinkFactory, openGateway } from '../../../runtime/gateway/gateway.ts'
import { PointToPoint } from '../../../runtime/links/serial/point-to-point.ts'
import { SerialLink } from '../../../runtime/links/serial/serial-link.ts'
import { MemoryStore } from '../../../runtime/storage/memory-store.ts'
import type { Genesis } from '../../../runtime/sync/membership.ts'
import type { EmulatedLine } from '../../support/serial-line.ts'
import { SteppedClock } from '../clocks.ts'

/** Whole gateways in driven time: only their disks, lines and clock are not real. */
export class GatewayFleet {
  readonly clock: SteppedClock = new SteppedClock()
  readonly gateways: Gateway[] = []
  readonly #genesis: Genesis

  constructor(size: number) {
    this.#genesis = {
      name: 'lines',
      founders: Array.from({ length: size }, (_, index) => ({ node: nodeAt(index), tier: 0 })),
    }
  }

  async open(index: number, links: readonly LinkFactory[]): Promise<Gateway> {
    const gateway = await openGateway({
      fleet: this.#genesis,
      node: nodeAt(index),
      device: `g${index}`,
      storage: new MemoryStore(),
      links,
      clock: this.clock,
      random: seededRandom(100 + index),
    })
    this.gateways[index] = gateway
    return gateway
  }

  /** Each step of the clock is carried through to the disks before the next one. */
  async until(condition: () => boolean, what: string, withinMs: number): Promise<number> {
    const start = this.clock.now()
    while (!condition()) {
      assert.ok(this.clock.step(), `nothing is left to happen, but not yet: ${what}`)
      await settled()
      assert.ok(this.clock.now() <= start + withinMs, `${withinMs} ms have passed, but not yet: ${what}`)
    }
    return this.clock.now() - start
  }

  async pass(ms: number): Promise<void> {
    const end = this.clock.now() + ms
    this.clock.schedule(end, () => undefined)
    while (this.clock.now() < end) {
      this.clock.step()
      await settled()
    }
  }

  /** All hold the same operations, on their disks, and the same state. */
  get isConverged(): boolean {
    const [first, ...others] = this.gateways.map((gateway) => JSON.stringify(gateway.inspect().vector))
    if (others.some((other) => other !== first)) return false
    const states = this.gateways.map(({ state }) => JSON.stringify(state.entries()))
    return states.every((state) => state === states[0])
  }

  async close(): Promise<void> {
    const closing = { isDone: false }
    const closed = Promise.all(this.gateways.map(async (gateway) => await gateway.close())).then(() => {
      closing.isDone = true
    })
    for (let turn = 0; !closing.isDone && turn < 10_000; turn += 1) {
      this.clock.step()
      await settled()
    }
    await closed
  }
}

/** A serial link on one end of an emulated line. */
export function onLine(line: EmulatedLine, end: string, baud: number, name: string = 'serial'): LinkFactory {
  return ({ fleet, node, clock, random }) =>
    new SerialLink({
      name,
      reach: 'point-to-point',
      where: end,
      openPort: line.port(end),
      machine: new PointToPoint({ fleet, node, baud, random, where: end }),
      clock,
      random,
      logger: silentLogger,
    })
}

export function nodeAt(index: number): NodeId {
  return `02000000000000${(index + 1).toString(16).padStart(2, '0')}` as NodeId
}

/** Promises of the disks in memory have been carried out. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
