import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FRAME_BYTES_MAX, LINK_QUEUE_FRAMES_MAX } from '../../../runtime/base/limits.ts'
import { seededRandom } from '../../../runtime/base/random.ts'
import { BusStation } from '../../../runtime/links/serial/bus-station.ts'
import { encodeSerialFrame } from '../../../runtime/links/serial/frame.ts'
import type { LineMachine } from '../../../runtime/links/serial/machine.ts'
import { PointToPoint } from '../../../runtime/links/serial/point-to-point.ts'
import { ALICE, BOB, CAROL } from '../link-acceptance.ts'
import { FLEET } from './serial-fixture.ts'

const LINE = { fleet: FLEET, baud: 115_200, where: 'the line' }
const HEADS = [0x80, 0x81, 0x82, 0x90, 0x91, 0x92, 0x94, 0x9d, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xd0, 0xd5, 0xff]

const machines: Readonly<Record<string, (seed: number) => [LineMachine, LineMachine]>> = {
  'a line between two': (seed) => [
    new PointToPoint({ ...LINE, node: ALICE, random: seededRandom(seed) }),
    new PointToPoint({ ...LINE, node: BOB, random: seededRandom(seed + 1000) }),
  ],
  'a bus': (seed) => [
    new BusStation({ ...LINE, node: ALICE, address: 1, random: seededRandom(seed) }),
    new BusStation({ ...LINE, node: BOB, address: 2, random: seededRandom(seed + 1000) }),
  ],
}

/** Frames with a right checksum and senseless content: what a defect, or somebody with a cable, can send. */
describe('well-formed frames of senseless content never crash', () => {
  for (const [name, pair] of Object.entries(machines)) {
    test(`${name}, and what it holds and says stays bounded`, () => {
      for (let seed = 1; seed <= 20; seed += 1) {
        const random = seededRandom(seed)
        const [victim, other] = pair(seed)
        let now = 0
        victim.start(now)
        other.start(now)
        let [up, frames] = [0, 0]
        for (let round = 0; round < 3000; round += 1) {
          now += random.uint32() % 40
          // The other one is there too, so that all states come up.
          victim.tick(now)
          other.tick(now)
          for (const output of other.take()) if (output.kind === 'write') victim.receive(output.bytes, now)
          if (round % 3 === 0) victim.receive(nonsense(random), now)
          victim.send(new Uint8Array(1 + (random.uint32() % 300)), { kind: 'operations' }, now)
          const outputs = victim.take()
          assert.ok(outputs.length < 2 * LINK_QUEUE_FRAMES_MAX)
          for (const output of outputs) {
            if (output.kind === 'up') up += 1
            if (output.kind === 'frame') assert.ok(output.bytes.length > 0 && output.bytes.length <= FRAME_BYTES_MAX)
            if (output.kind === 'frame') frames += 1
            if (output.kind === 'write') other.receive(output.bytes, now)
          }
          for (let turn = 0; turn < 20 && (victim.wakeAt() ?? Infinity) <= now; turn += 1) victim.tick(now)
          assert.ok((victim.wakeAt() ?? Infinity) > now, 'it does not wake for ever at one moment')
        }
        assert.ok(victim.peers.length <= 16 && !victim.peers.includes(CAROL))
        assert.ok(up > 0, `seed ${seed}: the two have met`)
        assert.ok(frames < 3000)
      }
    })
  }
})

function nonsense(random: ReturnType<typeof seededRandom>): Uint8Array {
  const content = Uint8Array.from({ length: 1 + (random.uint32() % 60) }, () => random.uint32() & 0xff)
  content[0] = HEADS[random.uint32() % HEADS.length] ?? 0x80
  // Small numbers are addresses, versions and lengths.
  for (let at = 1; at < Math.min(4, content.length); at += 1)
    if (random.uint32() % 2 === 0) content[at] = random.uint32() % 18
  return encodeSerialFrame(content, true)
}
