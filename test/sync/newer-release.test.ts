import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { genesisOf } from '../support/replica-network.ts'

const FLEET = genesisOf(3)

describe('a frame of a later release', () => {
  for (const [what, change, reason] of [
    [
      'of a later version',
      (frame: Uint8Array) => frame.with(1, 2),
      'version is not 1: a node here runs another release',
    ],
    ['of a kind that is not known', (frame: Uint8Array) => frame.with(11, 23), 'kind is not known to this version'],
  ] as const) {
    test(`${what} is dropped and counted, and people are told once`, () => {
      const victim = new DrivenReplica(FLEET, 2)
      const frame = change(refusalFrame(victim))
      assert.deepEqual(victim.giveFrame(frame), [{ kind: 'alarm', alarm: { name: 'newer-release', reason } }])
      assert.deepEqual(victim.giveFrame(frame), [])
      assert.equal(victim.inspect().dropped[reason], 2)
    })
  }

  test('of another fleet is nothing that people need to know', () => {
    const victim = new DrivenReplica(FLEET, 2)
    const frame = refusalFrame(victim).with(1, 2)
    frame[5]! ^= 1
    assert.deepEqual(victim.giveFrame(frame), [])
  })
})

/** [version, fleet of 8 bytes, kind, body]: version at 1, fleet from 3, kind at 11. */
function refusalFrame({ replica }: DrivenReplica): Uint8Array {
  const [from, to] = [founder(FLEET, 0), founder(FLEET, 1)]
  return Uint8Array.from(encodeFrame(replica.fleet, { kind: 'refusal', refusal: { to, from, reason: 'no' } }))
}
