import { fraction } from '../../runtime/base/random.ts'
import type { Random } from '../../runtime/base/random.ts'
import type { ServedFile } from './fuse-connection.ts'

/** What came to a disk, in its order: writes, flushes, and marks that a test put between them. */
export type DiskEvent =
  | { readonly kind: 'write'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'flush' }
  | { readonly kind: 'mark'; readonly text: string }

/**
 * What a power cut makes of the writes since the last flush: all arrived (`prefix`); each arrived or not (`dropped`); each
 * of their sectors did (`torn`); and sectors that were being written hold anything (`junk`).
 */
export const CUT_KINDS = ['prefix', 'dropped', 'torn', 'junk'] as const
export type CutKind = (typeof CUT_KINDS)[number]

/** A disk in memory that remembers what happened to it once `record` was called. */
export class RecordedDisk implements ServedFile {
  readonly size: number
  readonly events: DiskEvent[] = []
  /** Told of each mark. */
  onMark: () => void = () => undefined
  readonly #bytes: Uint8Array
  #base: Uint8Array | null = null

  constructor(size: number) {
    this.size = size
    this.#bytes = new Uint8Array(size)
  }

  record(): void {
    this.#base = this.#bytes.slice()
  }

  read(at: number, length: number): Uint8Array {
    return this.#bytes.subarray(at, at + length)
  }

  write(at: number, bytes: Uint8Array): void {
    this.#bytes.set(bytes, at)
    if (this.#base !== null) this.events.push({ kind: 'write', at, bytes })
  }

  sync(): void {
    if (this.#base !== null) this.events.push({ kind: 'flush' })
  }

  /** A file beside the disk: what is written into it becomes a mark between the events of the disk. */
  get marks(): ServedFile {
    return {
      size: 0,
      read: () => new Uint8Array(0),
      write: (_at, bytes) => {
        if (this.#base === null) return
        this.events.push({ kind: 'mark', text: Buffer.from(bytes).toString() })
        this.onMark()
      },
      sync: () => undefined,
    }
  }

  /** What the medium holds after a power cut right before event `cut`. */
  imageAt(cut: number, kind: CutKind, random: Random): Uint8Array {
    if (this.#base === null) throw new Error('nothing was recorded')
    const image = this.#base.slice()
    const events = this.events.slice(0, cut)
    const flushed = events.findLastIndex((event) => event.kind === 'flush')
    for (const [index, event] of events.entries()) {
      if (event.kind !== 'write') continue
      if (index < flushed || kind === 'prefix') image.set(event.bytes, event.at)
      else cutWrite(image, event.at, event.bytes, kind, random)
    }
    return image
  }

  /** Writes that a power cut right before event `cut` meets in flight. */
  inFlightAt(cut: number): number {
    const events = this.events.slice(0, cut)
    const flushed = events.findLastIndex((event) => event.kind === 'flush')
    return events.filter(({ kind }, index) => index > flushed && kind === 'write').length
  }

  /** The marks before event `cut`, line by line. */
  linesBefore(cut: number): readonly string[] {
    const marks = this.events.slice(0, cut).flatMap((event) => (event.kind === 'mark' ? [event.text] : []))
    return marks.join('').split('\n').slice(0, -1)
  }
}

const SECTOR_BYTES = 512
const BLOCK_BYTES = 4096
/** In the first group descriptor, which stands behind the superblock: the block of the inode table. */
const INODE_TABLE_AT: number = BLOCK_BYTES + 8

/**
 * Whether a write holds what ext4 needs before it can replay its journal: the superblock, and the first block of the inode
 * table, where the journal's own inode stands. One that is torn loses the file system, whatever a program has done in it.
 */
function isNeededForReplay(image: Uint8Array, at: number, length: number): boolean {
  const inodeTableAt = new DataView(image.buffer).getUint32(INODE_TABLE_AT, true) * BLOCK_BYTES
  return at < BLOCK_BYTES || (at <= inodeTableAt && inodeTableAt < at + length)
}

function cutWrite(image: Uint8Array, at: number, bytes: Uint8Array, kind: CutKind, random: Random): void {
  if (kind === 'dropped' || isNeededForReplay(image, at, bytes.length)) {
    if (fraction(random) < 0.5) image.set(bytes, at)
    return
  }
  for (let from = 0; from < bytes.length; from += SECTOR_BYTES) {
    const sector = bytes.subarray(from, from + SECTOR_BYTES)
    const chance = fraction(random)
    if (kind === 'junk' && chance < 0.4) fillWithJunk(image.subarray(at + from, at + from + sector.length), random)
    else if (chance < 0.7) image.set(sector, at + from)
  }
}

function fillWithJunk(sector: Uint8Array, random: Random): void {
  for (let at = 0; at < sector.length; at += 1) sector[at] = random.uint32()
}
