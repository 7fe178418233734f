/**
 * A process that commits to a store and says on standard output what was acknowledged, until it is killed:
 *
 *   opened <last> <findings>        acknowledged <sequence>        snapshot <through>
 *
 * Arguments: the data directory, a text that is in each record, so that the lives can be told apart, and a file that gets
 * these lines in place of standard output.
 */
import { openSync, writeSync } from 'node:fs'
import { JournalStore } from '../../runtime/storage/journal-store.ts'
import { nodeFileSystem, nodeProcessTable } from '../../runtime/storage/node-file-system.ts'
import { OWNER } from './store-bench.ts'

const [directory = '', life = '', said = ''] = process.argv.slice(2)
const output = said === '' ? 1 : openSync(said, 'r+')
const store = new JournalStore({ fileSystem: nodeFileSystem, processes: nodeProcessTable, directory, owner: OWNER })
const recovered = await store.open()
// Written at once, so that a line that was acknowledged is never lost in a buffer of this process.
const say = (line: string): number => writeSync(output, `${line}\n`)
say(`opened ${recovered.last} ${recovered.findings.length}`)
const encoder = new TextEncoder()
let snapshot = Promise.resolve()
for (let last = recovered.last, turn = 1; ; turn += 1) {
  const records = Array.from({ length: 1 + (turn % 4) }, (_, index) =>
    encoder.encode(`${last + index + 1} ${life} ${'.'.repeat((turn * 997) % 20_000)}`),
  )
  last = await store.commit(records)
  say(`acknowledged ${last}`)
  if (turn % 50 !== 0) continue
  // The snapshot before has long ended; this one runs beside the commits that follow.
  await snapshot
  const through = last
  snapshot = store.snapshot(encoder.encode(`state ${through}`), through).then(() => void say(`snapshot ${through}`))
}
