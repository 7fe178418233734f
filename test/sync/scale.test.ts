import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { digestOf, EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { type MemberId, memberIdOf } from '../../runtime/base/ids.ts'
import {
  ANNOUNCE_INTERVAL_MEMBERS,
  ANSWER_DELAY_GROWTH_MAX,
  ANSWER_DELAY_MAX_MS,
  OWN_VECTORS_MAX,
  VECTOR_CHANGES_MAX,
} from '../../runtime/base/limits.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Announcement } from '../../runtime/sync/message.ts'
import { Peers } from '../../runtime/sync/peers.ts'
import { suppressionDelayMs } from '../../runtime/sync/suppression.ts'
import {
  sortedEntries,
  vectorDigest,
  vectorDigestAfter,
  type VersionEntry,
  type VersionVector,
  versionVector,
  withEntry,
} from '../../runtime/sync/version-vector.ts'
import { ScaleFleet } from '../bench/scale-fleet.ts'
import { founders } from '../bench/workload.ts'

const LARGE: number = ANNOUNCE_INTERVAL_MEMBERS + 4

describe('a large fleet on a broadcast link', () => {
  test('finds what some members have lost with a few voices, whatever its size', () => {
    const fleet = startedFleet(LARGE)
    for (const [index, node] of fleet.nodes.entries()) node.set(`node${index}`, 1)
    fleet.run(fleet.now + 30_000)
    const before = fleet.byKind.get('announcements') ?? { frames: 0, bytes: 0 }
    const victims = fleet.nodes.slice(4, 10)
    fleet.loses = (node) => victims.includes(node)
    fleet.nodes[0]?.set('valve', 1)
    fleet.run(fleet.now + 10)
    fleet.loses = () => false
    assert.ok(fleet.run(fleet.now + 60_000, () => victims.every((victim) => victim.get('valve') === 1)))
    fleet.run(fleet.now + 2000)
    assert.ok((fleet.byKind.get('requests')?.frames ?? 0) <= 4)
    const after = fleet.byKind.get('announcements') ?? before
    // What is above the size of a digest alone are version vectors: of one that lacks something, and of one that has it.
    const bytesOfVectors = after.bytes - before.bytes - 70 * (after.frames - before.frames)
    assert.ok(bytesOfVectors < 12 * 20 * LARGE, `${bytesOfVectors} bytes of version vectors`)
  })

  test('settles a change when everybody has announced it, and is silent again', () => {
    const fleet = startedFleet(LARGE)
    fleet.nodes[0]?.set('valve', 1)
    assert.ok(fleet.run(fleet.now + 10_000, () => fleet.nodes.every(({ floor }) => floor >= 1)))
    fleet.run(fleet.now + 300_000)
    const before = fleet.traffic
    fleet.run(fleet.now + 100_000)
    const bytesPerS = (fleet.traffic.bytes - before.bytes) / 100
    assert.ok(bytesPerS > 0 && bytesPerS <= 128, `${bytesPerS} bytes per second for each node`)
  })

  test('announces no more often the more changes there are', () => {
    const framesDuring = (changes: number): number => {
      const fleet = startedFleet(LARGE)
      for (let index = 0; index < changes; index++) {
        fleet.at(fleet.now + (20_000 * index) / changes, () => fleet.nodes[0]?.set('valve', index))
      }
      const before = fleet.byKind.get('announcements')?.frames ?? 0
      fleet.run(fleet.now + 20_000)
      return (fleet.byKind.get('announcements')?.frames ?? 0) - before
    }
    const [some, many] = [framesDuring(20), framesDuring(100)]
    assert.ok(many < 1.5 * some, `${some} announcements with 20 changes, ${many} with 100`)
  })
})

describe('a version vector that grows', () => {
  test('has the entries and the digest of one that is made anew', () => {
    const random = seededRandom(5)
    let vector: VersionVector = versionVector([])
    let digest = EMPTY_DIGEST
    const entries = new Map<MemberId, VersionEntry>()
    for (let step = 0; step < 4 * VECTOR_CHANGES_MAX; step++) {
      const entry = entryOf(random.uint32() % (2 * VECTOR_CHANGES_MAX), step + 1)
      digest = vectorDigestAfter(digest, vector.get(entry.member), entry)
      vector = withEntry(vector, entry)
      entries.set(entry.member, entry)
      assert.equal(vector.size, entries.size)
      assert.equal(vector.get(entry.member), entry)
    }
    assert.deepEqual(sortedEntries(vector), sortedEntries(entries))
    assert.equal(digest, vectorDigest(entries))
  })

  test('leaves the one that it came from as it was', () => {
    const before = versionVector([entryOf(1, 1), entryOf(2, 1)])
    const between = withEntry(before, entryOf(1, 2))
    const after = withEntry(between, entryOf(1, 3))
    assert.deepEqual(
      [before, between, after].map((vector) => vector.get(entryOf(1, 1).member)?.seq),
      [1, 2, 3],
    )
  })
})

describe('a digest of a version vector', () => {
  const [old, now] = [ownOf(entryOf(1, 1)), ownOf(entryOf(1, 2))]

  test('states the vector if it was ours', () => {
    const peers = new Peers()
    peers.noteOwn(old)
    const peer = peers.note(announcementOf(3, 1, old.digest), now, 'air', 0)
    assert.equal(peer?.vector, old.vector)
    assert.equal(peer?.hasStatedVector, true)
  })

  test('states it too if it becomes ours, unless something else was announced since', () => {
    const peers = new Peers()
    peers.note(announcementOf(3, 1, now.digest), old, 'air', 0)
    peers.note(announcementOf(4, 1, now.digest), old, 'air', 0)
    peers.note(announcementOf(4, 2, digestOf('other')), old, 'air', 0)
    assert.equal(peers.get(memberOf(3))?.hasStatedVector, false)
    peers.noteOwn(now)
    assert.equal(peers.get(memberOf(3))?.vector, now.vector)
    assert.equal(peers.get(memberOf(4))?.hasStatedVector, false)
  })

  test('is forgotten when many others were ours since', () => {
    const peers = new Peers()
    peers.noteOwn(old)
    for (let seq = 2; seq <= OWN_VECTORS_MAX; seq++) peers.noteOwn(ownOf(entryOf(1, seq)))
    assert.equal(peers.isOwn(old.digest), true)
    peers.noteOwn(ownOf(entryOf(2, 1)))
    assert.equal(peers.isOwn(old.digest), false)
  })
})

describe('the delay before one speaks for many', () => {
  test('is even in a small fleet', () => {
    const delays = delaysOf(4)
    assert.ok(delays.every((delayMs) => delayMs >= 0 && delayMs < ANSWER_DELAY_MAX_MS))
    assert.ok(Math.abs((delays[500] ?? 0) - ANSWER_DELAY_MAX_MS / 2) < ANSWER_DELAY_MAX_MS / 10)
  })

  test('lets few be first in a large one, and stays bounded', () => {
    const delays = delaysOf(1000)
    assert.ok((delays.at(-1) ?? 0) <= ANSWER_DELAY_GROWTH_MAX * ANSWER_DELAY_MAX_MS)
    // Those whom the first one's message does not reach in time.
    const early = delays.filter((delayMs) => delayMs <= (delays[0] ?? 0) + 25)
    assert.ok(early.length <= 5, `${early.length} of 1,000`)
  })
})

function startedFleet(size: number): ScaleFleet {
  const fleet = new ScaleFleet(size)
  for (const [index, node] of fleet.nodes.entries()) fleet.at(index * 10, () => node.start())
  fleet.run(30_000)
  return fleet
}

function memberOf(index: number): MemberId {
  const node = founders(300).founders[index]?.node
  assert.ok(node !== undefined)
  return memberIdOf(node, 0)
}

function entryOf(index: number, seq: number): VersionEntry {
  return { member: memberOf(index), seq, digest: digestOf(`${index} ${seq}`) }
}

function ownOf(...entries: readonly VersionEntry[]): {
  vector: VersionVector
  digest: ReturnType<typeof vectorDigest>
} {
  const vector = versionVector(entries)
  return { vector, digest: vectorDigest(vector) }
}

function announcementOf(index: number, number: number, vectorDigestOfIt: Announcement['vectorDigest']): Announcement {
  return {
    member: memberOf(index),
    start: 1,
    number,
    epoch: 0,
    newestEpoch: 0,
    epochDigest: EMPTY_DIGEST,
    knowsCuts: true,
    frozen: null,
    stage: 0,
    ownSeq: 0,
    floor: 0,
    floorDigest: EMPTY_DIGEST,
    vectorDigest: vectorDigestOfIt,
    vector: null,
  }
}

/** In ascending order. */
function delaysOf(members: number): number[] {
  const random = seededRandom(9)
  return Array.from({ length: 1000 }, () => suppressionDelayMs(ANSWER_DELAY_MAX_MS, members, random)).sort(
    (left, right) => left - right,
  )
}
