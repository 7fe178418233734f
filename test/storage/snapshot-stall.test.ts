import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import { PATHS_MAX, SNAPSHOT_STEP_ITEMS } from '../../runtime/base/limits.ts'
import type { Path } from '../../runtime/state/path.ts'
import { priorityOf } from '../../runtime/state/priority.ts'
import { CellWriter } from '../../runtime/sync/cell-codec.ts'
import { decodeSnapshot, encodeSnapshot, joinPieces, snapshotPieces } from '../../runtime/sync/snapshot.ts'
import type { Snapshot } from '../../runtime/sync/snapshot.ts'
import { Replica } from '../../runtime/sync/replica.ts'
import { seededRandom } from '../../runtime/base/random.ts'

describe('A snapshot of the largest state', () => {
  it('is encoded in small steps that leave the loop free between them, and reads as if it had been done at once', (test) => {
    const snapshot = largest()
    const write = countedWrites(test)
    const pieces: Uint8Array[] = []
    const cellsOfSteps: number[] = []
    for (const piece of snapshotPieces(snapshot)) {
      pieces.push(piece)
      cellsOfSteps.push(write.take())
    }
    assert.equal(Math.max(...cellsOfSteps), SNAPSHOT_STEP_ITEMS)
    assert.equal(sumOf(cellsOfSteps), PATHS_MAX)
    assert.deepEqual(Buffer.concat(pieces), Buffer.from(encodeSnapshot(snapshot)))
    assert.deepEqual(decodeSnapshot(encodeSnapshot(snapshot)).cells.length, PATHS_MAX)
  })

  it('is taken off a replica without a point of it being encoded', (test) => {
    const replica = new Replica({
      self: MEMBER,
      genesis: { name: 'large', founders: [{ node: NODE, tier: 0 }] },
      random: seededRandom(1),
      recovered: { snapshot: encodeSnapshot(largest()), records: [], last: PATHS_MAX },
    })
    // All that it has to store by now is on the disk, so a snapshot that is taken is given out at once.
    const stored = replica.tick(0).reduce((most, output) => (output.kind === 'store' ? output.number : most), 0)
    replica.receive({ kind: 'stored', through: stored }, 0)
    const write = countedWrites(test)
    const [snapshot] = replica.receive({ kind: 'snapshot-due' }, 0)
    assert.ok(snapshot?.kind === 'snapshot')
    assert.equal(write.take(), 0)
    const pieces = [...snapshot.pieces]
    assert.equal(write.take(), PATHS_MAX)
    assert.equal(decodeSnapshot(joinPieces(pieces)).cells.length, PATHS_MAX)
  })
})

const NODE = 'b827eb0000000001' as NodeId
const MEMBER = memberIdOf(NODE, 0)

/** How many cells were encoded since it was asked last. A mock of the runner would keep the arguments of each call. */
function countedWrites(test: TestContext): { take(): number } {
  const { write } = CellWriter.prototype
  let count = 0
  CellWriter.prototype.write = function (this: CellWriter, ...parameters: Parameters<typeof write>): void {
    count += 1
    write.apply(this, parameters)
  }
  test.after(() => (CellWriter.prototype.write = write))
  return {
    take() {
      const taken = count
      count = 0
      return taken
    },
  }
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
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
