import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EmulatedLine } from '../../support/serial-line.ts'
import { memoryHub } from '../../../runtime/links/memory/memory-link.ts'
import type { LinkFactory } from '../../../runtime/gateway/gateway.ts'
import { GatewayFleet, nodeAt, onLine } from './gateways.ts'

const BAUD = 115_200

/** g0 — g1 — g2 — g3 — g4, each dash a serial line. */
async function chainOf(size: number): Promise<{ fleet: GatewayFleet; lines: EmulatedLine[] }> {
  const fleet = new GatewayFleet(size)
  const lines = Array.from(
    { length: size - 1 },
    (_, index) => new EmulatedLine({ clock: fleet.clock, baud: BAUD, seed: index, bitErrorRate: 1e-6 }),
  )
  for (let index = 0; index < size; index += 1) {
    const links: LinkFactory[] = []
    const [west, east] = [lines[index - 1], lines[index]]
    if (west !== undefined) links.push(onLine(west, `g${index} west`, BAUD, 'west'))
    if (east !== undefined) links.push(onLine(east, `g${index} east`, BAUD, 'east'))
    await fleet.open(index, links)
  }
  return { fleet, lines }
}

test('a chain of five gateways over serial lines converges, with changes at every place and a cut in the middle', async () => {
  const { fleet, lines } = await chainOf(5)
  const changeAll = async (round: number): Promise<void> => {
    for (const [index, { state }] of fleet.gateways.entries()) {
      state.set('shared/point', `${index} in ${round}`)
      state.set(`own/${index}`, round)
      state.add('visits', 1)
      await fleet.pass(40)
    }
  }
  await fleet.pass(3000)
  for (let round = 0; round < 10; round += 1) await changeAll(round)
  await fleet.until(() => fleet.isConverged, 'all are equal', 60_000)
  lines[2]?.cut()
  for (let round = 10; round < 20; round += 1) await changeAll(round)
  await fleet.pass(10_000)
  assert.equal(fleet.isConverged, false)
  lines[2]?.heal()
  await fleet.until(() => fleet.isConverged, 'all are equal again', 120_000)
  assert.equal(fleet.gateways[0]?.state.get('visits'), 100)
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((index) => fleet.gateways[4]?.state.get(`own/${index}`)),
    [19, 19, 19, 19, 19],
  )
  await fleet.close()
})

test('a gateway with two links carries both ways, byte for byte, and nothing goes round', async () => {
  const fleet = new GatewayFleet(4)
  const hub = memoryHub({ clock: fleet.clock, delayMs: 2 })
  const line = new EmulatedLine({ clock: fleet.clock, baud: BAUD })
  // g0 and g1 on the network; g1 and g2 on the cable; g3 on the network too.
  const frames = new Map<string, string[]>()
  const witnessed =
    (place: string, factory: LinkFactory): LinkFactory =>
    (context) => {
      const link = factory(context)
      const open = link.open.bind(link)
      link.open = (events) => {
        const frame = events.frame.bind(events)
        events.frame = (bytes) => {
          frames.set(place, [...(frames.get(place) ?? []), Buffer.from(bytes).toString('hex')])
          frame(bytes)
        }
        open(events)
      }
      return link
    }
  await fleet.open(0, [witnessed('g0', () => hub.link(nodeAt(0)))])
  await fleet.open(1, [() => hub.link(nodeAt(1)), onLine(line, 'g1', BAUD)])
  await fleet.open(2, [witnessed('g2', onLine(line, 'g2', BAUD))])
  await fleet.open(3, [witnessed('g3', () => hub.link(nodeAt(3)))])
  await fleet.pass(5000)
  const sent: string[] = []
  for (const [index, { state }] of fleet.gateways.entries()) {
    state.set(`point/${index}`, `from ${index}`)
    sent.push(Buffer.from(`from ${index}`).toString('hex'))
    await fleet.until(() => fleet.isConverged, `the change of g${index} is everywhere`, 5000)
  }
  await fleet.pass(60_000)
  const holding = (place: string, content: string | undefined): string[] =>
    (frames.get(place) ?? []).filter((frame) => content !== undefined && frame.includes(content))
  // What g2 said over the cable reaches the network as one frame, the same for all, and the other way round.
  assert.equal(holding('g0', sent[2]).length, 1)
  assert.deepEqual(holding('g0', sent[2]), holding('g3', sent[2]))
  assert.equal(holding('g2', sent[0]).length, 1)
  assert.deepEqual(holding('g2', sent[0]), holding('g3', sent[0]))
  assert.equal(holding('g2', sent[2]).length, 0, 'nothing comes back to where it came from')
  // Announcements are carried too: the ends know of each other.
  for (const gateway of fleet.gateways)
    for (const { heardAgoMs, isSelf } of gateway.inspect().members)
      assert.ok(isSelf || (heardAgoMs ?? Infinity) < 60_000)
  await fleet.close()
})
