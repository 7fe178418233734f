import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isRecord } from '../../runtime/gateway/control-protocol.ts'
import { isOfForm } from '../../runtime/cli/answer-form.ts'
import { epochStatusText, membersText } from '../../runtime/cli/fleet-text.ts'
import { statusSchema } from '../../runtime/cli/status-schema.ts'
import { statusText } from '../../runtime/cli/status-text.ts'
import { newCounters } from '../../runtime/links/counters.ts'
import { aStatus } from './a-status.ts'

test('what is read of a status is asked of it, so that no other form is told as a bug or as "undefined"', async () => {
  const whole = await fullStatus()
  assert.ok(isOfForm(statusSchema, whole))
  assert.doesNotMatch(textOf(whole), NOT_TEXT)
  const wrong = [...mutants(whole)]
  assert.ok(wrong.length > 300, `${wrong.length}`)
  const refused = wrong.filter(({ status }) => !isOfForm(statusSchema, status))
  assert.ok(refused.length > 200, `${refused.length}`)
  for (const { what, status } of wrong)
    if (isOfForm(statusSchema, status)) assert.doesNotMatch(textOf(status), NOT_TEXT, what)
})

const NOT_TEXT = /undefined|NaN|\[object|function/

function textOf(status: Parameters<typeof statusText>[0]): string {
  return `${statusText(status)}\n${membersText(status)}\n${epochStatusText(status.epoch)}`
}

/** Everywhere something is missing, null, or of another kind. */
function* mutants(
  whole: unknown,
  put: (part: unknown) => unknown = (part) => part,
  at = '',
): Generator<{ what: string; status: unknown }> {
  for (const part of [undefined, null, 7, 'seven', {}, [{}]])
    yield { what: `${at} = ${JSON.stringify(part)}`, status: put(part) }
  if (Array.isArray(whole))
    for (const [index, item] of whole.entries())
      yield* mutants(item, (part) => put(whole.with(index, part)), `${at}[${index}]`)
  else if (isRecord(whole))
    for (const [key, item] of Object.entries(whole))
      yield* mutants(item, (part) => put({ ...whole, [key]: part }), `${at}.${key}`)
}

/** A status in which nothing is empty or null that has something to say, as it comes over the socket. */
async function fullStatus(): Promise<unknown> {
  const status = await aStatus()
  const waiting = { operations: ['b:4'], stage: 9, reason: 'join', waitsFor: 'b:1', behind: 'c:2' }
  const link = {
    state: 'closed',
    cause: 'no answer',
    peer: 'mqtt://b:1',
    counters: { ...newCounters(), dropped: { late: 2 } },
  }
  return JSON.parse(
    JSON.stringify({
      ...status,
      status: 'draft',
      draftReason: 'no member',
      refusal: 'no place',
      floor: -1,
      floorHold: { member: status.members[1]?.member, reason: 'its stage' },
      last: { operation: 'a:1', stage: 1 },
      waitingList: [waiting],
      deferredQueue: [waiting],
      lastUndo: {
        reason: 'late',
        by: ['a:1'],
        byCount: 3,
        undone: [{ operation: 'c:8', stage: 20, points: ['n', 'm'] }],
        undoneCount: 1,
        togetherCount: 40,
      },
      conflicts: 1,
      conflictsForgotten: 1,
      telemetry: { own: 1, others: 2, stale: 1 },
      storage: { ...status.storage, lifetime: { bytes: 5, ms: 5 }, bytesPerDay: 3, cardLifeYears: 4 },
      profile: { file: 'p', name: 'p', hash: 'h', problem: 'bad', fleet: { kind: 'refused', reason: 'no' } },
      profileOffers: 1,
      mirror: link,
      links: [{ ...link, name: 'l', isOpen: true }],
      online: status.members.map(({ member }) => member.slice(0, 16)),
      candidates: [{ member: 'd.00000000', tier: 1, role: 'gateway', key: '', refusal: 'no' }],
      members: status.members.map((member) => ({
        ...member,
        isRetired: true,
        cut: 4,
        token: 't',
        heardAgoMs: 5000,
        stage: 1,
        floor: 1,
      })),
      epoch: {
        ...status.epoch,
        number: 1,
        counting: ['a'],
        retired: ['b'],
        waitsFor: ['c'],
        revoked: ['d'],
        admitted: ['e'],
      },
      dropped: { late: 1 },
      alarms: [{ name: 'a', message: 'm' }],
    }),
  )
}
