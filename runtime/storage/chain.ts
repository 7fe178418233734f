import type { Page } from './page.ts'
import type { FoundBatch, ScannedSegment } from './segment.ts'

/** The batches that follow the snapshot, each the proven successor of the one before. Pure. */
export interface Chain {
  readonly batches: readonly FoundBatch[]
  /** Records after the snapshot, in order. */
  readonly records: readonly Uint8Array[]
  /** Sequence number of the last record, or of the snapshot if there is none after it. */
  readonly last: number
  /** Batches that could not be read but whose records stood in the opening batch behind them. */
  readonly healed: number
}

/**
 * Follows the batches from the one that the snapshot reaches. A batch is taken only if its number is the next, its first
 * record is the next, and its epoch is the same or an opening batch begins a new one: so a remnant of an earlier round
 * through the segments, or of a write that was never acknowledged, is not taken.
 */
export function followChain(found: readonly FoundBatch[], through: number): Chain {
  const byNumber = groupByNumber(found)
  const batches: FoundBatch[] = []
  const records: Uint8Array[] = []
  let next = through + 1
  let healed = 0
  for (let at = startOf(found, through); at !== null;) {
    batches.push(at)
    const { firstSequence, records: held } = at.batch
    for (const record of held.slice(Math.max(0, next - firstSequence))) {
      records.push(record)
      next += 1
    }
    const step = successor(at, next, byNumber)
    if (step?.healed === true) healed += 1
    at = step?.batch ?? null
  }
  return { batches, records, last: next - 1, healed }
}

/**
 * What lies behind the end of the chain.
 * - `clean`: nothing but blank pages and remnants of earlier rounds.
 * - `torn`: parts of one batch that was being written; it had not been acknowledged.
 * - `damaged`: later batches, or an end before the snapshot, so what is missing had been acknowledged.
 */
export interface Tail {
  readonly kind: 'clean' | 'torn' | 'damaged'
  /** Pages to blank out, so that the next opening does not find them again. */
  readonly blots: ReadonlyMap<string, readonly number[]>
  /** Damaged pages before the end, which nothing needs any more. */
  readonly unneeded: number
}

export function judgeTail(segments: readonly ScannedSegment[], chain: Chain, through: number): Tail {
  const end = chain.batches.at(-1)
  const blots = new Map<string, readonly number[]>()
  const kinds = new Set<PageKind>()
  let unneeded = 0
  for (const segment of segments) {
    const whole = new Set(segment.batches.map(({ page }) => page))
    const pages: number[] = []
    for (const [index, page] of segment.pages.entries()) {
      const kind = judgePage(page, whole.has(index), end)
      if (kind === 'fine') continue
      pages.push(index)
      if (kind === 'damaged' && isBefore(segment, index, chain)) unneeded += 1
      else kinds.add(kind)
    }
    if (pages.length > 0) blots.set(segment.name, pages)
  }
  const short = (end === undefined ? 0 : end.batch.firstSequence + end.batch.records.length - 1) < through
  if (short || kinds.has('later')) return { kind: 'damaged', blots, unneeded }
  return { kind: kinds.has('next') || kinds.has('damaged') ? 'torn' : 'clean', blots, unneeded }
}

/**
 * `next` belongs to the batch after the end. One batch is in flight at a time, so this one may have been. `later` belongs
 * to a batch after that, and so proves that the next one had been acknowledged. `stale` is of an epoch before the end's.
 */
type PageKind = 'fine' | 'stale' | 'next' | 'later' | 'damaged'

function judgePage(page: Page, whole: boolean, end: FoundBatch | undefined): PageKind {
  if (page.kind === 'damaged') return 'damaged'
  const number = end?.batch.number ?? 0
  if (page.kind === 'blank' || page.header.batch <= number) return 'fine'
  if (page.header.epoch < (end?.batch.epoch ?? 0)) return 'stale'
  // A whole batch that was not taken into the chain does not continue it, whatever its number.
  return whole || page.header.batch > number + 1 ? 'later' : 'next'
}

/** In a segment that the chain has left behind, or before the last batch of it. */
function isBefore(segment: ScannedSegment, page: number, chain: Chain): boolean {
  const end = chain.batches.at(-1)
  if (segment.name === end?.segment) return page < end.page
  return chain.batches.some((found) => found.segment === segment.name)
}

/** The latest batch that begins no later than right after the snapshot. */
function startOf(found: readonly FoundBatch[], through: number): FoundBatch | null {
  let start: FoundBatch | null = null
  for (const candidate of found) {
    if (candidate.batch.firstSequence > through + 1) continue
    if (start === null || isLater(candidate, start)) start = candidate
  }
  return start
}

function successor(
  at: FoundBatch,
  next: number,
  byNumber: ReadonlyMap<number, readonly FoundBatch[]>,
): { batch: FoundBatch; healed: boolean } | null {
  const { number, epoch } = at.batch
  const direct = (byNumber.get(number + 1) ?? []).filter(({ batch }) =>
    batch.kind === 'opening'
      ? batch.epoch > epoch && batch.firstSequence <= next
      : batch.epoch === epoch && batch.firstSequence === next,
  )
  const [first] = direct.toSorted((left, right) => right.batch.epoch - left.batch.epoch)
  if (first !== undefined) return { batch: first, healed: false }
  // The batch between cannot be read. If it was the last of its epoch, the opening batch behind it holds its records.
  const copy = (byNumber.get(number + 2) ?? []).find(
    ({ batch }) => batch.kind === 'opening' && batch.epoch > epoch && batch.firstSequence <= next,
  )
  return copy === undefined ? null : { batch: copy, healed: true }
}

function isLater(left: FoundBatch, right: FoundBatch): boolean {
  if (left.batch.number !== right.batch.number) return left.batch.number > right.batch.number
  return left.batch.epoch > right.batch.epoch
}

function groupByNumber(found: readonly FoundBatch[]): Map<number, FoundBatch[]> {
  const groups = new Map<number, FoundBatch[]>()
  for (const one of found) {
    const group = groups.get(one.batch.number)
    if (group === undefined) groups.set(one.batch.number, [one])
    else group.push(one)
  }
  return groups
}
