import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
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
