import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import { PATHS_MAX } from '../../runtime/base/limits.ts'
import type { Path } from '../../runtime/state/path.ts'
import { priorityOf } from '../../runtime/state/priority.ts'
import { decodeSnapshot, encodeSnapshot, snapshotPieces } from '../../runtime/sync/snapshot.ts'
import type { Snapshot } from '../../runtime/sync/snapshot.ts'

describe('A snapshot of the largest state', () => {
  it('is encoded in steps that leave the loop free within 20 ms, and reads as if it had been done at once', () => {
    const snapshot = largest()
    const durations: number[] = []
    const pieces: Uint8Array[] = []
    const iterator = snapshotPieces(snapshot)[Symbol.iterator]()
    for (;;) {
      const before = process.cpuUsage()
      const next = iterator.next()
      const { user, system } = process.cpuUsage(before)
      durations.push((user + system) / 1000)
      if (next.done === true) break
      pieces.push(next.value)
    }
    assert.deepEqual(Buffer.concat(pieces), Buffer.from(encodeSnapshot(snapshot)))
    assert.deepEqual(decodeSnapshot(encodeSnapshot(snapshot)).cells.length, PATHS_MAX)
    // CPU time, so that other processes do not count; one step in a hundred may meet the garbage collector.
    const slowest = durations.toSorted((left, right) => right - left)[Math.ceil(durations.length / 100)] ?? Infinity
    assert.ok(slowest < 20, `a step took ${slowest} ms of CPU`)
    assert.ok(durations.length > PATHS_MAX / 1000)
  })
})

function largest(): Snapshot {
  const member = memberIdOf('b827eb0000000001' as NodeId, 0)
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
