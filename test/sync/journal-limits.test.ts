import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { JOURNAL_OPERATIONS_MAX, JOURNAL_OPERATIONS_WARNING } from '../../runtime/base/limits.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { Replica } from '../../runtime/sync/replica.ts'
import { founder } from '../support/driven-replica.ts'
import { genesisOf, set } from '../support/replica-network.ts'

const GENESIS = genesisOf(2)

test('a journal that a silent member keeps from folding is warned of, and takes no more changes at its bound', () => {
  const replica = new Replica({
    self: founder(GENESIS, 0),
    genesis: GENESIS,
    random: seededRandom(1),
    recovered: { snapshot: null, records: [], last: 0 },
    verifyEpoch: () => false,
  })
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
  assert.equal(replica.inspect(0).journalLength, journalLength, 'the refused change has left nothing behind')
})
