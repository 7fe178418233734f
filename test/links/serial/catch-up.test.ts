import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { seededRandom } from '../../../runtime/base/random.ts'
import { EmulatedLine } from '../../support/serial-line.ts'
import { LineLoad, LoadedEnd } from '../../support/line-load.ts'
import { GatewayFleet, onLine } from './gateways.ts'
import { SerialRig } from './serial-fixture.ts'

const OPERATIONS = 10_000

/** A fleet of two of which the first has changed much while there was no cable. */
async function started(baud: number): Promise<{ fleet: GatewayFleet; line: EmulatedLine }> {
  const fleet = new GatewayFleet(2)
  const line = new EmulatedLine({ clock: fleet.clock, baud })
  line.cut()
  await fleet.open(0, [onLine(line, 'first', baud)])
  await fleet.open(1, [onLine(line, 'second', baud)])
  const [first] = fleet.gateways
  // What is sent is packed, and this cannot be.
  const random = seededRandom(1)
  for (let index = 0; index < OPERATIONS; index += 1) {
    const value = [random.uint32(), random.uint32(), random.uint32(), random.uint32()].join(' ')
    first?.state.set(`line${index % 20}/pump${index % 7}/note`, value)
    if (index % 500 === 0) await fleet.pass(1)
  }
  await fleet.until(() => first?.storage().pendingOperations === 0, 'all is on the disk', 10_000)
  line.heal()
  return { fleet, line }
}

function heldOfFirst(fleet: GatewayFleet): number {
  const member = fleet.gateways[0]?.inspect().self
  return fleet.gateways[1]?.inspect().members.find((line) => line.member === member)?.heldSeq ?? 0
}

describe('while 10,000 operations are caught up with over a serial line,', () => {
  for (const [baud, withinMs] of [
    [115_200, 100],
    [9600, 700],
  ] as const) {
    test(`a change is seen on the other side within ${withinMs} ms at ${baud} baud`, async () => {
      const { fleet } = await started(baud)
      const [first, second] = fleet.gateways
      await fleet.until(() => heldOfFirst(fleet) > 20, 'the catch-up runs', 30_000)
      const delays: number[] = []
      for (let round = 0; round < 40; round += 1) {
        await fleet.pass(317 + 13 * (round % 10))
        // Behind the gap it is held back by the protocol, but what the second one changes has no gap.
        second?.state.set('hall/lamp', round)
        delays.push(await fleet.until(() => first?.state.get('hall/lamp') === round, 'the change is seen', 10_000))
      }
      assert.ok(heldOfFirst(fleet) < OPERATIONS, 'the catch-up still runs')
      assert.ok(Math.max(...delays) < withinMs, `the slowest took ${Math.max(...delays)} ms`)
      await fleet.close()
    })

    test(`a frame that is new overtakes the answers in front of it within ${withinMs} ms at ${baud} baud`, () => {
      const rig = new SerialRig({ baud })
      const [alice, bob] = [new LoadedEnd(), new LoadedEnd()]
      const load = new LineLoad(rig.alice, 1, 32_768, { kind: 'answers' })
      alice.out = load
      bob.into = load
      const seen: number[] = []
      bob.onFrame = (frame) => {
        if (frame[0] === 0) return false
        seen.push(rig.clock.now())
        return true
      }
      rig.alice.open(alice)
      rig.bob.open(bob)
      rig.until(() => load.frames > 0, 'the answers flow')
      const delays: number[] = []
      for (let round = 1; round <= 200; round += 1) {
        rig.pass(731 + 7 * (round % 20))
        const sentAt = rig.clock.now()
        // An announcement is in front of it half of the time.
        if (round % 2 === 0) rig.alice.send(new Uint8Array(90).fill(1), { kind: 'announcements' })
        assert.equal(rig.alice.send(new Uint8Array(130).fill(2), { kind: 'operations' }), true)
        const before = seen.length
        rig.until(() => seen.length === before + (round % 2 === 0 ? 2 : 1), 'it is seen')
        delays.push(rig.clock.now() - sentAt)
      }
      assert.equal(load.wrong, 0)
      assert.ok(Math.max(...delays) < withinMs, `the slowest took ${Math.max(...delays)} ms`)
      const capacity = (rig.clock.now() * baud) / 10_000
      assert.ok(load.bytes > 0.7 * capacity, 'and the answers filled the rest of the line')
    })

    test(`telemetry waits for all else at ${baud} baud, and only so much of it`, () => {
      const rig = new SerialRig({ baud })
      const [alice, bob] = [new LoadedEnd(), new LoadedEnd()]
      const seen: (number | undefined)[] = []
      bob.onFrame = (frame) => seen.push(frame[0]) > 0
      rig.alice.open(alice)
      rig.bob.open(bob)
      rig.until(() => alice.isUp && bob.isUp, 'both are up')
      rig.alice.send(new Uint8Array(4000).fill(1), { kind: 'operations' })
      let taken = 0
      while (rig.alice.send(new Uint8Array(1000).fill(9), { kind: 'telemetry' })) taken += 1
      rig.pass(100)
      rig.alice.send(new Uint8Array(2000).fill(2), { kind: 'answers' })
      rig.alice.send(new Uint8Array(2000).fill(3), { kind: 'operations' })
      rig.until(() => seen.length === taken + 3, 'all have come')
      assert.deepEqual(new Set(seen.slice(0, 3)), new Set([1, 2, 3]))
      assert.ok(seen.slice(3).every((first) => first === 9))
      const lineMs = (taken * 1000 * 10_000) / baud
      assert.ok(taken > 0 && lineMs <= 2100, `${taken} messages, ${lineMs} ms of the line`)
      assert.equal(rig.alice.status().counters.dropped['full'], 1, 'and what has no place is counted')
    })
  }
})

test('a catch-up over a serial line that is pulled resumes without starting again', async () => {
  const uninterruptedBytes = await bytesOfCatchUp()
  const { fleet, line } = await started(115_200)
  const [, second] = fleet.gateways
  assert.ok(second !== undefined)
  const held: number[] = []
  for (const pull of ['cable', 'adapter', 'cable'] as const) {
    const before = heldOfFirst(fleet)
    await fleet.until(() => heldOfFirst(fleet) > before + 1500, 'there is progress', 60_000)
    if (pull === 'cable') line.cut()
    else line.unplug('second')
    await fleet.until(() => second.links()[0]?.state !== 'up', 'the pull is noticed', 20_000)
    held.push(heldOfFirst(fleet))
    if (pull === 'cable') line.heal()
    else line.plugIn('second')
  }
  await fleet.until(() => heldOfFirst(fleet) === OPERATIONS, 'all is there', 120_000)
  await fleet.until(() => fleet.isConverged, 'both are equal', 60_000)
  assert.deepEqual(
    held.toSorted((left, right) => left - right),
    held,
  )
  const { counters } = second.links()[0] ?? assert.fail()
  assert.equal(counters.reconnects, 3)
  // What was under way may come twice; a fresh start each time would be almost twice as much.
  assert.ok(counters.bytesReceived < 1.1 * uninterruptedBytes, `${counters.bytesReceived} bytes arrived`)
  await fleet.close()
})

/** Bytes of frames that the whole catch-up takes on a line that nobody pulls. */
async function bytesOfCatchUp(): Promise<number> {
  const { fleet } = await started(115_200)
  await fleet.until(() => heldOfFirst(fleet) === OPERATIONS, 'all is there', 120_000)
  const bytes = fleet.gateways[1]?.links()[0]?.counters.bytesReceived ?? 0
  await fleet.close()
  return bytes
}
