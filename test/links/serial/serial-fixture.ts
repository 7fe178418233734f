import assert from 'node:assert/strict'
import type { NodeId } from '../../../runtime/base/ids.ts'
import { silentLogger } from '../../../runtime/base/logger.ts'
import { seededRandom } from '../../../runtime/base/random.ts'
import { PointToPoint } from '../../../runtime/links/serial/point-to-point.ts'
import { SerialLink } from '../../../runtime/links/serial/serial-link.ts'
import { EmulatedLine, type LineOptions } from '../../support/serial-line.ts'
import { SteppedClock } from '../clocks.ts'
import { ALICE, BOB, type LinkHarness } from '../link-acceptance.ts'
import { Witness } from '../witness.ts'

export const FLEET = '00112233445566ff'

/** Alice and Bob at the ends of one line, in driven time. */
export class SerialRig {
  readonly clock: SteppedClock = new SteppedClock()
  readonly line: EmulatedLine
  readonly alice: SerialLink
  readonly bob: SerialLink
  readonly atAlice: Witness = new Witness()
  readonly atBob: Witness = new Witness()
  readonly baud: number

  constructor(options: Partial<LineOptions> & { readonly payload?: number } = {}) {
    this.baud = options.baud ?? 115_200
    this.line = new EmulatedLine({ ...options, baud: this.baud, clock: this.clock })
    this.alice = this.link(ALICE, 'alice', 1, options.payload)
    this.bob = this.link(BOB, 'bob', 2, options.payload)
  }

  link(node: NodeId, name: string, seed: number, payload?: number): SerialLink {
    const random = seededRandom(seed)
    return new SerialLink({
      name: 'serial',
      reach: 'point-to-point',
      where: name,
      openPort: this.line.port(name),
      machine: new PointToPoint({ fleet: FLEET, node, baud: this.baud, payload, random, where: name }),
      clock: this.clock,
      random,
      logger: silentLogger,
    })
  }

  open(): void {
    this.alice.open(this.atAlice)
    this.bob.open(this.atBob)
    this.until(() => this.atAlice.ups === 1 && this.atBob.ups === 1, 'both are up')
  }

  until(condition: () => boolean, what: string, withinMs = 3_600_000): void {
    const end = this.clock.now() + withinMs
    while (!condition()) {
      assert.ok(this.clock.step(), `nothing is left to happen, but not yet: ${what}`)
      assert.ok(this.clock.now() <= end, `${withinMs} ms have passed, but not yet: ${what}`)
    }
  }

  /** Lets `ms` pass. */
  pass(ms: number): void {
    const end = this.clock.now() + ms
    this.clock.schedule(end, () => undefined)
    while (this.clock.now() < end) this.clock.step()
  }
}

/** For the acceptance suite of links: alice and bob on one line. */
export function serialHarness(options: Partial<LineOptions> = {}): LinkHarness {
  const rig = new SerialRig(options)
  return {
    link: (node) => (node === ALICE ? rig.alice : rig.bob),
    async cut() {
      rig.line.cut()
    },
    async heal() {
      rig.line.heal()
    },
    async until(condition, what) {
      rig.until(condition, what)
    },
    async finish(call) {
      const state = { isDone: false }
      const done = call.then(() => {
        state.isDone = true
      })
      for (let turn = 0; !state.isDone && turn < 10_000; turn += 1) {
        await Promise.resolve()
        if (!state.isDone) rig.clock.step()
      }
      await done
    },
    async end() {},
  }
}
