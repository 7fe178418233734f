import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Digest, EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import type { MemberId } from '../../runtime/base/ids.ts'
import { Retirement } from '../../runtime/sync/cut.ts'
import { epochDigest, type Epoch } from '../../runtime/sync/epoch.ts'
import type { Output } from '../../runtime/sync/output.ts'
import type { VersionEntry } from '../../runtime/sync/version-vector.ts'
import { DrivenReplica, founder, SIGNED } from '../support/driven-replica.ts'
import { admit, HandIssuer, life } from '../support/handmade.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

const FLEET = genesisOf(3)
const [A, B, C] = [0, 1, 2].map((index) => founder(FLEET, index)) as [MemberId, MemberId, MemberId]
const RETIRED = life('r')

function entry(seq: number, member: MemberId = RETIRED): VersionEntry {
  return { member, seq, digest: EMPTY_DIGEST }
}

function retirementOf(counting: readonly MemberId[], number = 1): Retirement {
  const retirement = new Retirement()
  const epoch: Epoch = { number, counting, retired: [RETIRED], signature: SIGNED }
  retirement.restore({ epoch, before: 0, frozen: new Map([[RETIRED, entry(2)]]), cuts: null })
  return retirement
}

test('a cut is the highest frozen entry of all who count, and known when each of them has stated it', () => {
  for (const [ofB, ofC, cut] of [
    [1, 5, 5],
    [5, 1, 5],
    [1, 1, 2],
  ] as const) {
    const retirement = retirementOf([A, B, C])
    assert.equal(retirement.computeCuts(A), null)
    retirement.noteStated(B, 1, [entry(ofB)])
    assert.equal(retirement.computeCuts(A), null, 'c has not stated it')
    retirement.noteStated(C, 1, [entry(ofC)])
    assert.equal(retirement.computeCuts(A)?.get(RETIRED)?.seq, cut)
  }
})

test('whoever knows the cuts states nothing less as frozen, so that who forgot what it had frozen comes to the same', () => {
  const retirement = retirementOf([A, B])
  retirement.noteStated(B, 1, [entry(5)])
  assert.deepEqual(retirement.announcedEntries(A), [entry(2)])
  retirement.noteCuts(retirement.computeCuts(A) ?? new Map())
  const stated = retirement.announcedEntries(A) ?? []
  assert.deepEqual(stated, [entry(5)])
  const setBack = retirementOf([A, B])
  setBack.noteStated(A, 1, stated)
  assert.equal(setBack.computeCuts(B)?.get(RETIRED)?.seq, 5)
})

test('what a member froze in another epoch says nothing of this one, and each epoch asks everybody again', () => {
  const retirement = retirementOf([A, B], 2)
  assert.equal(retirement.noteStated(B, 1, [entry(9)]), false)
  assert.deepEqual(retirement.unstated(A), [B])
  assert.equal(retirement.noteStated(B, 2, [entry(3)]), true)
  const epoch: Epoch = { number: 3, counting: [A, B], retired: [RETIRED], signature: SIGNED }
  retirement.begin({ epoch, before: 2, frozen: new Map(), cuts: null })
  assert.deepEqual(retirement.unstated(B), [A, B].slice(0, 1).concat(B).toSorted())
  assert.equal(retirement.bound(RETIRED), 0)
})

/** Member `a`, and two operations of `b` of which it holds the first. */
function holder(): { a: DrivenReplica; ofB: HandIssuer } {
  const a = new DrivenReplica(FLEET, 0)
  a.store()
  const ofB = new HandIssuer(B, 2)
  ofB.issue({ after: ofB.issue({ set: ['x', 1] }), set: ['x', 2] })
  a.giveMessage({ kind: 'batch', batch: ofB.batches[0]! })
  a.store()
  return { a, ofB }
}

function retire(a: DrivenReplica, number: number, counting: MemberId[], retired: MemberId[]): Epoch {
  const epoch: Epoch = { number, counting, retired, signature: SIGNED }
  a.give({ kind: 'epoch', epoch })
  a.store()
  return epoch
}

function announce(a: DrivenReplica, member: MemberId, epoch: Epoch | null, frozen: VersionEntry[] | null): Output[] {
  const number = epoch?.number ?? 0
  const parts = { epoch: number, newestEpoch: number, epochDigest: epochDigest(epoch), frozen, stage: 9 }
  return [...a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, member, parts) })]
}

test('a retired node gives who asks for it what stands of its former life, and nothing beyond', () => {
  for (const [digestAtCut, answered] of [
    [null, [1, 2]],
    ['0123456789abcdef' as Digest, []],
  ] as const) {
    const a = new DrivenReplica(FLEET, 0)
    a.store()
    announce(a, B, null, null)
    for (let count = 1; count <= 3; count++) {
      a.issue(set('x', count))
      a.store()
    }
    const second = a.batchesIn(a.outputs)[1]
    const epoch = retire(a, 1, [B], [A])
    announce(a, B, epoch, [{ member: A, seq: 2, digest: digestAtCut ?? second!.digest }])
    a.store()
    assert.equal(a.inspect().status, 'draft')
    const ask = (about: MemberId): number[] => {
      const gaps = [{ member: about, after: 0, through: 3 }]
      const outputs = a.giveMessage({ kind: 'request', request: { from: B, to: null, gaps } })
      return a.batchesIn([...outputs, ...a.wait(1000)]).map(({ messages }) => messages[0]?.current.id.seq ?? 0)
    }
    assert.deepEqual(
      [ask(A), ask(B)],
      [answered, []],
      'of a double that issued others under the same id nothing stands',
    )
  }
})

test('each epoch freezes at what is held then, also what was frozen lower in the epoch before', () => {
  const { a, ofB } = holder()
  const first = retire(a, 1, [A, C], [B])
  announce(a, C, null, null)
  const ofC = { epoch: 1, newestEpoch: 1, epochDigest: epochDigest(first), knowsCuts: false }
  const frozen = [{ member: B, seq: 2, digest: ofB.batches[1]!.digest }]
  // c counts and speaks of the epoch, but a third member that counts is silent: the cuts stay unknown.
  assert.deepEqual(a.inspect().epoch.waitsFor, [C])
  a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, C, { ...ofC, frozen, stage: 9 }) })
  a.giveMessage({ kind: 'batch', batch: ofB.batches[1]! })
  a.store()
  assert.equal(a.replica.get('x' as never), 2)
  retire(a, 2, [A], [B, C])
  assert.equal(a.replica.get('x' as never), 2, 'c is gone, and what it had shown us stands')
  assert.equal(a.inspect().members.find(({ member }) => member === B)?.cut, 2)
})

test('what is settled and cut nevertheless stays, with an alarm', () => {
  const { a } = holder()
  for (const member of [B, C]) announce(a, member, null, null)
  assert.equal(a.inspect().floor, 1)
  const epoch = retire(a, 1, [C], [B])
  const outputs = announce(a, C, epoch, [])
  const alarms = outputs.flatMap((output) => (output.kind === 'alarm' ? [output.alarm] : []))
  assert.deepEqual(alarms, [{ name: 'cut-below-floor', member: B, seq: 0 }])
  assert.equal(a.replica.settled('x' as never), 1)
})

for (const [what, forged, isPassedOn] of [
  ['with another signature', { signature: new Uint8Array(64) }, true],
  ['that says something else', { retired: [] }, true],
  ['that is the same', {}, false],
] as const)
  test(`an epoch of the same number ${what} ${isPassedOn ? 'keeps nobody' : 'keeps others'} from passing on theirs`, () => {
    const node = new DrivenReplica(FLEET, 2)
    node.store()
    const epoch = { number: 1, counting: [B, C], retired: [A], signature: SIGNED }
    node.give({ kind: 'epoch', epoch })
    node.store()
    const sent = (outputs: readonly Output[]): boolean => node.messagesIn(outputs).some(({ kind }) => kind === 'epoch')
    assert.equal(sent(node.wait(1000)), true)
    node.giveMessage({ kind: 'announcement', announcement: announcementOf(node, B) })
    node.giveMessage({ kind: 'epoch', epoch: { ...epoch, ...forged } })
    assert.equal(sent(node.wait(1000)), isPassedOn)
  })

test('what a retired member announces is not heard', () => {
  const { a } = holder()
  const epoch = retire(a, 1, [A], [B])
  announce(a, B, epoch, null)
  assert.equal(a.inspect().dropped['announcement of a node that is no member'], 1)
  assert.equal(a.inspect().members.find(({ member }) => member === B)?.heardAgoMs, null)
})

test('no alarm for a late operation that would be void: it stands before the join of its member that counts', () => {
  const a = new DrivenReplica(FLEET, 0)
  a.store()
  const [ofC, newcomer] = [new HandIssuer(C, 1), new HandIssuer(life('n', 7), 0)]
  ofC.issue({ after: ofC.issue({ set: ['x', 1] }), join: admit(newcomer.member, 0) })
  newcomer.issue({ set: ['x', 'before its join'] })
  for (const batch of ofC.batches) a.giveMessage({ kind: 'batch', batch })
  a.store()
  for (const member of [B, C, newcomer.member]) announce(a, member, null, null)
  assert.equal(a.inspect().floor, 2)
  const outputs = a.giveMessage({ kind: 'batch', batch: newcomer.batches[0]! })
  assert.deepEqual(
    outputs.filter(({ kind }) => kind === 'alarm'),
    [],
  )
  assert.equal(a.inspect().dropped['operation at or below the floor'], 1)
})

test('the floor that is announced is not above that of an operation of our own that is still to come', () => {
  const { a, ofB } = holder()
  a.issue({ writes: [{ path: 'y' as never, kind: 'set', argument: 1 }], guards: [] }, 60_000)
  for (const member of [B, C]) announce(a, member, null, null)
  assert.equal(a.inspect().floor, 1)
  a.giveMessage({ kind: 'batch', batch: ofB.batches[1]! })
  a.store()
  const floors = (): number[] => {
    announce(a, C, null, null)
    return a.announcementsIn(a.wait(2000)).map(({ floor }) => floor)
  }
  assert.deepEqual([...new Set(floors())], [0], 'the operation says that it was issued at floor 0')
  a.wait(60_000)
  a.store()
  announce(a, B, null, null)
  a.store()
  const later = a.announcementsIn(a.wait(60_000))
  assert.ok(later.length > 0 && later.every(({ floor }) => floor >= 1))
})
