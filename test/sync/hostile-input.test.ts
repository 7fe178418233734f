import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decode as decodeWithCborg } from 'cborg'
import { fromHex } from '../../runtime/base/bytes.ts'
import { type CborData, decodeCbor } from '../../runtime/base/cbor.ts'
import { CborReader } from '../../runtime/base/cbor-reader.ts'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { type MemberId, memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import {
  FRAME_BYTES_MAX,
  FRAME_DEPTH_MAX,
  OPERATIONS_PER_BATCH_MAX,
  WAITING_STRANGERS_MESSAGES_MAX,
} from '../../runtime/base/limits.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { pathsOf, type Write } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import type { Value } from '../../runtime/state/value.ts'
import { priorityOf } from '../../runtime/state/priority.ts'
import type { DeviceRules } from '../../runtime/state/rules/rules.ts'
import { sealBatch } from '../../runtime/sync/batch-codec.ts'
import type { Batch, Message, Previous, Reading, StatedQuality, SyncMessage } from '../../runtime/sync/message.ts'
import { decodeFrame, encodeFrame } from '../../runtime/sync/message-codec.ts'
import { rulesRequest } from '../../runtime/sync/standing-rules.ts'
import { vectorDigest, versionVector } from '../../runtime/sync/version-vector.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { genesisOf, set, stateOf } from '../support/replica-network.ts'
import { isFrame } from './frame-grammar.ts'
import { framesLike, mutate } from './hostile-frames.ts'

const FLEET = genesisOf(3)
const SEED = Number(process.env['FLEETSTEP_SEED'] ?? 20_261)
const ROUNDS = 10_000
const GENESIS: Previous = { id: null, stage: 0 }

describe('hostile input', () => {
  test('random bytes change nothing, and each is counted', () => {
    const victim = newVictim()
    const random = seededRandom(SEED)
    const before = pictureOf(victim)
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = Uint8Array.from({ length: random.uint32() % 200 }, () => random.uint32() & 0xff)
      expectDropped(victim, bytes, `round ${round} of seed ${SEED}`)
    }
    assert.equal(pictureOf(victim), before)
    assert.ok(dropsOf(victim) >= ROUNDS)
    expectReadableReasons(victim)
  })

  test('damaged frames are dropped whole, or taken as the other valid frame that they then are', () => {
    const random = seededRandom(SEED)
    const frames = realFrames()
    let victim = newVictim()
    let before = pictureOf(victim)
    let valid = 0
    for (let round = 0; round < ROUNDS; round++) {
      const original = frames[random.uint32() % frames.length] as Uint8Array
      const bytes = mutate(original, frames[random.uint32() % frames.length] as Uint8Array, random)
      const where = `round ${round} of seed ${SEED}: ${Buffer.from(bytes).toString('hex').slice(0, 400)}`
      const message = messageIn(victim, bytes)
      if (message === null) {
        expectDropped(victim, bytes, where)
        assert.equal(pictureOf(victim), before, where)
        continue
      }
      valid += 1
      expectTakenByTheRules(victim, message, bytes, where)
      victim = newVictim()
      before = pictureOf(victim)
    }
    assert.ok(valid > 50 && valid < ROUNDS / 2, `${valid} of ${ROUNDS} were valid`)
  })

  test('a frame with one wrong field is dropped; what is accepted is what the grammar allows', () => {
    const fleet = fromHex(newVictim().replica.fleet)
    const seen = { accepted: 0, dropped: 0 }
    for (const original of realFrames().slice(0, 13)) {
      const frame = decodeCbor(original, FRAME_DEPTH_MAX) as readonly CborData[]
      const body = frame[3] as CborData
      const batch = body instanceof Uint8Array ? new CborReader(body).value('batch', FRAME_DEPTH_MAX) : null
      let victim = newVictim()
      const before = pictureOf(victim)
      for (const bytes of framesLike(frame, batch)) {
        const where = Buffer.from(bytes).toString('hex').slice(0, 400)
        if (bytes.length <= FRAME_BYTES_MAX && isFrame(decodeWithCborg(bytes, { allowBigInt: true }), fleet)) {
          const message = messageIn(victim, bytes)
          assert.ok(message, `the grammar allows it: ${where}`)
          expectTakenByTheRules(victim, message, bytes, where)
          victim = newVictim()
          seen.accepted += 1
        } else {
          expectDropped(victim, bytes, where)
          seen.dropped += 1
        }
      }
      const rested = newVictim()
      assert.equal(pictureOf(rested), before)
    }
    assert.ok(seen.accepted > 100 && seen.dropped > 3000, JSON.stringify(seen))
  })

  test('a stage out of reach takes no memory and no time', () => {
    const victim = newVictim()
    const [origin, first] = [founder(FLEET, 1), heldOf(victim, 1)]
    for (const stage of [1e6, 1e9, Number.MAX_SAFE_INTEGER]) {
      const previous = { id: { member: founder(FLEET, 0), seq: 1 }, stage: stage - 1 }
      const batch = sealBatch(origin, first.digest, [messageAt(origin, first.seq + 1, previous)])
      victim.giveMessage({ kind: 'batch', batch })
      assert.ok(victim.inspect().last.stage < 100, 'it names a previous operation that has another stage')
    }
    assert.equal(dropsOf(victim), 3)
  })

  test('a stage out of reach is refused also behind an operation that is folded', () => {
    const victim = newVictim()
    foldEverything(victim)
    assert.equal(victim.inspect().journalLength, 0)
    const [origin, first] = [founder(FLEET, 1), heldOf(victim, 1)]
    const previous = { id: { member: founder(FLEET, 0), seq: 1 }, stage: 50_000_000 }
    const batch = sealBatch(origin, first.digest, [messageAt(origin, first.seq + 1, previous)])
    victim.giveMessage({ kind: 'batch', batch })
    assert.equal(victim.inspect().journalLength, 0)
    assert.equal(dropsOf(victim), 1)
  })

  test('a frame that is larger than any link carries is dropped, also if it is valid', () => {
    const victim = newVictim()
    const origin = founder(FLEET, 1)
    const large: Write = { path: 'y' as Path, kind: 'set', argument: noise(16_000), replaces: null }
    const messages = [1, 2, 3, 4, 5].map((seq) => {
      const { current, previous } = messageAt(
        origin,
        seq,
        seq === 1 ? GENESIS : { id: { member: origin, seq: seq - 1 }, stage: seq - 1 },
      )
      return { current: { ...current, writes: [large] }, previous }
    })
    const frameOf = (count: number): Uint8Array => {
      const batch = sealBatch(origin, EMPTY_DIGEST, messages.slice(0, count))
      return encodeFrame(victim.replica.fleet, { kind: 'batch', batch })
    }
    assert.ok(messageIn(victim, frameOf(4)))
    expectDropped(victim, frameOf(5), 'five operations of 16 KB')
  })

  test('a second life that had to wait is named when its place comes', () => {
    const victim = newVictim()
    const [, missing] = realBatches()
    assert.ok(missing)
    const stranger = sealBatch(missing.origin, EMPTY_DIGEST.replace('0', '1') as typeof EMPTY_DIGEST, [
      messageAt(missing.origin, 2, GENESIS),
    ])
    victim.giveMessage({ kind: 'batch', batch: stranger })
    assert.equal(dropsOf(victim), 0)
    const outputs = victim.giveMessage({ kind: 'batch', batch: missing })
    assert.deepEqual(
      outputs.flatMap((output) => (output.kind === 'alarm' ? [output.alarm.name] : [])),
      ['identity-used-twice'],
    )
    assert.equal(dropsOf(victim), 1)
  })

  test('strangers fill their part of the waiting list, and members still get through and may wait', () => {
    const victim = newVictim()
    for (let index = 0; index < 20; index++) {
      const stranger = memberIdOf('ee00000000000000' as NodeId, index)
      const messages = Array.from({ length: OPERATIONS_PER_BATCH_MAX }, (_, at) => {
        return messageAt(stranger, at + 1, at === 0 ? GENESIS : { id: { member: stranger, seq: at }, stage: at })
      })
      victim.giveMessage({ kind: 'batch', batch: sealBatch(stranger, EMPTY_DIGEST, messages) })
    }
    const { waitingList, deferredQueue, dropped } = victim.inspect()
    const waiting = [...waitingList, ...deferredQueue].reduce((sum, { operations }) => sum + operations.length, 0)
    assert.ok(waiting <= WAITING_STRANGERS_MESSAGES_MAX + 8, `${waiting} wait`)
    assert.ok(waiting > WAITING_STRANGERS_MESSAGES_MAX - OPERATIONS_PER_BATCH_MAX)
    assert.equal(dropped['too many operations wait for joins that are not known'], 16)
    const first = heldOf(victim, 0)
    const origin = founder(FLEET, 0)
    const batch = sealBatch(origin, first.digest, [messageAt(origin, first.seq + 1, GENESIS)])
    const outputs = victim.giveMessage({ kind: 'batch', batch })
    assert.ok(outputs.some(({ kind }) => kind === 'integrated'))
    const lines = (): number => victim.inspect().waitingList.length + victim.inspect().deferredQueue.length
    const before = lines()
    const { digest } = heldOf(victim, 0)
    const follower = sealBatch(origin, digest, [
      messageAt(origin, first.seq + 3, { id: { member: origin, seq: first.seq + 2 }, stage: 2 }),
    ])
    victim.giveMessage({ kind: 'batch', batch: follower })
    assert.equal(lines(), before + 1, 'it waits')
  })

  test('an announcement whose vector is not the one of its digest is dropped whole', () => {
    const victim = newVictim()
    const before = pictureOf(victim)
    const member = founder(FLEET, 0)
    const position = { stage: 9, ownSeq: 9, floor: 0, floorDigest: EMPTY_DIGEST }
    const statement = { member, start: 1, number: 1, ...EPOCH_0, ...position }
    const vector = [{ member, seq: 9, digest: EMPTY_DIGEST }]
    const announcement = { ...statement, vectorDigest: vectorDigest(versionVector([])), vector }
    assert.deepEqual(victim.giveMessage({ kind: 'announcement', announcement }), [])
    assert.equal(pictureOf(victim), before)
    assert.equal(victim.inspect().dropped['announcement whose vector is not the one of its digest'], 1)
  })

  test('requests for what nobody has are answered with nothing', () => {
    const victim = newVictim()
    const before = pictureOf(victim)
    const gaps = Array.from({ length: 1500 }, (_, nonce) => {
      return { member: memberIdOf('ee00000000000000' as NodeId, nonce), after: 0, through: Number.MAX_SAFE_INTEGER }
    })
    for (let index = 0; index < 20; index++) {
      victim.giveMessage({ kind: 'request', request: { from: gaps[index]!.member, to: null, gaps } })
    }
    assert.deepEqual(victim.batchesIn(victim.wait(500)), [])
    assert.equal(pictureOf(victim), before)
  })
})

/** A replica of the third member that holds an operation, while others wait for one that is missing. */
function newVictim(): DrivenReplica {
  const victim = new DrivenReplica(FLEET, 2)
  victim.store()
  for (const batch of realBatches().toSpliced(1, 1)) victim.giveMessage({ kind: 'batch', batch })
  victim.store()
  victim.wait(40_000)
  return victim
}

let batches: readonly Batch[] | null = null

/** Batches of two members who have partly seen each other. All but the second can be integrated without it or wait. */
function realBatches(): readonly Batch[] {
  if (batches !== null) return batches
  const a = new DrivenReplica(FLEET, 0)
  const b = new DrivenReplica(FLEET, 1)
  const issue = (by: DrivenReplica, other: DrivenReplica | null, ...[request]: Parameters<DrivenReplica['issue']>) => {
    by.issue(request)
    by.store()
    if (other !== null) for (const batch of by.batchesIn(by.outputs)) other.giveMessage({ kind: 'batch', batch })
  }
  for (const one of [a, b]) one.store()
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    for (const announcement of one.announcementsIn(one.wait(1000)))
      other.giveMessage({ kind: 'announcement', announcement })
  }
  issue(a, b, set('line1/mode', 'auto'))
  issue(b, null, set('line1/mode', { list: [1, -2, 3.5, null], bytes: new Uint8Array([1, 2, 3]) }))
  issue(b, a, {
    writes: [
      { path: 'n' as Path, kind: 'add', argument: 2n ** 60n },
      { path: 'log' as Path, kind: 'append', argument: 'Wärme' },
      { path: 'on' as Path, kind: 'toggle', argument: null },
    ],
    guards: [
      { path: 'line1/mode' as Path, comparison: 'exists', value: true },
      { path: 'n' as Path, comparison: '!=', value: 7 },
    ],
  })
  issue(a, null, { writes: [{ path: 'line1/mode' as Path, kind: 'delete', argument: null }], guards: [] })
  issue(a, null, set('x', 1))
  issue(a, null, rulesRequest('pump', PUMP))
  batches = [...a.batchesIn(a.outputs).slice(0, 1), ...b.batchesIn(b.outputs), ...a.batchesIn(a.outputs).slice(1)]
  return batches
}

const PUMP: DeviceRules = {
  node: '0011223344556677' as NodeId,
  profile: { name: 'pump', digest: EMPTY_DIGEST },
  points: [{ path: 'speed', valueType: 'Int8', access: 'RW', minimum: -5, enum: [1, 2], owner: 'reported' }],
}

/** Bytes that cannot be deflated. */
function noise(length: number): Uint8Array {
  const random = seededRandom(SEED)
  return Uint8Array.from({ length }, () => random.uint32() & 0xff)
}

/** One real frame of each kind and shape; the first twelve differ in their structure. */
function realFrames(): Uint8Array[] {
  const { fleet } = newVictim().replica
  const [a, b] = [founder(FLEET, 0), founder(FLEET, 1)]
  const vector = [{ member: a, seq: 1, digest: EMPTY_DIGEST }]
  const statement = { member: a, start: 1, number: 1, ...EPOCH_0, stage: 1, ownSeq: 1, floor: 0 }
  const readings = [reading('d/level', 21.5, 'good'), reading('d/mode', 'auto', 'uncertain')]
  const digests = { floorDigest: EMPTY_DIGEST, vectorDigest: EMPTY_DIGEST }
  const messages: Message[] = [
    ...realBatches()
      .slice(0, 3)
      .map((batch): Message => ({ kind: 'batch', batch })),
    { kind: 'announcement', announcement: { ...statement, ...digests, vector } },
    { kind: 'announcement', announcement: { ...statement, ...digests, vector: null } },
    { kind: 'request', request: { from: a, to: b, gaps: [{ member: a, after: 0, through: 3 }] } },
    { kind: 'epoch', epoch: { number: 1, counting: [a], retired: [b], signature: new Uint8Array(64) } },
    { kind: 'join-request', request: { member: DRAFT, tier: 1, key: new Uint8Array(32), proof: BYTES, epoch: 0 } },
    { kind: 'refusal', refusal: { to: DRAFT, from: a, reason: 'no' } },
    { kind: 'offer', offer: { to: b, from: a, purpose: 'catch-up', digest: EMPTY_DIGEST, size: 1000 } },
    { kind: 'chunk-request', request: { from: b, to: a, digest: EMPTY_DIGEST, offset: 0 } },
    { kind: 'chunk', chunk: { digest: EMPTY_DIGEST, offset: 0, bytes: BYTES } },
    { kind: 'telemetry', telemetry: { member: a, start: 1, number: 1, device: 'd', readings } },
    ...realBatches()
      .slice(3)
      .map((batch): Message => ({ kind: 'batch', batch })),
  ]
  return messages.map((message) => new Uint8Array(encodeFrame(fleet, message)))
}

function reading(path: string, value: Value, quality: StatedQuality): Reading {
  return { path: path as Path, value, quality, ageMs: 300 }
}

function messageIn(victim: DrivenReplica, bytes: Uint8Array): Message | null {
  try {
    return decodeFrame(victim.replica.fleet, bytes)
  } catch {
    return null
  }
}

function expectDropped(victim: DrivenReplica, bytes: Uint8Array, where: string): void {
  const before = dropsOf(victim)
  const outputs = victim.giveFrame(bytes)
  // A number without a meaning may come from a later release: that is all that is ever said about such a frame.
  assert.ok(
    outputs.every((output) => output.kind === 'alarm' && output.alarm.name === 'newer-release'),
    where,
  )
  assert.equal(dropsOf(victim), before + 1, `it is counted once: ${where}`)
}

/** The outputs that a valid frame of each kind may have. Nothing is half done. */
function expectTakenByTheRules(victim: DrivenReplica, message: Message, bytes: Uint8Array, where: string): void {
  const dropped = dropsOf(victim)
  const state = JSON.stringify(victim.inspect().journal())
  const outputs = victim.giveFrame(bytes)
  const view = victim.inspect()
  assert.ok(view.journalLength < 100, where)
  const integrated = outputs.filter((output) => output.kind === 'integrated')
  const allowed = ALLOWED[message.kind]
  for (const { kind } of outputs) assert.ok(allowed.includes(kind), `${kind} after a ${message.kind}: ${where}`)
  if (integrated.length === 0 && !outputs.some(({ kind }) => kind === 'settled' || kind === 'removed')) {
    assert.equal(JSON.stringify(view.journal()), state, where)
  }
  if (message.kind === 'batch' && integrated.length > 0) {
    assert.deepEqual(
      integrated[0]?.operations,
      message.batch.messages.map(({ current }) => current.id),
      where,
    )
  }
  assert.ok(dropsOf(victim) - dropped <= 1, where)
}

const ALLOWED: Readonly<Record<Message['kind'], readonly Output['kind'][]>> = {
  batch: ['integrated', 'removed', 'store', 'change', 'rules', 'outcome', 'superseded', 'conflict', 'alarm'],
  announcement: [
    'alarm',
    'evidence',
    'send',
    'settled',
    'removed',
    'store',
    'change',
    'rules',
    'outcome',
    'superseded',
    'conflict',
  ],
  request: ['send'],
  epoch: [],
  'join-request': ['send'],
  refusal: [],
  offer: [],
  'chunk-request': [],
  chunk: [],
  telemetry: ['change', 'send'],
}

const DRAFT = memberIdOf('0f00000000000009' as NodeId, 9)
const BYTES = new Uint8Array(3)
const EPOCH_0 = { epoch: 0, newestEpoch: 0, epochDigest: EMPTY_DIGEST, knowsCuts: true, frozen: null }

/** All that a person or a program can see of a replica, but for the counts of what was dropped and the time. */
function pictureOf({ replica, now }: DrivenReplica): string {
  const { dropped: _, members, journal, ...view } = replica.inspect(now)
  const heard = members.map((member) => ({ ...member, heardAgoMs: null }))
  const everything = {
    ...view,
    members: heard,
    journal: journal(),
    state: stateOf(replica),
    conflicts: replica.conflicts(),
  }
  return JSON.stringify(everything, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))
}

function dropsOf(victim: DrivenReplica): number {
  return Object.values(victim.inspect().dropped).reduce((sum, count) => sum + count, 0)
}

function expectReadableReasons(victim: DrivenReplica): void {
  const reasons = Object.keys(victim.inspect().dropped)
  assert.ok(reasons.length <= 65, `${reasons.length} reasons`)
  for (const reason of reasons) assert.match(reason, /^[a-z][ -~]{4,160}$/)
}

function heldOf(victim: DrivenReplica, index: number): { readonly seq: number; readonly digest: Batch['link'] } {
  const held = victim.inspect().vector.find(({ member }) => member === founder(FLEET, index))
  return held ?? { seq: 0, digest: EMPTY_DIGEST }
}

/** Lets the floor move over all that the victim holds, as the others' announcements allow. */
function foldEverything(victim: DrivenReplica): void {
  const view = victim.inspect()
  for (const member of [founder(FLEET, 0), founder(FLEET, 1)]) {
    const ownSeq = view.vector.find((entry) => entry.member === member)?.seq ?? 0
    const position = { stage: view.last.stage, ownSeq, floor: 0, floorDigest: EMPTY_DIGEST }
    const statement = { member, start: 1, number: 1, ...EPOCH_0, ...position }
    const digest = vectorDigest(versionVector(view.vector))
    const announcement = { ...statement, vectorDigest: digest, vector: view.vector }
    victim.giveMessage({ kind: 'announcement', announcement })
  }
}

function messageAt(member: MemberId, seq: number, previous: Previous): SyncMessage {
  const node = FLEET.founders.findIndex((_, index) => founder(FLEET, index) === member)
  const writes: Write[] = [{ path: 'y' as Path, kind: 'set', argument: seq, replaces: null }]
  const position = {
    stage: previous.stage + 1,
    floor: 0,
    priority: priorityOf(member, node < 0 ? 9 : FLEET.founders[node]!.tier),
  }
  const content = { writes, guards: [], join: null, original: null, paths: pathsOf(writes, []) }
  return { current: { id: { member, seq }, ...position, ...content }, previous }
}
