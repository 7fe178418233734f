import { FleetstepError } from '../base/errors.ts'
import { JournalStore } from '../storage/journal-store.ts'
import { nodeFileSystem, nodeProcessTable } from '../storage/node-file-system.ts'
import { OverlayFileSystem } from '../storage/overlay-file-system.ts'
import { readOwner } from '../storage/owner.ts'
import { finishReplacement } from '../storage/replacement.ts'
import type { Recovered, StoreInfo, StoreOwner } from '../storage/store.ts'
import { WearFile } from '../storage/wear-file.ts'
import { CARD_ENDURANCE_TB_DEFAULT, estimateWear, type Wear } from '../storage/wear.ts'

/** What a look into a data directory found. Nothing in it was changed. */
export interface DirectoryReport extends StoreOwner, Wear {
  readonly directory: string
  readonly format: number
  /** Nothing that was acknowledged is missing. */
  readonly isWhole: boolean
  /** One line for each thing that is not as it should be, as the next start would report it. */
  readonly findings: readonly string[]
  readonly lastRecord: number
  readonly snapshotThrough: number
  readonly snapshotBytes: number
  readonly recordsAfterSnapshot: number
  readonly segments: number
  readonly diskBytes: number
  readonly freeBytes: number
  /** By all runs of a gateway on this directory. */
  readonly bytesWritten: number
}

/** Everything in a data directory: what a node would start with. */
export interface DirectoryContent {
  readonly report: DirectoryReport
  readonly recovered: Recovered
}

/**
 * Reads a data directory as a start would, and leaves it as it is.
 * @param cardEnduranceTb terabytes that its card is good for
 * @throws FleetstepError `data-directory-locked` while a daemon uses it, `data-directory-*`
 */
export async function readDataDirectory(
  directory: string,
  cardEnduranceTb: number = CARD_ENDURANCE_TB_DEFAULT,
): Promise<DirectoryContent> {
  const fileSystem = new OverlayFileSystem(nodeFileSystem)
  const owner = await ownerOf(fileSystem, directory)
  const written = await new WearFile(fileSystem, directory).load()
  const wear = { bytesWritten: written.bytes, ...estimateWear(written.bytes, written.ms, cardEnduranceTb) }
  const store = new JournalStore({ fileSystem, processes: nodeProcessTable, directory, owner })
  const recovered = await store.open()
  try {
    return { report: { ...describe(owner, recovered, store.info()), ...wear }, recovered }
  } finally {
    await store.close()
  }
}

async function ownerOf(fileSystem: OverlayFileSystem, directory: string): Promise<StoreOwner> {
  try {
    await finishReplacement(fileSystem, directory)
    return await readOwner(fileSystem, directory)
  } catch (cause) {
    if (cause instanceof FleetstepError) throw cause
    throw new FleetstepError(
      'data-directory-damaged',
      `${directory} holds no data of a gateway; name the dataDirectory of its config`,
      { cause },
    )
  }
}

function describe(
  owner: StoreOwner,
  recovered: Recovered,
  info: StoreInfo,
): Omit<DirectoryReport, keyof Wear | 'bytesWritten'> {
  return {
    ...owner,
    directory: info.directory,
    format: info.formatVersion,
    isWhole: !recovered.damaged,
    findings: recovered.findings,
    lastRecord: recovered.last,
    snapshotThrough: info.snapshotThrough,
    snapshotBytes: recovered.snapshot?.bytes.length ?? 0,
    recordsAfterSnapshot: recovered.records.length,
    segments: info.segments,
    diskBytes: info.diskBytes,
    freeBytes: info.freeBytes,
  }
}
