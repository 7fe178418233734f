import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { JournalStore } from '../../runtime/storage/journal-store.ts'
import { nodeFileSystem, nodeProcessTable } from '../../runtime/storage/node-file-system.ts'
import type { Recovered } from '../../runtime/storage/store.ts'
import { texts } from '../support/store-acceptance.ts'
import { OWNER } from '../support/store-bench.ts'
import { LoopDisk } from './loop-disk.ts'

/** Repairs the file system in an image of a disk as a start does, and opens the store in it. */
export async function openImage(folder: string, file: string): Promise<Recovered> {
  const mountPoint = join(folder, 'replayed')
  await mkdir(mountPoint, { recursive: true })
  const loop = await LoopDisk.attach(file, mountPoint)
  try {
    await loop.repair()
    await loop.mount()
    try {
      return await openStore(join(mountPoint, 'data'))
    } finally {
      await loop.unmount()
    }
  } finally {
    await loop.detach()
  }
}

/** Opens twice: what the first opening found must be there after it has written. */
async function openStore(directory: string): Promise<Recovered> {
  const openings: Recovered[] = []
  for (let turn = 0; turn < 2; turn += 1) {
    const store = new JournalStore({ fileSystem: nodeFileSystem, processes: OTHER_BOOT, directory, owner: OWNER })
    openings.push(await store.open())
    await store.close()
  }
  const [first, second] = openings
  assert.ok(first !== undefined && second !== undefined)
  assert.deepEqual(second.records, first.records)
  assert.deepEqual(second.findings, [])
  return first
}

/** After a power cut no process of before is alive. */
const OTHER_BOOT = {
  own: () => nodeProcessTable.own(),
  isAlive: () => Promise.resolve(false),
}

/**
 * Looks for all that a committing process had said, and for nothing that it cannot have written.
 * @param before the lines that it had said before the image was made
 * @param after those that it had said when the image was there
 * @returns the number of the last record that had been acknowledged
 */
export function checkImage(
  recovered: Recovered,
  before: readonly string[],
  after: readonly string[],
  what: string,
): number {
  const acknowledged = lastOf(before, 'acknowledged')
  const through = recovered.snapshot?.through ?? 0
  const context = `${what}: ${recovered.findings.join('; ')}`
  assert.equal(recovered.damaged, false, context)
  assert.ok(recovered.last >= acknowledged, `${context}: ${recovered.last} of ${acknowledged} acknowledged records`)
  assert.ok(
    recovered.last <= lastOf(after, 'acknowledged') + RECORDS_IN_FLIGHT_MAX,
    `${context}: ${recovered.last} records`,
  )
  assert.ok(through >= lastOf(before, 'snapshot'), `${context}: snapshot ${through} of ${lastOf(before, 'snapshot')}`)
  if (recovered.snapshot !== null) assert.equal(texts([recovered.snapshot.bytes])[0], `state ${through}`, context)
  const numbers = texts(recovered.records).map((text) => Number(text.split(' ')[0]))
  const expected = Array.from({ length: recovered.last - through }, (_, index) => through + index + 1)
  assert.deepEqual(numbers, expected, context)
  return acknowledged
}

/** The committing process puts at most four records into one batch. */
const RECORDS_IN_FLIGHT_MAX = 4

function lastOf(lines: readonly string[], word: string): number {
  return Math.max(0, ...lines.filter((line) => line.startsWith(word)).map((line) => Number(line.split(' ')[1])))
}
