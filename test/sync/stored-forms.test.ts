import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeCbor } from '../../runtime/base/cbor.ts'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import type { Path } from '../../runtime/state/path.ts'
import type { Conflict } from '../../runtime/sync/conflict.ts'
import { draftOf } from '../../runtime/sync/draft.ts'
import { firstOf } from '../../runtime/sync/message.ts'
import { decodeRecord, encodeRecord, type StoredRecord } from '../../runtime/sync/records.ts'
import { decodeSnapshot, encodeSnapshot, type Snapshot } from '../../runtime/sync/snapshot.ts'
import { DrivenReplica } from '../support/driven-replica.ts'
import { genesisOf, set, stateOf } from '../support/replica-network.ts'
import { idOf, operation, set as write } from '../state/operations.ts'
import { batchOf } from './batches.ts'

const BATCH = batchOf({
  by: 'B',
  writes: [write('x', { bytes: new Uint8Array([1, 2]), list: [null, 2n ** 60n, 0.5] })],
})
const { member } = idOf('A', 1)
const LIFE = { member, draftReason: 'it was retired', adoptedJoin: idOf('B', 3), trusted: idOf('C', 2) }
const DRAFT = draftOf(firstOf(BATCH))
const ENTRY = { member, seq: 4, digest: BATCH.digest }
const RETIREMENT = {
  epoch: { number: 2, counting: [member], retired: [idOf('B', 1).member], signature: new Uint8Array([5]) },
  before: 1,
  frozen: new Map([[member, ENTRY]]),
  cuts: new Map([[member, ENTRY]]),
}
/** Texts that begin with a byte order mark, which is a character of them. */
const MARKED: Conflict = {
  id: `draft ${member}:1@${'\uFEFF'.repeat(30)}`,
  path: '\uFEFF'.repeat(30) as Path,
  winner: { operation: idOf('B', 2), stage: 3, value: '\uFEFF'.repeat(30) },
  loser: { operation: idOf('B', 3), stage: 4, value: { ['\uFEFF'.repeat(30)]: 1, ['\uFEFF'.repeat(29)]: 2 } },
}

describe('a stored record', () => {
  const records: readonly StoredRecord[] = [
    { kind: 'start', member, start: 7 },
    { kind: 'batch', batch: BATCH },
    { kind: 'floor', floor: 2 ** 40 },
    { kind: 'resolved', conflict: `${member}:1@x` },
    { kind: 'epoch', retirement: RETIREMENT },
    { kind: 'cuts', cuts: new Map([[member, { member, seq: 4, digest: BATCH.digest }]]) },
    { kind: 'truncated', member, seq: 4 },
    { kind: 'life', life: LIFE },
    { kind: 'draft', draft: DRAFT },
    { kind: 'settled', count: 2, batch: BATCH, conflicts: [] },
    { kind: 'settled', count: 1, batch: null, conflicts: [] },
    { kind: 'settled', count: 1, batch: null, conflicts: [MARKED] },
    { kind: 'part', part: { purpose: 'catch-up', index: 1, count: 3, bytes: new Uint8Array([1, 2]) } },
  ]
  for (const record of records) {
    test(`of the kind ${record.kind} is read as it was written`, () => {
      assert.deepEqual(plain(decodeRecord(encodeRecord(record))), plain(record))
    })
  }

  test('of a kind that a later release has added is not called damage', () => {
    assert.throws(() => decodeRecord(encodeCbor([99])), {
      code: 'data-directory-newer',
      message: /kind of record is not known to this version; install the release that wrote it/,
    })
  })

  test('that means nothing to any version is named as damage', () => {
    for (const data of [[], ['x'], 'text', [0, 'x', 1], [1, new Uint8Array(3)], [2, 5], [0, new Uint8Array(12), -1]]) {
      assert.throws(() => decodeRecord(encodeCbor(data)), { code: 'data-directory-damaged' })
    }
    assert.throws(() => decodeRecord(new Uint8Array([0xff])), { code: 'data-directory-damaged' })
  })
})

describe('a snapshot', () => {
  const side = { operation: idOf('B', 2), stage: 3, value: undefined }
  const snapshot: Snapshot = {
    life: LIFE,
    start: 3,
    drafts: [DRAFT],
    retirement: RETIREMENT,
    evidence: [[member, BATCH]],
    floor: 5,
    floorDigests: new Map([
      [4, EMPTY_DIGEST],
      [5, BATCH.digest],
    ]),
    highWater: { id: idOf('B', 1), stage: 6 },
    cells: [
      ['x' as Path, { value: { n: [1n << 60n, null] }, writer: positionOf(operation({ by: 'B' })) }],
      ['gone' as Path, { value: undefined, writer: positionOf(operation({ by: 'C', stage: 2 })) }],
      ['sum' as Path, { value: 5, writer: null }],
      ['null' as Path, { value: null, writer: positionOf(operation({ by: 'A' })) }],
    ],
    logs: [{ member, seq: 4, digest: BATCH.digest }],
    conflicts: [{ id: 'one', path: 'x' as Path, winner: { ...side, value: new Uint8Array([7]) }, loser: side }],
    conflictsForgotten: 2,
    conflictsResolved: ['two'],
    batches: [BATCH],
  }

  test('is read as it was written', () => {
    assert.deepEqual(plain(decodeSnapshot(encodeSnapshot(snapshot))), plain(snapshot))
    const empty: Snapshot = { ...snapshot, highWater: { id: null, stage: 0 }, cells: [], logs: [], batches: [] }
    assert.deepEqual(plain(decodeSnapshot(encodeSnapshot(empty))), plain(empty))
  })

  test('of another version, or damaged, is named as what it is', () => {
    const bytes = encodeSnapshot(snapshot)
    assert.throws(() => decodeSnapshot(encodeCbor([99])), {
      code: 'data-directory-newer',
      message: /install the release/,
    })
    assert.throws(() => decodeSnapshot(bytes.subarray(0, 40)), { code: 'data-directory-damaged' })
    assert.throws(() => decodeSnapshot(encodeCbor(['x'])), { code: /data-directory/ })
  })
})

test('a replica that starts again from its records or its snapshot is as it was', () => {
  const fleet = genesisOf(2)
  const [a, b] = [new DrivenReplica(fleet, 0, undefined, 600), new DrivenReplica(fleet, 1)]
  for (const one of [a, b]) one.store()
  for (const announcement of b.announcementsIn(b.wait(2000))) a.giveMessage({ kind: 'announcement', announcement })
  b.issue(set('shared', 'b'))
  b.issue(set('only/b', [1, 2n ** 60n]))
  b.store()
  b.store()
  let restarts = 0
  for (let round = 0; round < 30; round++) {
    a.issue(set(round % 3 === 0 ? 'shared' : `p/${round % 5}`, round))
    if (round === 15) for (const batch of b.batchesIn(b.outputs)) a.giveMessage({ kind: 'batch', batch })
    a.store()
    a.store()
    const last = a.lastStored
    const again = new DrivenReplica(fleet, 0, { snapshot: a.snapshot, records: a.records, last })
    assert.deepEqual(stateOf(again.replica), stateOf(a.replica))
    assert.deepEqual(again.inspect().journal(), a.inspect().journal())
    assert.deepEqual(plain(again.replica.conflicts()), plain(a.replica.conflicts()))
    assert.deepEqual(again.inspect().last, a.inspect().last)
    assert.deepEqual(again.inspect().vector, a.inspect().vector)
    if (a.snapshot !== null) restarts += 1
  }
  assert.ok(restarts > 5 && restarts < 30, `${restarts} of 30 from a snapshot`)
})

function positionOf({ id, stage, priority }: ReturnType<typeof operation>) {
  return { id, stage, priority }
}

/** Byte strings of one class. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: [...value] }
  if (value instanceof Map) return [...value].map(plain)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, plain(child)]))
  }
  return value
}
