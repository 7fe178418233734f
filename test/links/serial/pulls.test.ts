import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../../runtime/base/random.ts'
import { EmulatedLine } from '../../support/serial-line.ts'
import { GatewayFleet, onLine } from './gateways.ts'

test('a thousand pulls of cable and adapters lose nothing', async () => {
  const fleet = new GatewayFleet(2)
  const line = new EmulatedLine({ clock: fleet.clock, baud: 115_200, bitErrorRate: 1e-5, seed: 7 })
  await fleet.open(0, [onLine(line, 'first', 115_200)])
  await fleet.open(1, [onLine(line, 'second', 115_200)])
  const random = seededRandom(42)
  const draw = (below: number): number => random.uint32() % below
  const pulls: Record<string, () => () => void> = {
    cable: () => {
      line.cut()
      return () => line.heal()
    },
    first: () => unplugged('first'),
    second: () => unplugged('second'),
  }
  const unplugged = (end: string): (() => void) => {
    line.unplug(end)
    return () => line.plugIn(end)
  }
  let changes = 0
  for (let pull = 0; pull < 1000; pull += 1) {
    for (let count = draw(6); count > 0; count -= 1) {
      const writer = draw(2)
      fleet.gateways[writer]?.state.add(`visits/${writer}`, 1)
      fleet.gateways[writer]?.state.set(`point/${draw(50)}`, changes)
      changes += 1
    }
    await fleet.pass(draw(400))
    const heal = (pulls[['cable', 'first', 'second'][draw(3)] ?? ''] ?? assert.fail())()
    await fleet.pass(draw(10) === 0 ? 8000 : draw(300))
    heal()
    if (draw(4) === 0) await fleet.pass(draw(4000))
  }
  await fleet.until(() => fleet.isConverged, 'both hold the same', 120_000)
  const visits = [0, 1].map((writer) => fleet.gateways[0]?.state.get(`visits/${writer}`))
  assert.equal(Number(visits[0]) + Number(visits[1]), changes)
  assert.ok((fleet.gateways[0]?.links()[0]?.counters.reconnects ?? 0) > 100, 'sessions ended and began again')
  assert.deepEqual(
    fleet.gateways.map((gateway) => gateway.alarms()),
    [[], []],
  )
  await fleet.close()
})
