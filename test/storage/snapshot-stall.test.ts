import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import { PATHS_MAX } from '../../runtime/base/limits.ts'
import type { Path } from '../../runtime/state/path.ts'
import { priorityOf } from '../../runtime/state/priority.ts'
import { decodeSnapshot, encodeSnapshot, joinPieces, snapshotPieces } from '../../runtime/sync/snapshot.ts'
import type { Snapshot } from '../../runtime/sync/snapshot.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { Replica } from '../../runtime/sync/replica.ts'
import { seededRandom } from '../../runtime/base/random.ts'

describe('A snapshot of the largest state', () => {
  it('is encoded in steps that soon leave the loop free, and reads as if it had been done at once', () => {
    const snapshot = largest()
    const durations: number[] = []
    const pieces: Uint8Array[] = []
    const iterator = snapshotPieces(snapshot)[Symbol.iterator]()
    for (;;) {
      const taken: Uint8Array[] = []
      durations.push(
        cpuMs(() => {
          const next = iterator.next()
          if (next.done !== true) taken.push(next.value)
        }),
      )
      if (taken.length === 0) break
      pieces.push(...taken)
    }
    assert.deepEqual(Buffer.concat(pieces), Buffer.from(encodeSnapshot(snapshot)))
    assert.deepEqual(decodeSnapshot(encodeSnapshot(snapshot)).cells.length, PATHS_MAX)
    // One step in fifty may meet the garbage collector.
    const slowest = durations.toSorted((left, right) => right - left)[Math.ceil(durations.length / 50)] ?? Infinity
    const bound = stallBoundMs(snapshot)
    assert.ok(slowest < bound, `a step took ${slowest} ms of CPU, of at most ${bound}`)
    assert.ok(durations.length > PATHS_MAX / 1000)
  })

  it('is taken off a replica, and put together for the disk, in a moment each', (test) => {
    const largestSnapshot = largest()
    const replica = new Replica({
      self: MEMBER,
      genesis: { name: 'large', founders: [{ node: NODE, tier: 0 }] },
      random: seededRandom(1),
      recovered: { snapshot: encodeSnapshot(largestSnapshot), records: [], last: PATHS_MAX },
    })
    // All that it has to store by now is on the disk, so a snapshot that is taken is given out at once.
    const stored = replica.tick(0).reduce((most, output) => (output.kind === 'store' ? output.number : most), 0)
    replica.receive({ kind: 'stored', through: stored }, 0)
    const takings: number[] = []
    const joinings: number[] = []
    // The best of some: a collection of garbage, which others may have made, is no part of the work.
    for (let turn = 0; turn < 5; turn += 1) {
      const outputs: Output[] = []
      takings.push(cpuMs(() => outputs.push(...replica.receive({ kind: 'snapshot-due' }, 0))))
      const [snapshot] = outputs
      assert.ok(snapshot?.kind === 'snapshot')
      const pieces = [...snapshot.pieces]
      joinings.push(cpuMs(() => joinPieces(pieces)))
    }
    const bound = stallBoundMs(largestSnapshot)
    assert.ok(Math.min(...takings) < bound, `taken in ${takings.join(', ')} ms of CPU, of at most ${bound}`)
    assert.ok(Math.min(...joinings) < bound, `joined in ${joinings.join(', ')} ms of CPU, of at most ${bound}`)
    test.diagnostic(`taken in ${Math.min(...takings)} ms, joined in ${Math.min(...joinings)} ms of CPU`)
  })
})

const NODE = 'b827eb0000000001' as NodeId
const MEMBER = memberIdOf(NODE, 0)

/**
 * How long the loop may be held up: 20 ms, where all cells as JSON take 120 as they do on a small server. A machine is measured by
 * itself, so that a slow one is no failure.
 */
function stallBoundMs({ cells }: Snapshot): number {
  return Math.min(...[1, 2, 3].map(() => cpuMs(() => JSON.stringify(cells)))) / 6
}

/** CPU time, so that other processes do not count. */
function cpuMs(work: () => unknown): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

function largest(): Snapshot {
  const member = MEMBER
  const cells = Array.from({ length: PATHS_MAX }, (_, index) => {
    const path = `line${index % 10}/machine${index}/speed` as Path
    const writer = { id: { member, seq: index + 1 }, stage: index + 1, priority: priorityOf(member, 0) }
    return [path, { value: index % 3 === 0 ? index : `state ${index}`, writer }] as const
  })
  return {
    life: { member, draftReason: null, adoptedJoin: null, trusted: null },
    start: 1,
    floor: PATHS_MAX,
    floorDigests: new Map(),
    highWater: { id: { member, seq: PATHS_MAX }, stage: PATHS_MAX },
    cells,
    logs: [],
    conflicts: [],
    conflictsForgotten: 0,
    conflictsResolved: [],
    batches: [],
    retirement: { epoch: null, before: 0, frozen: new Map(), cuts: new Map() },
    evidence: [],
    drafts: [],
  }
}
