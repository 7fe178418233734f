import { setFlagsFromString } from 'node:v8'
import { bundleAndImport } from './bundle.mjs'
import { ensureInstalled } from './install.mjs'

/** What `--tight` puts in the place of bounds that no schedule of a few operations would meet. */
const TIGHT = {
  JOURNAL_OPERATIONS_WARNING: 4,
  JOURNAL_OPERATIONS_MAX: 8,
  MEMBER_OPERATIONS_MAX: 96,
  JOURNAL_BYTES_WARNING: 1200,
  JOURNAL_BYTES_MAX: 2600,
  DRAFTS_BYTES_MAX: 2000,
  MEMBER_BYTES_MAX: 24_000,
  DRAFTS_MAX: 8,
  STAGE_LEAP_MAX: 400_000,
  OPERATIONS_PER_BATCH_MAX: 3,
  BATCHES_PER_ANSWER_STEP_MAX: 2,
  BATCHES_PER_ANSWER_MAX: 4,
  WAITING_MESSAGES_MAX: 24,
  WAITING_STRANGERS_MESSAGES_MAX: 12,
  WAITING_STRANGER_MESSAGES_MAX: 6,
  TRANSFER_CHUNK_BYTES: 150,
  TRANSFERS_MAX: 1,
  CANDIDATES_MAX: 2,
  SNAPSHOT_STEP_ITEMS: 2,
  OWN_VECTORS_MAX: 2,
  VECTOR_CHANGES_MAX: 2,
  WITNESSES_MAX: 2,
  WITNESS_MARKS_MAX: 1,
  STATE_DIGEST_POINTS_PER_LOOK_MAX: 2,
  ALARM_CAUSES_MAX: 4,
  SETTLED_DRAFTS_BYTES_TARGET: 100,
  BATCH_BYTES_TARGET: 150,
  BATCH_DEFLATE_FROM_BYTES: 60,
  ANSWER_BYTES_MAX: 500,
  REPEAT_BYTES_MAX: 512 * 1024,
  FLOOR_DIGESTS_MAX: 4,
}

// npm run sim -- --seed N --schedules K: the simulator reads its own arguments and explains them with --help.
ensureInstalled()
// A schedule is over in a few milliseconds and a run takes many: what is compiled sooner pays for itself, by a third.
setFlagsFromString('--interrupt-budget=20000')
setFlagsFromString('--no-flush-bytecode')
const args = process.argv.slice(2)
const isTight = args.includes('--tight')
const { main } = await bundleAndImport({
  name: isTight ? 'simulate-tight' : 'simulate',
  file: 'test/simulation/simulate.ts',
  keepNames: false,
  ...(isTight ? { bounds: TIGHT } : {}),
})
process.exitCode = await main(args)
