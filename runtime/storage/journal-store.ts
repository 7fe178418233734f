import type { Clock } from '../base/clock.ts'
import { AssertionError, FleetstepError, assert } from '../base/errors.ts'
import {
  DISK_FREE_REFUSAL_BYTES,
  DISK_FREE_WARNING_BYTES,
  SEGMENT_BYTES,
  SNAPSHOT_JOURNAL_BYTES,
  STORAGE_PAGE_BYTES,
  STORE_BYTES_MAX,
  STORE_BYTES_WARNING,
} from '../base/limits.ts'
import { assertBatchBounds } from './batch.ts'
import { DamageMark } from './damage-mark.ts'
import { lockDirectory } from './directory-lock.ts'
import type { DirectoryLock, ProcessTable } from './directory-lock.ts'
import { Evidence } from './evidence.ts'
import { explainFailure } from './failure.ts'
import type { FileSystem } from './file-system.ts'
import { Journal } from './journal.ts'
import { FORMATS } from './migration.ts'
import type { Formats } from './migration.ts'
import { claimDirectory } from './owner.ts'
import { recoverJournal } from './recovery.ts'
import { finishReplacement } from './replacement.ts'
import { SegmentFiles } from './segment-files.ts'
import { Snapshots } from './snapshot.ts'
import type { Recovered, SpaceLevel, Store, StoreInfo, StoreOwner } from './store.ts'
import { WearFile } from './wear-file.ts'
import type { WrittenSoFar } from './wear-file.ts'

export interface JournalStoreOptions {
  readonly fileSystem: FileSystem
  readonly processes: ProcessTable
  /** Made with its parents if it is not there. */
  readonly directory: string
  readonly owner: StoreOwner
  /** Another size than SEGMENT_BYTES, for tests; the same for the life of the directory, whole pages. */
  readonly segmentBytes?: number
  /** Others than FORMATS, for tests of the steps between them. */
  readonly formats?: Formats
  /** Counts the time over which the card is written to; without one, that is not kept. */
  readonly clock?: Clock
}

/** The store of a daemon: a journal of recycled segments and two alternating snapshots in one data directory. */
export class JournalStore implements Store {
  readonly #options: JournalStoreOptions
  #state: State = { kind: 'new' }
  readonly #wear: WearFile
  readonly #damage: DamageMark
  /** Whoever opened the store was told what is missing, and goes on. */
  #isDamageTold = false
  #openedAt = 0
  #commits = 0
  #snapshotBytesWritten = 0
  #space: SpaceLevel = 'enough'
  #freeBytes = 0
  #committing: Promise<unknown> | null = null
  #snapshotting: Promise<unknown> | null = null

  constructor(options: JournalStoreOptions) {
    const segmentBytes = options.segmentBytes ?? SEGMENT_BYTES
    assert(segmentBytes % STORAGE_PAGE_BYTES === 0, 'a segment is whole pages')
    this.#options = options
    this.#wear = new WearFile(options.fileSystem, options.directory)
    this.#damage = new DamageMark(options.fileSystem, options.directory)
  }

  async open(): Promise<Recovered> {
    assert(this.#state.kind === 'new', 'a store is opened once')
    const { fileSystem, processes, directory, owner } = this.#options
    let lock: DirectoryLock | null = null
    try {
      await fileSystem.makeDirectory(directory)
      lock = await lockDirectory(fileSystem, processes, directory)
      await finishReplacement(fileSystem, directory)
      await claimDirectory(fileSystem, directory, owner, this.#formats)
      return await this.#recover(lock)
    } catch (error) {
      this.#state = { kind: 'closed' }
      await lock?.release().catch(() => undefined)
      throw explainFailure(error, directory, 'opening')
    }
  }

  async commit(records: readonly Uint8Array[]): Promise<number> {
    const { journal } = this.#parts()
    assertBatchBounds(records)
    assert(this.#committing === null, 'one commit is in flight at a time')
    const work = journal.append(records)
    this.#committing = work
    try {
      const last = await work
      this.#commits += 1
      if (this.#isDamageTold) await this.#damage.remove()
      this.#isDamageTold = false
      return last
    } catch (error) {
      throw this.#fail(error)
    } finally {
      this.#committing = null
    }
  }

  async snapshot(bytes: Uint8Array, through: number): Promise<void> {
    this.checkPlace()
    const parts = this.#parts()
    assert(through <= parts.journal.last, 'a snapshot stands for committed records alone')
    assert(this.#snapshotting === null, 'one snapshot is written at a time')
    const work = this.#replaceSnapshot(parts, bytes, through)
    this.#snapshotting = work
    try {
      await work
    } catch (error) {
      throw this.#fail(error)
    } finally {
      this.#snapshotting = null
    }
  }

  async keepEvidence(name: string, bytes: Uint8Array): Promise<string | null> {
    this.checkPlace()
    const { fileSystem, directory } = this.#options
    const evidence = new Evidence(fileSystem, directory)
    try {
      await evidence.makeRoom()
      return await evidence.copyAside(name, bytes)
    } catch (error) {
      throw explainFailure(error, directory, 'writing')
    }
  }

  info(): StoreInfo {
    assert(this.#state.kind === 'open' || this.#state.kind === 'failed', 'the store is open')
    const { journal, snapshots } = this.#state.parts
    return {
      directory: this.#options.directory,
      formatVersion: this.#formats.current,
      lastSequence: journal.last,
      snapshotThrough: snapshots.through,
      segments: journal.segments,
      diskBytes: this.#diskBytes(this.#state.parts),
      bytesWritten: this.#writtenBy(journal),
      lifetime: this.#lifetimeOf(journal),
      commits: this.#commits,
      space: this.#space,
      freeBytes: this.#freeBytes,
      mediumErrors: journal.mediumErrors,
      // After a failure of the medium nothing should depend on the segment that failed for longer than need be.
      snapshotDue: journal.hasFailed || journal.bytes >= Math.max(SNAPSHOT_JOURNAL_BYTES, 2 * snapshots.newestBytes),
    }
  }

  async checkSpace(): Promise<SpaceLevel> {
    const parts = this.#parts()
    const { fileSystem, directory } = this.#options
    try {
      this.#freeBytes = await fileSystem.freeBytes(directory)
    } catch (error) {
      throw explainFailure(error, directory, 'writing')
    }
    this.#space = spaceLevel(this.#freeBytes, this.#diskBytes(parts))
    return this.#space
  }

  checkPlace(): void {
    const { journal } = this.#parts()
    try {
      journal.checkPlace()
    } catch (error) {
      throw this.#fail(error)
    }
  }

  async close(): Promise<void> {
    const state = this.#state
    if (state.kind === 'new' || state.kind === 'closed') return
    this.#state = { kind: 'closed' }
    const { journal, lock } = state.parts
    await Promise.allSettled([this.#committing, this.#snapshotting])
    const lost = state.kind === 'open' ? await this.#finish(journal) : null
    await journal.settled()
    // Everything acknowledged is on the medium already, so a failure to close a file means nothing.
    await journal.close().catch(() => undefined)
    try {
      await lock.release()
    } catch (error) {
      throw explainFailure(error, this.#options.directory, 'writing')
    }
    if (lost !== null) throw lost
  }

  /** What a clean end adds. Returns why that has no place any more, or null. */
  async #finish(journal: Journal): Promise<FleetstepError | null> {
    try {
      journal.checkPlace()
    } catch (error) {
      return explainFailure(error, this.#options.directory, 'writing')
    }
    await journal.end().catch(() => undefined)
    await journal.settled()
    await this.#saveWear(journal)
    return null
  }

  async #replaceSnapshot({ journal, snapshots }: Parts, bytes: Uint8Array, through: number): Promise<void> {
    const bytesBefore = journal.bytes
    this.#snapshotBytesWritten += await snapshots.write(bytes, through)
    journal.restartCount(journal.bytes - bytesBefore)
    journal.free(snapshots.coveredByBoth)
    await this.#keepFailedSegments(journal)
    await this.#saveWear(journal)
  }

  #writtenBy(journal: Journal): number {
    return journal.bytesWritten + this.#snapshotBytesWritten
  }

  #lifetimeOf(journal: Journal): WrittenSoFar | null {
    const { clock } = this.#options
    if (clock === undefined) return null
    return this.#wear.totalWith({ bytes: this.#writtenBy(journal), ms: clock.now() - this.#openedAt })
  }

  async #saveWear(journal: Journal): Promise<void> {
    const { clock } = this.#options
    if (clock === undefined) return
    await this.#wear.save({ bytes: this.#writtenBy(journal), ms: clock.now() - this.#openedAt })
  }

  #diskBytes({ journal, snapshots }: Parts): number {
    return journal.segments * this.#segmentBytes + snapshots.diskBytes
  }

  /** As evidence, under another name, so that their blocks are not used again. */
  async #keepFailedSegments(journal: Journal): Promise<void> {
    const { fileSystem, directory } = this.#options
    const retired = journal.takeRetired()
    if (retired.length === 0) return
    const evidence = new Evidence(fileSystem, directory)
    await evidence.makeRoom()
    for (const name of retired) await evidence.moveAside(name)
    await fileSystem.syncDirectory(directory)
  }

  get #formats(): Formats {
    return this.#options.formats ?? FORMATS
  }

  get #segmentBytes(): number {
    return this.#options.segmentBytes ?? SEGMENT_BYTES
  }

  async #recover(lock: DirectoryLock): Promise<Recovered> {
    const { fileSystem, directory } = this.#options
    await removeDrafts(fileSystem, directory)
    const evidence = new Evidence(fileSystem, directory)
    const snapshots = new Snapshots(fileSystem, directory)
    const untold = await this.#damage.read()
    const { snapshot, findings } = await snapshots.load(evidence)
    const files = new SegmentFiles(fileSystem, directory, this.#segmentBytes)
    const recovered = await recoverJournal(files, evidence, snapshot?.through ?? 0)
    // A killed process may have left names that are seen and yet not on the medium; from here on they are relied upon.
    await fileSystem.syncDirectory(directory)
    const journal = new Journal(files, recovered)
    journal.free(snapshots.coveredByBoth)
    await this.#keepFailedSegments(journal)
    const late = await this.#begin(journal)
    await this.#wear.load()
    this.#openedAt = this.#options.clock?.now() ?? 0
    const parts: Parts = { journal, snapshots, lock }
    this.#space = spaceLevel(this.#freeBytes, this.#diskBytes(parts))
    this.#state = { kind: 'open', parts }
    this.#isDamageTold = untold !== null || recovered.damaged
    return {
      snapshot,
      records: recovered.records,
      last: recovered.last,
      findings: [...(untold === null ? [] : [untold]), ...findings, ...recovered.findings, ...late],
      damaged: this.#isDamageTold,
    }
  }

  /** Where it fails no file of the journal stays open, and nothing is being made in a directory that is given back. */
  async #begin(journal: Journal): Promise<readonly string[]> {
    const { fileSystem, directory } = this.#options
    try {
      const late = await beginIfRoom(journal)
      journal.prepareSpare()
      await journal.settled()
      this.#freeBytes = await fileSystem.freeBytes(directory)
      return late
    } catch (error) {
      await journal.close().catch(() => undefined)
      throw error
    }
  }

  #parts(): Parts {
    if (this.#state.kind === 'failed') throw this.#state.error
    assert(this.#state.kind === 'open', 'the store is open')
    return this.#state.parts
  }

  /** What the caller gets. All but a full disk, a limit or a broken invariant ends the writing. */
  #fail(cause: unknown): unknown {
    if (cause instanceof AssertionError) return cause
    const error = explainFailure(cause, this.#options.directory, 'writing')
    if (error.code === 'storage-failed' && this.#state.kind === 'open') {
      this.#state = { kind: 'failed', parts: this.#state.parts, error }
    }
    return error
  }
}

type State =
  | { readonly kind: 'new' }
  | { readonly kind: 'open'; readonly parts: Parts }
  | { readonly kind: 'failed'; readonly parts: Parts; readonly error: FleetstepError }
  | { readonly kind: 'closed' }

interface Parts {
  readonly journal: Journal
  readonly snapshots: Snapshots
  readonly lock: DirectoryLock
}

function spaceLevel(freeBytes: number, ownBytes: number): SpaceLevel {
  if (freeBytes < DISK_FREE_REFUSAL_BYTES || ownBytes >= STORE_BYTES_MAX) return 'refusing'
  return freeBytes < DISK_FREE_WARNING_BYTES || ownBytes >= STORE_BYTES_WARNING ? 'low' : 'enough'
}

/** What an interrupted step left behind: it had no name yet, so nothing relied on it. */
async function removeDrafts(fileSystem: FileSystem, directory: string): Promise<void> {
  for (const name of await fileSystem.list(directory)) {
    if (/^(journal|snapshot|format|damaged|wear)\.new$/.test(name)) await fileSystem.remove(`${directory}/${name}`)
  }
}

/** A full disk does not keep a gateway from starting with what it has. */
async function beginIfRoom(journal: Journal): Promise<readonly string[]> {
  try {
    await journal.begin()
    return []
  } catch (error) {
    if (!(error instanceof FleetstepError) || error.code !== 'disk-full') throw error
    await journal.sync()
    return [error.message]
  }
}
