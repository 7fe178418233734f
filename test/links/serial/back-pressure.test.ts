import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { seededRandom } from '../../../runtime/base/random.ts'
import { silentLogger } from '../../../runtime/base/logger.ts'
import type { Waiting } from '../../../runtime/links/link.ts'
import { type LineMachine, type LineOutput, newStatistics } from '../../../runtime/links/serial/machine.ts'
import type { PortEvents } from '../../../runtime/links/serial/port-events.ts'
import { SerialLink } from '../../../runtime/links/serial/serial-link.ts'
import { SteppedClock } from '../clocks.ts'
import { Witness } from '../witness.ts'
import { EmulatedLine } from '../../support/serial-line.ts'
import { GatewayFleet, onLine } from './gateways.ts'

describe('a gateway that changes more than a serial line carries one by one', () => {
  for (const { baud, everyMs, changes, withinMs, bytesEach } of [
    { baud: 115_200, everyMs: 1, changes: 3000, withinMs: 1000, bytesEach: 20 },
    { baud: 9600, everyMs: 50, changes: 400, withinMs: 15_000, bytesEach: 120 },
  ]) {
    test(`sends them together: at ${baud} baud the other one has all within ${withinMs} ms`, async (t) => {
      const fleet = new GatewayFleet(2)
      const line = new EmulatedLine({ clock: fleet.clock, baud })
      const first = await fleet.open(0, [onLine(line, 'first', baud)])
      const second = await fleet.open(1, [onLine(line, 'second', baud)])
      first.state.set('before', 1)
      await fleet.until(() => second.state.get('before') === 1, 'both are in step', 60_000)
      for (let index = 0; index < changes; index += 1) {
        first.state.set(`line${index % 10}/point${index % 500}`, index)
        await fleet.pass(everyMs)
      }
      const lateMs = await fleet.until(() => fleet.isConverged, 'the other one has all', withinMs)
      const [link] = first.links()
      const bytes = (link?.counters.bytesSent ?? 0) / changes
      t.diagnostic(`${Math.round(bytes)} bytes each, ${Math.round(lateMs)} ms after the last one`)
      assert.ok(bytes < bytesEach, `${bytes} bytes each`)
      assert.equal(link?.counters.dropped['full'], undefined)
      await fleet.close()
    })
  }
})

test('says that a line may be written to after an answer that was repeated while telemetry was under way', () => {
  let waiting: Waiting = 'nothing'
  const outputs: LineOutput[] = [{ kind: 'up' }]
  const machine: LineMachine = {
    start: () => undefined,
    receive: () => undefined,
    send: () => 'repeated',
    tick: () => undefined,
    stop: () => undefined,
    goodbye: (now) => now,
    take: () => outputs.splice(0),
    wakeAt: () => null,
    hasRoom: true,
    get waiting() {
      return waiting
    },
    isUp: true,
    peers: [],
    statistics: newStatistics(),
  }
  let port: PortEvents | null = null
  const link = new SerialLink({
    name: 'serial',
    reach: 'point-to-point',
    where: 'here',
    openPort: (events) => {
      port = events
      return { write: () => undefined, close: () => Promise.resolve() }
    },
    machine,
    clock: new SteppedClock(),
    random: seededRandom(1),
    logger: silentLogger,
  })
  const witness = new Witness()
  link.open(witness)
  const events = port as PortEvents | null
  events?.opened('here')
  assert.equal(witness.ups, 1)
  // A reading that is longer than a frame has begun to go.
  waiting = 'answers'
  assert.equal(link.send(new Uint8Array(10), { kind: 'answers' }), true)
  assert.equal(link.waiting, 'answers', 'whoever looks holds back')
  waiting = 'nothing'
  events?.data(new Uint8Array(1))
  assert.equal(witness.writables, 1)
})
