import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { seededRandom } from '../../runtime/base/random.ts'
import { bundleProcess } from '../support/bundle-process.ts'
import { texts } from '../support/store-acceptance.ts'
import { makeRealBench } from '../support/store-bench.ts'

describe('A process that is killed with SIGKILL while it commits', () => {
  it('has lost no record that it had acknowledged, over several lives on one directory', async () => {
    const bench = await makeRealBench()
    try {
      const program = await bundleProcess('test/support/committing-process.ts', 'committing')
      const random = seededRandom(20)
      const told: Told = { acknowledged: 0, snapshotThrough: 0 }
      for (let life = 1; life <= LIVES; life += 1) {
        await runUntilKilled(program, bench.directory, life, 1 + (random.uint32() % 120), told)
        const store = bench.store()
        const { snapshot, records, last, damaged } = await store.open()
        await store.close()
        const through = snapshot?.through ?? 0
        assert.equal(damaged, false)
        assert.ok(last >= told.acknowledged, `life ${life}: ${last} of ${told.acknowledged} records`)
        assert.ok(through >= told.snapshotThrough, `life ${life}: snapshot ${through} of ${told.snapshotThrough}`)
        if (snapshot !== null) assert.equal(texts([snapshot.bytes])[0], `state ${through}`)
        const numbers = texts(records).map((text) => Number(text.split(' ')[0]))
        assert.deepEqual(
          numbers,
          Array.from({ length: last - through }, (_, index) => through + index + 1),
        )
        told.acknowledged = last
      }
      assert.ok(told.acknowledged > 10 * LIVES, 'the lives were long enough to mean something')
    } finally {
      await bench.end()
    }
  })
})

const LIVES = 10

interface Told {
  acknowledged: number
  snapshotThrough: number
}

/** Kills the process, by its pid, as soon as it has acknowledged so many commits; it is in the middle of the next. */
async function runUntilKilled(
  program: string,
  directory: string,
  life: number,
  commits: number,
  told: Told,
): Promise<void> {
  const child = spawn(process.execPath, [program, directory, `life-${life}`], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  let left = commits
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, number] = line.split(' ')
    if (word === 'snapshot') told.snapshotThrough = Number(number)
    if (word !== 'acknowledged') continue
    told.acknowledged = Number(number)
    left -= 1
    if (left === 0) child.kill('SIGKILL')
  }
  assert.deepEqual(await exited, [null, 'SIGKILL'])
}
