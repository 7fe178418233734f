import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Digest, EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import type { MemberId } from '../../runtime/base/ids.ts'
import {
  MEMBER_BYTES_MAX,
  MEMBER_OPERATIONS_MAX,
  OPERATIONS_PER_BATCH_MAX,
  REQUEST_DELAY_MAX_MS,
} from '../../runtime/base/limits.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Operation } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import { priorityOf } from '../../runtime/state/priority.ts'
import type { Value } from '../../runtime/state/value.ts'
import { sealBatch } from '../../runtime/sync/batch-codec.ts'
import { batchMemoryBytes } from '../../runtime/sync/memory-bound.ts'
import type { Batch, Message, Previous } from '../../runtime/sync/message.ts'
import { decodeFrame, encodeFrame } from '../../runtime/sync/message-codec.ts'
import { Replica } from '../../runtime/sync/replica.ts'
import { vectorDigest, versionVector } from '../../runtime/sync/version-vector.ts'
import { founder } from '../support/driven-replica.ts'
import { genesisOf } from '../support/replica-network.ts'
import { emptyHanded } from '../support/sealed-messages.ts'

const GENESIS = genesisOf(3)
const [A, B, C] = [0, 1, 2].map((index) => founder(GENESIS, index)) as [MemberId, MemberId, MemberId]

test('a member whose operations come and whose announcements do not fills no journal beyond a bound, until it is heard', () => {
  const a = new Listener()
  const ofB = new Flood(B)
  while (ofB.seq < MEMBER_OPERATIONS_MAX) a.give({ kind: 'batch', batch: ofB.next() })
  const held = a.heldOf(B)
  assert.equal(held, ofB.seq)
  const late = [ofB.next(), ofB.next()]
  for (const batch of late) a.give({ kind: 'batch', batch })
  assert.equal(a.heldOf(B), held, 'nothing more of it is taken')
  const reason = 'so many operations are open of its member that it has to be heard first'
  assert.equal(a.replica.inspect(a.now).dropped[reason], late.length)
  // Of somebody else everything is taken, and nobody is asked for what would not be.
  const ofC = new Flood(C)
  a.give({ kind: 'batch', batch: ofC.next() })
  assert.equal(a.heldOf(C), OPERATIONS_PER_BATCH_MAX)
  a.announce(C, 1, [ofB, ofC])
  assert.deepEqual(a.wait(2 * REQUEST_DELAY_MAX_MS), [])
  a.announce(B, held, [ofB, ofC])
  const [asked] = a.wait(2 * REQUEST_DELAY_MAX_MS)
  assert.deepEqual(asked?.kind === 'request' ? asked.request.gaps : [], [{ member: B, after: held, through: ofB.seq }])
  for (const batch of late) a.give({ kind: 'batch', batch })
  assert.equal(a.heldOf(B), ofB.seq)
})

test('nor does one whose operations are few and take much memory', () => {
  const a = new Listener()
  const ofB = new Flood(
    B,
    1,
    Array.from({ length: 3000 }, () => []),
  )
  for (let bytes = 0; bytes < MEMBER_BYTES_MAX;) {
    const batch = ofB.next()
    bytes += batchMemoryBytes(batch)
    a.give({ kind: 'batch', batch })
  }
  const held = a.heldOf(B)
  assert.equal(held, ofB.seq)
  const late = [ofB.next(), ofB.next()]
  for (const batch of late) a.give({ kind: 'batch', batch })
  assert.equal(a.heldOf(B), held, 'nothing more of it is taken')
  // It says that the half of them is settled, and the rest has room.
  a.announce(B, Math.floor(held / 2), [ofB, new Flood(C)])
  for (const batch of late) a.give({ kind: 'batch', batch })
  assert.equal(a.heldOf(B), ofB.seq)
})

test('a member that claims a high floor and operations that never come fills no journal beyond a bound either', () => {
  const a = new Listener()
  const ofB = new Flood(B)
  const claimMore = (number: number): void => {
    const stage = ofB.seq + 1_000_000_000
    const vector = [{ member: B, seq: stage, digest: EMPTY_DIGEST }]
    const stated = {
      number,
      ownSeq: stage,
      stage,
      floor: stage,
      vector,
      vectorDigest: vectorDigest(versionVector(vector)),
    }
    a.give({ kind: 'announcement', announcement: { ...emptyHanded(B), ...stated } })
  }
  claimMore(1)
  while (ofB.seq < MEMBER_OPERATIONS_MAX) a.give({ kind: 'batch', batch: ofB.next() })
  assert.equal(a.heldOf(B), ofB.seq)
  for (const number of [2, 3]) {
    claimMore(number)
    a.give({ kind: 'batch', batch: ofB.next() })
    assert.equal(a.heldOf(B), MEMBER_OPERATIONS_MAX, 'nothing more of it is taken')
  }
})

/** A replica with a disk that writes at once. */
class Listener {
  readonly replica = new Replica({
    self: A,
    genesis: GENESIS,
    random: seededRandom(1),
    recovered: { snapshot: null, records: [], last: 0 },
    verifyEpoch: () => false,
  })
  now = 1000

  constructor() {
    this.#keep(this.replica.tick(this.now))
    this.#keep(this.replica.receive({ kind: 'link-up', link: 'air' }, this.now))
  }

  heldOf(member: MemberId): number {
    return this.replica.inspect(this.now).vector.find((entry) => entry.member === member)?.seq ?? 0
  }

  give(message: Message): void {
    const bytes = encodeFrame(this.replica.fleet, message)
    this.#keep(this.replica.receive({ kind: 'frame', link: 'air', bytes }, this.now))
  }

  /** As somebody who has settled everything up to `floor`, and holds what these have issued. */
  announce(member: MemberId, floor: number, floods: readonly Flood[]): void {
    const vector = floods.map((flood) => ({ member: flood.member, seq: flood.seq, digest: flood.digest }))
    const ownSeq = vector.find((entry) => entry.member === member)?.seq ?? 0
    const stage = Math.max(...vector.map(({ seq }) => seq))
    const stated = { stage, floor, ownSeq, vector, vectorDigest: vectorDigest(versionVector(vector)) }
    this.give({ kind: 'announcement', announcement: { ...emptyHanded(member), ...stated } })
  }

  /** @returns the requests that it sends meanwhile */
  wait(durationMs: number): Message[] {
    const until = this.now + durationMs
    const sent: Message[] = []
    for (let at = this.replica.wakeAt(this.now); at !== null && at <= until; at = this.replica.wakeAt(this.now)) {
      this.now = Math.max(this.now, at)
      sent.push(...this.#keep(this.replica.tick(this.now)))
    }
    this.now = until
    return sent.filter(({ kind }) => kind === 'request')
  }

  #keep(outputs: ReturnType<Replica['tick']>): Message[] {
    const stored = outputs.findLast((output) => output.kind === 'store')
    if (stored !== undefined) this.#keep(this.replica.receive({ kind: 'stored', through: stored.number }, this.now))
    return outputs.flatMap((output) => (output.kind === 'send' ? [decodeFrame(this.replica.fleet, output.frame)] : []))
  }
}

/** A member that issues as fast as it can. */
class Flood {
  readonly member: MemberId
  seq = 0
  digest: Digest = EMPTY_DIGEST
  readonly #batchLength: number
  readonly #argument: Value

  constructor(member: MemberId, batchLength: number = OPERATIONS_PER_BATCH_MAX, argument: Value = true) {
    this.member = member
    this.#batchLength = batchLength
    this.#argument = argument
  }

  next(): Batch {
    const messages = Array.from({ length: this.#batchLength }, () => this.#issue())
    const batch = sealBatch(this.member, this.digest, messages)
    this.digest = batch.digest
    return batch
  }

  #issue(): { readonly current: Operation; readonly previous: Previous } {
    const previous: Previous = { id: this.seq === 0 ? null : { member: this.member, seq: this.seq }, stage: this.seq }
    this.seq += 1
    const id = { member: this.member, seq: this.seq }
    const path = 'p' as Path
    const what = { guards: [], join: null, original: null, paths: [path] } as const
    const writes = [{ path, kind: 'set', argument: this.#argument, replaces: null }] as const
    const priority = priorityOf(this.member, this.member === B ? 2 : 1)
    return { current: { id, stage: this.seq, floor: 0, priority, writes, ...what }, previous }
  }
}
