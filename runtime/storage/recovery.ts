import { STORAGE_PAGE_BYTES } from '../base/limits.ts'
import type { Batch } from './batch.ts'
import { followChain, judgeTail } from './chain.ts'
import type { Chain, Tail } from './chain.ts'
import { DamageMark } from './damage-mark.ts'
import type { Evidence } from './evidence.ts'
import { errorCode } from './file-system.ts'
import type { PageHeader } from './page.ts'
import { scanSegment } from './segment.ts'
import type { ScannedSegment } from './segment.ts'
import type { SegmentFiles } from './segment-files.ts'

/** Where the journal stands and what it held after the snapshot. */
export interface RecoveredJournal {
  readonly records: readonly Uint8Array[]
  /** Sequence number of the last record, or of the snapshot if there is none after it. */
  readonly last: number
  /** Bytes of the batches after the snapshot. */
  readonly bytes: number
  readonly findings: readonly string[]
  /** Acknowledged records may be missing. */
  readonly damaged: boolean
  readonly nextBatch: number
  readonly nextEpoch: number
  /** The last batch if it ends with the last record: the opening batch repeats it. */
  readonly lastBatch: Batch | null
  /** Segments that hold records, in the order in which they were written. */
  readonly live: readonly LiveSegment[]
  /** First free page of the last live segment; null if the next batch must begin another segment. */
  readonly nextPage: number | null
  readonly spare: readonly string[]
  /** Live segments whose medium takes no writes. */
  readonly failed: readonly string[]
  /** The same of those that nothing needs. */
  readonly retired: readonly string[]
}

export interface LiveSegment {
  readonly name: string
  readonly firstSequence: number
}

/**
 * Reads the journal after a stop of any kind, blanks out a torn tail, and sets damaged segments aside. What it changes is
 * on the medium when it returns; a power cut in the middle of it is recovered from like any other.
 * @param through last record that the snapshot stands for; 0 without a snapshot
 */
export async function recoverJournal(
  files: SegmentFiles,
  evidence: Evidence,
  through: number,
): Promise<RecoveredJournal> {
  const glances = await glanceAt(files)
  const covered = coveredSegments(glances, through)
  const unread = new Set(covered.map(({ name }) => name))
  const scanned: ScannedSegment[] = []
  for (const { name } of glances) if (!unread.has(name)) scanned.push(scanSegment(name, await files.read(name)))
  const found = scanned.flatMap((segment) => segment.batches)
  const chain = followChain(found, through)
  const tail = judgeTail(scanned, chain, through)
  const findings = describe(files.directory, chain, tail, through)
  if (tail.kind === 'damaged') await new DamageMark(files.fileSystem, files.directory).put(findings.join('; '))
  const removed = tail.kind === 'damaged' ? await setAside(files, evidence, scanned, chain, tail, findings) : []
  const failed = await blankOut(files, new Map([...tail.blots].filter(([name]) => !removed.includes(name))))
  for (const name of failed)
    findings.push(`${files.directory}/${name}: its medium takes no writes, so it is not used again; check the medium`)
  const kept = scanned.filter(({ name }) => !removed.includes(name))
  const standing = standingOf(chain, covered, scanned, kept)
  return { ...withoutFailed(standing, failed), findings, damaged: tail.kind === 'damaged' }
}

/** A journal that begins behind record `last`, of which nothing is written yet. */
export function emptyJournal(last: number): RecoveredJournal {
  const nothing = { records: [], findings: [], live: [], spare: [], failed: [], retired: [], bytes: 0, damaged: false }
  return { ...nothing, last, nextBatch: 1, nextEpoch: 1, lastBatch: null, nextPage: null }
}

/** A segment and a batch by which it stands in the order, as far as one is known. Its first one or, which costs nothing, a later one. */
interface Glance {
  readonly name: string
  readonly first: Pick<PageHeader, 'batch' | 'epoch' | 'firstSequence'> | null
}

interface Placed extends Glance {
  readonly first: NonNullable<Glance['first']>
}

async function glanceAt(files: SegmentFiles): Promise<readonly Glance[]> {
  const glances: Glance[] = []
  for (const name of await files.list()) glances.push({ name, first: await files.readNewestHeader(name) })
  return glances
}

/**
 * Segments that need not be read because the snapshot stands for all of them. One more than needed is read: the segment
 * that seems to follow the snapshot may hold a batch that was torn, and then the chain ends in the one before.
 */
function coveredSegments(glances: readonly Glance[], through: number): readonly Placed[] {
  const ordered = inOrder(glances)
  const start = ordered.findLastIndex(({ first }) => first.firstSequence <= through + 1)
  return ordered.slice(0, Math.max(0, start - 1))
}

function inOrder(glances: readonly Glance[]): readonly Placed[] {
  return glances
    .filter((glance): glance is Placed => glance.first !== null)
    .toSorted((left, right) => left.first.batch - right.first.batch)
}

type Standing = Omit<RecoveredJournal, 'findings' | 'damaged' | 'failed' | 'retired'>

function standingOf(
  chain: Chain,
  covered: readonly Placed[],
  scanned: readonly ScannedSegment[],
  kept: readonly ScannedSegment[],
): Standing {
  const end = chain.batches.at(-1)
  const pages = scanned.flatMap((segment) => segment.pages)
  const seen = pages.flatMap((page) => (page.kind === 'written' ? [page.header] : []))
  const places = [...covered, ...kept.map((segment) => placeOf(segment, chain))]
  const live = inOrder(places)
  return {
    records: chain.records,
    last: chain.last,
    bytes: chain.batches.reduce((sum, batch) => sum + batch.pages, 0) * STORAGE_PAGE_BYTES,
    // Without an end nothing of what was read is kept; a number above all of it cannot be mistaken for a part of it.
    nextBatch: (end?.batch.number ?? seen.reduce((most, header) => Math.max(most, header.batch), 0)) + 1,
    nextEpoch:
      [...seen, ...covered.map(({ first }) => first)].reduce((most, { epoch }) => Math.max(most, epoch), 0) + 1,
    lastBatch: end !== undefined && endsAt(end.batch) === chain.last ? end.batch : null,
    live: live.map(({ name, first }) => ({ name, firstSequence: first.firstSequence })),
    nextPage: end !== undefined && live.at(-1)?.name === end.segment ? end.page + end.pages : null,
    spare: places.filter(({ first }) => first === null).map(({ name }) => name),
  }
}

/** By the first batch of the chain in it; where there is none by the newest one. Batches above the end have been blanked. */
function placeOf({ name, batches }: ScannedSegment, chain: Chain): Glance {
  const end = chain.batches.at(-1)?.batch.number ?? 0
  const ofChain = chain.batches.find(({ segment }) => segment === name)
  const older = batches.filter(({ batch }) => batch.number <= end)
  const newest = older.toSorted((left, right) => left.batch.number - right.batch.number).at(-1)
  const first = (ofChain ?? newest)?.batch
  if (first === undefined) return { name, first: null }
  return { name, first: { batch: first.number, epoch: first.epoch, firstSequence: first.firstSequence } }
}

function endsAt(batch: Batch): number {
  return batch.firstSequence + batch.records.length - 1
}

/**
 * Returns the segments whose medium refuses it. What stays there is of an earlier epoch than the opening batch that is written
 * elsewhere, or behind the last batch of a segment that was left: the next recovery passes it over.
 */
async function blankOut(files: SegmentFiles, blots: Tail['blots']): Promise<readonly string[]> {
  const failed: string[] = []
  for (const [name, pages] of blots) {
    try {
      await files.blank(name, pages)
    } catch (error) {
      if (errorCode(error) !== 'EIO') throw error
      failed.push(name)
    }
  }
  return failed
}

function withoutFailed(
  standing: Standing,
  names: readonly string[],
): Standing & Pick<RecoveredJournal, 'failed' | 'retired'> {
  const isFailed = (name: string): boolean => names.includes(name)
  const { live, spare } = standing
  const failed = live.map(({ name }) => name).filter(isFailed)
  const nextPage = failed.includes(live.at(-1)?.name ?? '') ? null : standing.nextPage
  return {
    ...standing,
    nextPage,
    spare: spare.filter((name) => !isFailed(name)),
    failed,
    retired: spare.filter(isFailed),
  }
}

/** Keeps every segment that holds a blot: as a copy if a part of it is still needed, otherwise under another name. */
async function setAside(
  files: SegmentFiles,
  evidence: Evidence,
  scanned: readonly ScannedSegment[],
  chain: Chain,
  tail: Tail,
  findings: string[],
): Promise<readonly string[]> {
  const needed = new Set(chain.batches.map(({ segment }) => segment))
  const blotted = scanned.map(({ name }) => name).filter((name) => tail.blots.has(name))
  await evidence.makeRoom()
  // Copies first: once the later segments have gone, the damage would look like a torn tail.
  for (const name of blotted.filter((one) => needed.has(one))) {
    const copy = await evidence.copyAside(name, await files.read(name))
    findings.push(
      copy === null
        ? `${files.directory}/${name}: the disk is full, so its damaged part could not be kept as evidence`
        : `${files.directory}/${copy}: a copy of the damaged ${name} is kept here as evidence`,
    )
  }
  const removed = blotted.filter((name) => !needed.has(name))
  for (const name of removed) {
    findings.push(`${files.directory}/${await evidence.moveAside(name)}: ${name} is kept here as evidence`)
  }
  await files.fileSystem.syncDirectory(files.directory)
  return removed
}

function describe(directory: string, chain: Chain, tail: Tail, through: number): string[] {
  const findings: string[] = []
  if (tail.kind === 'torn') {
    findings.push(
      `${directory}: the journal ends in a batch that is not whole (power was cut while it was written, or the medium decays); ` +
        `everything up to record ${chain.last} is kept`,
    )
  }
  if (tail.kind === 'damaged') {
    findings.push(
      `${directory}: ALARM, the journal is damaged after record ${chain.last} and later records are missing; ` +
        `${chain.last - through} records after the snapshot are kept, the rest must come from the other members; check the medium`,
    )
  }
  if (chain.healed > 0) {
    findings.push(
      `${directory}: ${chain.healed} damaged batches of the journal were read from their copies; check the medium`,
    )
  }
  if (tail.unneeded > 0) {
    findings.push(
      `${directory}: ${tail.unneeded} damaged pages of the journal were not needed any more; check the medium`,
    )
  }
  return findings
}
