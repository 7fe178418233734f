import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { record } from './store-acceptance.ts'
import { DIRECTORY, SimulatedBench } from './store-bench.ts'

/*
 * test/storage/golden/format-N is a data directory as version N of the format was written, of segments of
 * SMALL_SEGMENT_BYTES. It is made once, by liveGoldenLife below, and never again: whoever changes the format leaves it,
 * adds a migration, and makes the folder of the new format with
 *   FLEETSTEP_GOLDEN=write npm test -- --only migration --no-check
 */

export const GOLDEN_RECORDS: readonly string[] = ['one', 'two', 'three', 'four', 'five'].map((name, index) =>
  // The third spans several pages.
  name.padEnd(index === 2 ? 9000 : name.length, '.'),
)
export const GOLDEN_THROUGH = 2
export const GOLDEN_STATE = 'state of one and two'

/** Two lives, a batch over several pages, two snapshots, and a segment that is used again. */
export async function liveGoldenLife(): Promise<SimulatedBench> {
  const bench = new SimulatedBench()
  const first = bench.store()
  await first.open()
  await first.commit([record('one')])
  await first.snapshot(record('state of one'), 1)
  await first.commit([record('two')])
  await first.close()
  const second = bench.store()
  await second.open()
  await second.snapshot(record(GOLDEN_STATE), GOLDEN_THROUGH)
  await second.commit([record(GOLDEN_RECORDS[2] ?? ''), record('four')])
  await second.commit([record('five')])
  await second.close()
  return bench
}

/** Names and bytes, without the lock. */
export function filesOf(bench: SimulatedBench): ReadonlyMap<string, Uint8Array> {
  const paths = bench.fileSystem.paths().filter((path) => !path.includes('/lock-'))
  return new Map(
    paths.toSorted().map((path) => [path.slice(DIRECTORY.length + 1), bench.fileSystem.bytesOf(path)] as const),
  )
}

export async function readGolden(format: number): Promise<ReadonlyMap<string, Uint8Array>> {
  const folder = folderOf(format)
  const names = (await readdir(folder)).toSorted()
  return new Map(
    await Promise.all(names.map(async (name) => [name, new Uint8Array(await readFile(join(folder, name)))] as const)),
  )
}

export async function writeGolden(format: number, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  await mkdir(folderOf(format), { recursive: true })
  for (const [name, bytes] of files) await writeFile(join(folderOf(format), name), bytes, { flag: 'wx' })
}

/** A simulated disk with these files in the data directory. */
export function benchWith(files: ReadonlyMap<string, Uint8Array>, seed = 1): SimulatedBench {
  const bench = new SimulatedBench(seed)
  for (const [name, bytes] of files) bench.fileSystem.put(`${DIRECTORY}/${name}`, bytes)
  return bench
}

function folderOf(format: number): string {
  return resolve('test', 'storage', 'golden', `format-${format}`)
}
