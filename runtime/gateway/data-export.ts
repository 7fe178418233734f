import { createHash, type Hash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { FleetstepError } from '../base/errors.ts'
import { isFull } from '../storage/file-system.ts'
import type { Recovered } from '../storage/store.ts'
import { type DirectoryReport, readDataDirectory } from './data-directory.ts'
import { readIdentityRecord } from './identity-file.ts'
import { syncFolder } from './secret-file.ts'

/*
 * An export is JSON, one value a line, so that it can be looked at with ordinary tools:
 *   {"export":1, …the report…}   {"identity":{…}}   {"snapshot":"<base64>","through":N}
 *   {"record":N+1,"bytes":"<base64>"} …   {"sha256":"…of all lines before, each with its end"}
 * Identity and snapshot are there if the directory had them.
 */
export const EXPORT_VERSION = 1

/**
 * Writes what a data directory holds into one new file: what it is, whose, the snapshot, each record behind it.
 * @throws FleetstepError as {@link readDataDirectory}, `disk-full`, and `usage` if the file cannot be made
 */
export async function exportDataDirectory(directory: string, file: string): Promise<DirectoryReport> {
  const { report, recovered } = await readDataDirectory(directory)
  const identity = readIdentityRecord(directory)
  const descriptor = attempt(file, () => openSync(file, 'wx', 0o600))
  try {
    const hash = createHash('sha256')
    const head = { export: EXPORT_VERSION, ...report }
    for (const value of [head, ...(identity === null ? [] : [{ identity }]), ...contentLines(recovered)]) {
      attempt(file, () => writeLine(descriptor, value, hash))
    }
    attempt(file, () => writeLine(descriptor, { sha256: hash.digest('hex') }, null))
    attempt(file, () => {
      fsyncSync(descriptor)
      syncFolder(dirname(resolve(file)))
    })
  } catch (error) {
    rmSync(file, { force: true })
    throw error
  } finally {
    closeSync(descriptor)
  }
  return report
}

function* contentLines({ snapshot, records }: Recovered): Generator<object> {
  if (snapshot !== null) yield { snapshot: base64(snapshot.bytes), through: snapshot.through }
  let sequence = snapshot?.through ?? 0
  for (const bytes of records) {
    sequence += 1
    yield { record: sequence, bytes: base64(bytes) }
  }
}

function writeLine(descriptor: number, value: object, hash: Hash | null): void {
  const line = Buffer.from(`${JSON.stringify(value)}\n`)
  hash?.update(line)
  for (let done = 0; done < line.length;) done += writeSync(descriptor, line, done)
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function attempt<T>(file: string, action: () => T): T {
  try {
    return action()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new FleetstepError(
      isFull(cause) ? 'disk-full' : 'usage',
      `${file} cannot be written (${reason}); name a new file in a folder that is there and has room`,
      { cause },
    )
  }
}
