import assert from 'node:assert/strict'
import { test } from 'node:test'
import { statusText } from '../../runtime/cli/status-text.ts'
import { newCounters } from '../../runtime/links/counters.ts'
import { aStatus } from './a-status.ts'

const WAITING = { operations: ['bb.00000000:4', 'bb.00000000:5'], stage: 9, behind: null }

test('fleetstep status says of what waits why it waits, and what was undone last', async () => {
  const text = statusText({
    ...(await aStatus()),
    waitingList: [
      { ...WAITING, reason: 'join', waitsFor: 'bb.00000000:1' },
      { ...WAITING, reason: 'earlier', waitsFor: 'bb.00000000:3' },
    ],
    deferredQueue: [{ ...WAITING, reason: 'previous', waitsFor: 'aa.00000000:7', behind: 'cc.00000000:2' }],
    reexecutions: 12,
    lastUndo: {
      reason: 'late',
      by: ['aa.00000000:1'],
      byCount: 3,
      undone: [{ operation: 'cc.00000000:8', stage: 20, points: ['line1/mode', 'line1/speed', 'n'] }],
      undoneCount: 1,
      togetherCount: 40,
    },
  })
  for (const line of [
    '2 in the list, 1 deferred',
    'bb.00000000:4 waits for the join of bb.00000000',
    'bb.00000000:4 waits for bb.00000000:3 of the same member',
    'bb.00000000:4 waits for aa.00000000:7, which it follows, deferred behind cc.00000000:2',
    '12 operations since the start',
    'last 1, 40 yielded together: aa.00000000:1 and 2 more came late',
    'cc.00000000:8 at line1/mode and 2 other points',
  ]) {
    assert.ok(text.includes(`${line}\n`), `${line}: ${text}`)
  }
})

test('fleetstep status of a gateway where nothing waits and nothing was undone says no more than that', async () => {
  const text = statusText(await aStatus())
  assert.match(text, / 0 in the list, 0 deferred\n/)
  assert.match(text, / 0 operations since the start\nstate/)
})

test('fleetstep status says of the mirror where it is connected, else why it is not, and what it left out', async () => {
  const status = await aStatus()
  assert.doesNotMatch(statusText(status), /mirror/)
  const counters = { ...newCounters(), framesSent: 12, framesReceived: 3 }
  const up = { state: 'up', cause: null, peer: 'mqtt://b:1883', counters } as const
  assert.match(
    statusText({ ...status, mirror: up }),
    /^mirror +connected to mqtt:\/\/b:1883, 12 messages sent, 3 received$/m,
  )
  const cause = 'mqtt://b:1883 did not answer in time: check the broker and the way to it'
  const dropped = { 'over-broker-limit': 2 }
  const text = statusText({
    ...status,
    mirror: { ...up, state: 'connecting', cause, counters: { ...counters, dropped } },
  })
  assert.match(
    text,
    /^mirror +not connected: mqtt:\/\/b:1883 did not answer in time: check the broker and the way to it$/m,
  )
  assert.match(text, /dropped frames, by reason\n +2 +mirror: over-broker-limit$/m)
})
