import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Digest, digestOf, EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { type MemberId, nodeOf, type OperationId } from '../../runtime/base/ids.ts'
import { OFFER_HOLD_MS, SNAPSHOT_SHARED_MS } from '../../runtime/base/limits.ts'
import { belongingsOf } from '../../runtime/sync/adoption.ts'
import { epochDigest, type Epoch } from '../../runtime/sync/epoch.ts'
import { History } from '../../runtime/sync/history.ts'
import { Membership } from '../../runtime/sync/membership.ts'
import type { Announcement, Batch, Message, Offer } from '../../runtime/sync/message.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { decodeFrame, encodeFrame } from '../../runtime/sync/message-codec.ts'
import { Replica } from '../../runtime/sync/replica.ts'
import { maySponsor, refusalOf } from '../../runtime/sync/sponsor.ts'
import { DrivenReplica, founder, SIGNED } from '../support/driven-replica.ts'
import { admit, HandIssuer, life } from '../support/handmade.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

const FLEET = genesisOf(3)
const [A, B, C] = [0, 1, 2].map((index) => founder(FLEET, index)) as [MemberId, MemberId, MemberId]
const N = nodeOf(life('n'))

function requestOf(member: MemberId, epoch = 0): Message {
  return {
    kind: 'join-request',
    request: { member, tier: 0, key: new Uint8Array(), proof: new Uint8Array(), epoch },
  }
}

function offersIn(node: DrivenReplica, outputs: readonly Output[]): Offer[] {
  return node.messagesIn(outputs).flatMap((message) => (message.kind === 'offer' ? [message.offer] : []))
}

function started(index: number, fleet = FLEET): DrivenReplica {
  const node = new DrivenReplica(fleet, index)
  node.store()
  return node
}

test('whoever does not know the cuts, or lacks operations below them, sponsors nobody', () => {
  const history = new History(new Membership(FLEET), 0, EMPTY_DIGEST)
  assert.equal(maySponsor(history), true, 'nobody was ever retired')
  const epoch: Epoch = { number: 1, counting: [A], retired: [C], signature: SIGNED }
  history.retirement.restore({ epoch, before: 0, frozen: new Map(), cuts: null })
  assert.equal(maySponsor(history), false)
  const ofC = new HandIssuer(C, 1)
  ofC.issue({ set: ['x', 1] })
  history.cut(new Map([[C, { member: C, seq: 1, digest: ofC.batches[0]!.digest }]]))
  assert.equal(maySponsor(history), false)
  history.receive(ofC.batches[0]!)
  assert.equal(maySponsor(history), true)
})

test('while the cuts are not known a draft is told for whom the fleet waits, and that member what became of it', () => {
  const a = started(0)
  hear(a, [B, C])
  const joined = life('n', 1)
  const ofB = new HandIssuer(B, 2)
  ofB.issue({ join: admit(joined, 0) })
  a.giveMessage({ kind: 'batch', batch: ofB.batches[0]! })
  a.give({ kind: 'epoch', epoch: { number: 1, counting: [A, joined], retired: [C], signature: SIGNED } })
  a.store()
  const refusalFor = (member: MemberId): string | undefined => {
    a.giveMessage(requestOf(member))
    const messages = a.messagesIn(a.wait(1000))
    assert.ok(messages.every(({ kind }) => kind !== 'offer'))
    return messages.flatMap((message) => (message.kind === 'refusal' ? [message.refusal.reason] : []))[0]
  }
  assert.match(refusalFor(life('k', 7)) ?? '', new RegExp(`before ${joined} has said what it held .* epoch 1`))
  assert.match(refusalFor(joined) ?? '', new RegExp(`waits for ${joined} .* was set back`))
})

test('a member id that was retired is refused for ever, also if it is not in the state', () => {
  const history = new History(new Membership(FLEET), 0, EMPTY_DIGEST)
  const request = { member: life('n', 7), tier: 0, key: new Uint8Array(), proof: new Uint8Array(), epoch: 0 }
  assert.equal(refusalOf(request, history), null)
  const epoch: Epoch = { number: 1, counting: [A], retired: [request.member], signature: SIGNED }
  history.retirement.restore({ epoch, before: 0, frozen: new Map(), cuts: null })
  assert.match(refusalOf(request, history) ?? '', /was retired/)
})

test('of two member ids of one node that were both let in, the first goes on, and the second is refused', () => {
  const [one, two] = [life('n', 1), life('n', 2)] as const
  const [ofA, ofB] = [new HandIssuer(A, 3), new HandIssuer(B, 2)]
  const first = ofA.issue({ join: admit(two, 0) })
  ofA.issue({ after: first, join: admit(one, 0) })
  ofB.issue({ join: admit(one, 0) })
  assertFirst([...ofA.batches], two, one)
  // At one stage, by two sponsors.
  assertFirst([ofA.batches[0]!, ofB.batches[0]!], one, two)
})

function assertFirst(joins: readonly Batch[], first: MemberId, second: MemberId): void {
  const history = new History(new Membership(FLEET), 0, EMPTY_DIGEST)
  for (const batch of joins) history.receive(batch)
  const refusal = (member: MemberId): string | null =>
    refusalOf({ member, tier: 0, key: new Uint8Array(), proof: new Uint8Array(), epoch: 0 }, history)
  assert.equal(refusal(first), null)
  assert.match(refusal(second) ?? '', new RegExp(`is a member already, as ${first}`))
  assert.match(refusal(life('n', 3)) ?? '', /is a member already/)
}

test('a sponsor has everything on its disk that a welcome holds, the first one and a repeated one', () => {
  const a = started(0)
  hear(a, [B, C])
  const newcomer = life('n', 7)
  const ofB = new HandIssuer(B, 2)
  for (const [index, what] of ['the first welcome', 'a repeated one'].entries()) {
    // Until then the one that was offered before is offered again.
    a.wait(OFFER_HOLD_MS)
    a.giveMessage(requestOf(newcomer))
    if (index === 1) a.issue(set('x', 'makes the disk busy'))
    assert.deepEqual(offersIn(a, a.wait(1000)), [], `${what}: the join, or something else, is not on the disk`)
    const record = a.unstored.at(-1)!.number
    ofB.issue({ set: [`y/${index}`, 'comes meanwhile'] })
    a.giveMessage({ kind: 'batch', batch: ofB.batches[index]! })
    assert.deepEqual(offersIn(a, a.give({ kind: 'stored', through: record })), [], `${what}: what came is in it too`)
    assert.equal(offersIn(a, a.store()).length, 1, what)
  }
})

test('whoever asks is offered a snapshot although operations come faster than the disk writes', () => {
  const a = started(0, genesisOf(1))
  const [busy, laggard, newcomer] = ['m', 'n', 'o'].map((letter) => life(letter, 7)) as [MemberId, MemberId, MemberId]
  for (const member of [busy, laggard]) {
    a.issue(set('x', member))
    a.store()
    a.giveMessage(requestOf(member))
    a.wait(1000)
    a.store()
  }
  const { floor: settled, last } = a.inspect()
  assert.ok(settled > 0)
  const ofBusy = new HandIssuer(busy, 0)
  let after: { id: OperationId; stage: number } = { id: { member: A, seq: a.replica.durableSeq }, stage: last.stage }
  const offered = (): string[] => {
    for (let writes = 0; writes < 60; writes++) {
      const through = a.unstored.at(-1)?.number ?? a.lastStored
      after = ofBusy.issue({ after, set: ['y', writes] })
      a.giveMessage({ kind: 'batch', batch: ofBusy.batches.at(-1)! })
      const offers = offersIn(a, [...a.wait(20), ...a.give({ kind: 'stored', through })])
      assert.ok(a.unstored.at(-1)!.number > through, 'something is always on its way')
      if (offers.length > 0) return offers.map(({ to, purpose }) => `${purpose} ${to}`)
    }
    return []
  }
  a.giveMessage(requestOf(newcomer))
  assert.deepEqual(offered(), [`welcome ${newcomer}`])
  a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, laggard, { stage: 0, vector: [] }) })
  const gaps = [{ member: A, after: 0, through: settled }]
  a.giveMessage({ kind: 'request', request: { from: laggard, to: A, gaps } })
  assert.deepEqual(offered(), [`catch-up ${laggard}`])
})

test('who asks again is offered the same welcome although the state has moved on; later it is a new one', () => {
  const a = started(0, genesisOf(1))
  const newcomer = life('n', 7)
  const offered = (): Offer | undefined => {
    a.giveMessage(requestOf(newcomer))
    a.wait(1000)
    a.issue(set('x', a.inspect().journalLength))
    return offersIn(a, a.store())[0]
  }
  const first = offered()
  assert.ok(first)
  assert.equal(offered()?.digest, first.digest)
  a.wait(OFFER_HOLD_MS)
  assert.notEqual(offered()?.digest, first.digest)
})

test('one encoded snapshot serves all who lack what is settled, although operations come all the time', () => {
  const a = started(0, genesisOf(1))
  const newcomers = ['m', 'n', 'o', 'p'].map((letter) => life(letter, 7))
  for (const newcomer of newcomers) {
    a.issue(set('x', 0))
    a.giveMessage(requestOf(newcomer))
    a.wait(1000)
    a.store()
  }
  const [, settled] = [a.wait(OFFER_HOLD_MS), a.inspect().floor]
  assert.ok(settled > 0)
  const offeredTo = (member: MemberId): Digest[] => {
    a.issue(set('x', member))
    a.store()
    a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, member, { stage: 0, vector: [] }) })
    const gaps = [{ member: A, after: 0, through: settled }]
    a.giveMessage({ kind: 'request', request: { from: member, to: A, gaps } })
    const offers = offersIn(a, a.wait(1000)).filter(({ to, purpose }) => to === member && purpose === 'catch-up')
    return offers.map(({ digest }) => digest)
  }
  const [first, second, third, late] = newcomers as [MemberId, MemberId, MemberId, MemberId]
  const [offered] = offeredTo(first)
  assert.ok(offered !== undefined)
  assert.deepEqual([offeredTo(second), offeredTo(third)], [[offered], [offered]])
  a.wait(SNAPSHOT_SHARED_MS)
  const [anew] = offeredTo(late)
  assert.ok(anew !== undefined && anew !== offered, 'what is offered is never older than that')
})

test('who hears that another one has welcomed a draft is silent', () => {
  const a = started(0, genesisOf(1))
  a.giveMessage(requestOf(life('n', 7)))
  const offer: Offer = { to: life('n', 7), from: B, purpose: 'welcome', digest: EMPTY_DIGEST, size: 9 }
  a.giveMessage({ kind: 'offer', offer })
  a.wait(1000)
  assert.equal(a.inspect().journalLength, 0)
})

test('who hears a welcome of the same one again, for a draft that still asks, is not silenced by it', () => {
  const a = started(0, genesisOf(1))
  const offer: Offer = { to: life('n', 7), from: B, purpose: 'welcome', digest: EMPTY_DIGEST, size: 9 }
  for (let time = 0; time < 2; time++) {
    assert.equal(a.inspect().journalLength, 0)
    a.giveMessage(requestOf(life('n', 7)))
    a.giveMessage({ kind: 'offer', offer })
    a.wait(1000)
  }
  assert.equal(a.inspect().journalLength, 1, 'it takes the draft in')
})

/** A draft, and a sponsor that has its welcome ready. */
function welcomed(fleet = genesisOf(1)): { n: DrivenReplica; sponsor: DrivenReplica; offer: Offer } {
  const n = new DrivenReplica(fleet, N)
  n.store()
  const sponsor = started(0, fleet)
  hear(
    sponsor,
    fleet.founders.slice(1).map((_, index) => founder(fleet, index + 1)),
  )
  const [offer] = welcomeOf(sponsor, n)
  assert.ok(offer)
  return { n, sponsor, offer }
}

function welcomeOf(sponsor: DrivenReplica, n: DrivenReplica): Offer[] {
  sponsor.giveMessage(requestOf(n.replica.self))
  return offersIn(sponsor, [...sponsor.wait(1000), ...sponsor.store()])
}

/** Fetches what was offered, and returns what adopting it brings about. */
function fetch(n: DrivenReplica, sponsor: DrivenReplica, offer: Offer): readonly Output[] {
  let outputs = n.giveMessage({ kind: 'offer', offer })
  for (;;) {
    const requests = n.messagesIn(outputs).filter(({ kind }) => kind === 'chunk-request')
    if (requests.length === 0) return n.store()
    outputs = requests.flatMap((request) =>
      sponsor.messagesIn(sponsor.giveMessage(request)).flatMap((chunk) => [...n.giveMessage(chunk)]),
    )
  }
}

test('of several welcomes the first one wins', () => {
  const { n, offer } = welcomed()
  const asked = (outputs: readonly Output[]): Digest[] =>
    n.messagesIn(outputs).flatMap((message) => (message.kind === 'chunk-request' ? [message.request.digest] : []))
  assert.deepEqual(asked(n.giveMessage({ kind: 'offer', offer })), [offer.digest])
  const second = { ...offer, digest: digestOf('another welcome') }
  const outputs = [...n.giveMessage({ kind: 'offer', offer: second }), ...n.wait(3000)]
  assert.deepEqual([...new Set(asked(outputs))], [offer.digest])
})

test('a newcomer to which nothing of a welcome has come takes a newer one: the first may not be kept any more', () => {
  const { n, offer } = welcomed()
  n.giveMessage({ kind: 'offer', offer: { ...offer, digest: digestOf('a welcome that is gone') } })
  n.wait(3000)
  const outputs = [...n.giveMessage({ kind: 'offer', offer }), ...n.wait(1)]
  const asked = n.messagesIn(outputs).find(({ kind }) => kind === 'chunk-request')
  assert.ok(asked?.kind === 'chunk-request')
  assert.equal(asked.request.digest, offer.digest)
})

test('a newcomer is a member when its welcome is on its own disk, and not before', () => {
  const { n, sponsor, offer } = welcomed()
  n.giveMessage({ kind: 'offer', offer })
  const [request] = n.messagesIn(n.outputs).filter(({ kind }) => kind === 'chunk-request')
  assert.ok(request)
  for (const chunk of sponsor.messagesIn(sponsor.giveMessage(request))) n.giveMessage(chunk)
  const parts = n.unstored.length
  assert.ok(parts > 0)
  n.give({ kind: 'stored', through: n.lastStored })
  assert.equal(n.inspect().status, 'draft')
  n.store()
  assert.equal(n.inspect().status, 'member')
})

test('a welcome of a sponsor that does not know the newest epoch is refused', () => {
  const fleet = genesisOf(2)
  const { n, sponsor, offer } = welcomed(fleet)
  const epoch: Epoch = { number: 1, counting: [founder(fleet, 0)], retired: [founder(fleet, 1)], signature: SIGNED }
  n.give({ kind: 'epoch', epoch })
  n.store()
  fetch(n, sponsor, offer)
  assert.equal(n.inspect().status, 'draft')
  assert.ok(Object.keys(n.inspect().dropped).some((reason) => reason.includes('older epoch')))
})

/** The epoch in which `a` is retired and only `counting` counts, which holds nothing of it: all of `a` is cut. */
function cutAll(node: DrivenReplica, retired: MemberId, counting: MemberId): void {
  const epoch: Epoch = { number: 1, counting: [counting], retired: [retired], signature: SIGNED }
  node.give({ kind: 'epoch', epoch })
  node.store()
  const parts: Partial<Announcement> = {
    epoch: 1,
    newestEpoch: 1,
    epochDigest: epochDigest(epoch),
    frozen: [],
    vector: [],
  }
  node.giveMessage({ kind: 'announcement', announcement: announcementOf(node, counting, parts) })
  node.store()
}

test('a node whose adopted join was cut is a draft at once, even if another join of it stands', () => {
  const { n, sponsor, offer } = welcomed(FLEET)
  fetch(n, sponsor, offer)
  const { self } = n.replica
  assert.equal(n.inspect().status, 'member')
  const other = new HandIssuer(B, 2)
  other.issue({ join: admit(self, 0) })
  n.giveMessage({ kind: 'batch', batch: other.batches[0]! })
  n.store()
  cutAll(n, A, B)
  assert.ok(
    n.inspect().members.some(({ member }) => member === self),
    'the other join stands',
  )
  assert.equal(n.inspect().status, 'draft')
  assert.equal(n.inspect().draftReason, 'its join was cut')
})

test('a node whose sponsor was itself taken in by a cut join is a draft too', () => {
  const k = new HandIssuer(life('k', 1), 0)
  const ofA = new HandIssuer(A, 3)
  const join = ofA.issue({ join: admit(k.member, 0) })
  const n = new DrivenReplica(FLEET, N)
  n.store()
  k.issue({ after: join, join: admit(n.replica.self, 0) })
  // b holds both joins and welcomes n again: the join of k is the one that n adopts.
  const b = started(1)
  for (const batch of [...ofA.batches, ...k.batches]) b.giveMessage({ kind: 'batch', batch })
  b.store()
  hear(b, [A, C])
  const [offer] = welcomeOf(b, n)
  assert.ok(offer)
  fetch(n, b, offer)
  assert.equal(n.inspect().status, 'member')
  cutAll(n, A, C)
  assert.equal(n.inspect().draftReason, 'its join was cut')
})

/** Others have been heard, so that the node may speak. */
function hear(node: DrivenReplica, others: readonly MemberId[]): void {
  for (const member of others)
    node.giveMessage({ kind: 'announcement', announcement: announcementOf(node, member, { stage: 0 }) })
}

test('a cut join is passed on as evidence to those who wait for its member, also after a restart from a snapshot', () => {
  const k = new HandIssuer(life('k', 1), 0)
  const ofA = new HandIssuer(A, 3)
  const join = ofA.issue({ join: admit(k.member, 0) })
  k.issue({ after: join, set: ['x', 1] })
  const b = new DrivenReplica(FLEET, 1, undefined, 1)
  b.store()
  for (const batch of [...ofA.batches, ...k.batches]) b.giveMessage({ kind: 'batch', batch })
  b.store()
  cutAll(b, A, C)
  const gaps = [{ member: k.member, after: 0, through: 1 }]
  const answerOf = (node: DrivenReplica): Digest[] => {
    hear(node, [C])
    node.giveMessage({ kind: 'request', request: { from: C, to: null, gaps } })
    return node.batchesIn(node.wait(300)).map(({ digest }) => digest)
  }
  assert.deepEqual(answerOf(b), [ofA.batches[0]!.digest])
  b.give({ kind: 'snapshot-due' })
  b.store()
  assert.ok(b.snapshot)
  const again = new DrivenReplica(FLEET, 1, { snapshot: b.snapshot, records: b.records, last: b.lastStored })
  again.store()
  assert.deepEqual(answerOf(again), [ofA.batches[0]!.digest])
})

test('of a former life what stands before the join that counts comes back: it is void there', () => {
  const [former, now] = [life('n', 7), life('n', 8)]
  const own = new HandIssuer(former, 0)
  const ofB = new HandIssuer(B, 2)
  const ground = ofB.issue({ set: ['ground', 0] })
  own.issue({ after: ground, add: ['n', 1] })
  const join = ofB.issue({ after: ofB.issue({ after: ground, set: ['q', 1] }), join: admit(former, 0) })
  own.issue({ after: join, add: ['n', 10] })
  const [old, fresh] = [0, 1].map(() => {
    const history = new History(new Membership(FLEET), 0, EMPTY_DIGEST)
    for (const batch of [...ofB.batches, ...own.batches]) history.receive(batch)
    return history
  }) as [History, History]
  const holding = {
    life: { member: now, draftReason: 'test', adoptedJoin: null, trusted: null },
    history: old,
    drafts: [],
  }
  assert.deepEqual(
    belongingsOf(holding, fresh).drafts.map(({ current }) => current.original.id),
    [{ member: former, seq: 1 }],
  )
})

test('a welcome that holds operations of the draft itself is not adopted: another life begins', () => {
  const n = new DrivenReplica(genesisOf(1), N)
  n.store()
  const { self } = n.replica
  const a = started(0, genesisOf(1))
  a.giveMessage(requestOf(self))
  a.wait(1000)
  a.store()
  const own = new HandIssuer(self, 0)
  const [join] = a.inspect().journal()
  assert.equal(join?.stage, 1)
  const { current } = a.batchesIn(a.outputs)[0]!.messages[0]!
  own.issue({ after: current, set: ['x', 'before the disk was set back'] })
  a.giveMessage({ kind: 'batch', batch: own.batches[0]! })
  a.store()
  hear(a, [self])
  const [offer] = welcomeOf(a, n)
  assert.ok(offer)
  fetch(n, a, offer)
  assert.equal(n.inspect().status, 'draft')
  assert.notEqual(n.replica.self, self)
})

test('what a later epoch cuts of a former life of this node comes back: it is issued again under its first name', () => {
  const former = new HandIssuer(life('n', 7), 0)
  const ofA = new HandIssuer(A, 3)
  const join = ofA.issue({ join: admit(former.member, 0) })
  former.issue({ after: former.issue({ after: join, add: ['n', 1] }), add: ['n', 10] })
  const b = started(1)
  for (const batch of [...ofA.batches, ...former.batches]) b.giveMessage({ kind: 'batch', batch })
  const first: Epoch = { number: 1, counting: [B], retired: [former.member], signature: SIGNED }
  b.give({ kind: 'epoch', epoch: first })
  b.store()
  hear(b, [A, C])
  const n = new DrivenReplica(FLEET, N)
  n.store()
  const [offer] = welcomeOf(b, n)
  assert.ok(offer)
  fetch(n, b, offer)
  assert.equal(n.replica.get('n' as never), 11)
  const second: Epoch = { ...first, number: 2, counting: [C] }
  n.give({ kind: 'epoch', epoch: second })
  n.store()
  const frozen = [{ member: former.member, seq: 1, digest: former.batches[0]!.digest }]
  const parts: Partial<Announcement> = { epoch: 2, newestEpoch: 2, epochDigest: epochDigest(second), frozen }
  const outputs = n.giveMessage({ kind: 'announcement', announcement: announcementOf(n, C, parts) })
  assert.deepEqual(
    outputs.flatMap((output) => (output.kind === 'draft-settled' ? [output.original] : [])),
    [{ kind: 'operation', id: { member: former.member, seq: 2 } }],
  )
  assert.equal(n.replica.get('n' as never), 11)
})

test('a reason for a refusal that is too long for one line is cut, and still arrives', () => {
  const genesis = genesisOf(1)
  const recovered = { snapshot: null, records: [], last: 0 }
  const self = founder(genesis, 0)
  const reason = 'ä'.repeat(500)
  const judgeJoin = () => ({ kind: 'refused', reason }) as const
  const sponsor = new Replica({ self, genesis, random: seededRandom(1), recovered, judgeJoin })
  sponsor.tick(0)
  sponsor.receive({ kind: 'link-up', link: 'air' }, 0)
  const bytes = encodeFrame(sponsor.fleet, requestOf(life('n', 7)))
  sponsor.receive({ kind: 'frame', link: 'air', bytes }, 0)
  const refusals = sponsor.tick(1000).flatMap((output) => {
    const message = output.kind === 'send' ? decodeFrame(sponsor.fleet, output.frame) : null
    return message?.kind === 'refusal' ? [message.refusal.reason] : []
  })
  assert.equal(refusals.length, 1)
  assert.ok(refusals[0]!.length > 100 && reason.startsWith(refusals[0]!.slice(0, 100)))
})
