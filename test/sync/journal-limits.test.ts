import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FleetstepError } from '../../runtime/base/errors.ts'
import type { MemberId } from '../../runtime/base/ids.ts'
import {
  JOURNAL_BYTES_MAX,
  JOURNAL_BYTES_WARNING,
  JOURNAL_OPERATIONS_MAX,
  JOURNAL_OPERATIONS_WARNING,
} from '../../runtime/base/limits.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { operationMemoryBytes } from '../../runtime/state/memory.ts'
import type { Message } from '../../runtime/sync/message.ts'
import { decodeFrame, encodeFrame } from '../../runtime/sync/message-codec.ts'
import { Replica } from '../../runtime/sync/replica.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { life } from '../support/handmade.ts'
import { operation, write } from '../state/operations.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { emptyHanded } from '../support/sealed-messages.ts'

const GENESIS = genesisOf(2)

test('a journal that a silent member keeps from folding is warned of, and takes no more changes and nobody in at its bound', () => {
  const replica = new Replica({
    self: founder(GENESIS, 0),
    genesis: GENESIS,
    random: seededRandom(1),
    recovered: { snapshot: null, records: [], last: 0 },
    verifyEpoch: () => false,
  })
  give(replica, { kind: 'announcement', announcement: emptyHanded(founder(GENESIS, 1)) })
  const change = set('p', true)
  const warnedAt: number[] = []
  for (let count = 1; count <= JOURNAL_OPERATIONS_MAX; count += 1) {
    const { outputs } = replica.issue(change, 0, 0)
    for (const output of outputs) {
      if (output.kind === 'store') replica.receive({ kind: 'stored', through: output.number }, 0)
      if (output.kind === 'alarm' && output.alarm.name === 'journal-long') warnedAt.push(count)
    }
  }
  assert.deepEqual(warnedAt, [JOURNAL_OPERATIONS_WARNING])
  const { journalLength } = replica.inspect(0)
  assert.equal(journalLength, JOURNAL_OPERATIONS_MAX)
  assert.throws(
    () => replica.issue(change, 0, 0),
    (error) =>
      error instanceof FleetstepError && error.code === 'limit-reached' && error.message.includes(founder(GENESIS, 1)),
  )
  assert.deepEqual(refusalsOf(replica, life('n', 7)), [
    `the journal is full with ${JOURNAL_OPERATIONS_MAX} operations, which take 164000000 bytes of memory: it waits for ${founder(GENESIS, 1)}`,
  ])
  assert.equal(replica.inspect(0).journalLength, journalLength, 'neither has left anything behind')
})

test('a journal of long values is full when they take as much memory, however few they are', () => {
  const node = new DrivenReplica(GENESIS, 0)
  node.giveMessage({ kind: 'announcement', announcement: emptyHanded(founder(GENESIS, 1)) })
  const value = Array.from({ length: 3000 }, () => [])
  const isWarned = (): boolean =>
    node.outputs.splice(0).some((output) => output.kind === 'alarm' && output.alarm.name === 'journal-long')
  let bytes = 0
  const fill = (bytesMax: number): void => {
    for (; bytes < bytesMax; bytes += operationMemoryBytes(operation({ writes: [write('p', 'set', value)] }))) {
      node.issue(set('p', value))
      node.store()
      node.records.length = 0
    }
  }
  fill(0.9 * JOURNAL_BYTES_WARNING)
  assert.equal(isWarned(), false)
  fill(JOURNAL_BYTES_WARNING)
  assert.equal(isWarned(), true)
  fill(JOURNAL_BYTES_MAX)
  assert.throws(
    () => node.issue(set('p', true)),
    (error) => error instanceof FleetstepError && error.code === 'limit-reached' && error.message.includes('memory'),
  )
  assert.ok(node.inspect().journalLength < 400)
})

/** Why it does not let in a draft that asks to join. */
function refusalsOf(replica: Replica, member: MemberId): string[] {
  const [key, proof] = [new Uint8Array(), new Uint8Array()]
  const asked = give(replica, { kind: 'join-request', request: { member, tier: 0, key, proof, epoch: 0 } })
  return [...asked, ...replica.tick(1000)].flatMap((output) => {
    const message = output.kind === 'send' ? decodeFrame(replica.fleet, output.frame) : null
    return message?.kind === 'refusal' ? [message.refusal.reason] : []
  })
}

function give(replica: Replica, message: Message): ReturnType<Replica['receive']> {
  return replica.receive({ kind: 'frame', link: 'air', bytes: encodeFrame(replica.fleet, message) }, 0)
}
