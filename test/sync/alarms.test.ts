import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { ALARM_CAUSES_MAX } from '../../runtime/base/limits.ts'
import { Alarms } from '../../runtime/sync/alarms.ts'
import { life } from '../support/handmade.ts'

test('an alarm is raised once for one cause and evidence, and for new evidence the second, fourth, eighth time', () => {
  const alarms = new Alarms()
  const raised: number[] = []
  for (let floor = 1; floor <= 40; floor++) {
    for (let again = 0; again < 3; again++)
      if (alarms.raise({ name: 'divergence', member: life('a'), floor }).length > 0) raised.push(floor)
  }
  assert.deepEqual(raised, [1, 2, 4, 8, 16, 32])
})

test('an alarm of another member, or of another kind, has a cause of its own', () => {
  const alarms = new Alarms()
  const evidence = { seq: 1, digests: [EMPTY_DIGEST, EMPTY_DIGEST] } as const
  assert.equal(alarms.raise({ name: 'identity-used-twice', member: life('a'), ...evidence }).length, 1)
  assert.equal(alarms.raise({ name: 'identity-used-twice', member: life('b'), ...evidence }).length, 1)
  assert.equal(alarms.raise({ name: 'late-operation', member: life('a'), seq: 1 }).length, 1)
  assert.equal(alarms.raise({ name: 'epoch-conflict', number: 1 }).length, 1)
})

test('the causes that are remembered are bounded; the oldest is forgotten, and raised again when it is met', () => {
  const alarms = new Alarms()
  for (let nonce = 0; nonce <= ALARM_CAUSES_MAX; nonce++)
    alarms.raise({ name: 'late-operation', member: life('a', nonce), seq: 1 })
  assert.equal(alarms.raise({ name: 'late-operation', member: life('a', 0), seq: 1 }).length, 1)
  assert.equal(alarms.raise({ name: 'late-operation', member: life('a', 9), seq: 1 }).length, 0)
})
