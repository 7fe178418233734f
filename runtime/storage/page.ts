import { equalBytes } from '../base/bytes.ts'
import { STORAGE_PAGE_BYTES } from '../base/limits.ts'
import { crc32 } from '../base/checksum.ts'

/**
 * The unit of the journal: 4 KiB that say of themselves which batch they belong to, so that no payload and no remnant
 * of an older batch is ever taken for one. The layout stands in README.md. Numbers are big-endian.
 */
export interface PageHeader {
  /** `opening` is the first batch of each opening of the store and repeats the records of the batch before it. */
  readonly kind: 'records' | 'opening'
  /** Pages of the whole batch. */
  readonly pages: number
  /** Place of this page in its batch, from 0. */
  readonly index: number
  /** Runs through the life of the data directory, one per batch. */
  readonly batch: number
  /** Runs through the life of the data directory, one per opening. */
  readonly epoch: number
  /** Sequence number of the first record. */
  readonly firstSequence: number
  readonly count: number
  /** Bytes of all records with their headers. */
  readonly byteLength: number
}

/** What stands in one page: nothing yet, something that nobody wrote like this, or a part of a batch. */
export type Page =
  | { readonly kind: 'blank' }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'written'; readonly header: PageHeader }

export const PAGE_HEADER_BYTES = 40
export const PAGE_DATA_BYTES: number = STORAGE_PAGE_BYTES - PAGE_HEADER_BYTES
/** Of the data directory and of each page in it. */
export const FORMAT_VERSION = 1

/** Writes header and checksum around the data that `page` holds already. */
export function sealPage(page: Uint8Array, header: PageHeader): void {
  const view = viewOf(page)
  view.setUint32(4, MAGIC)
  view.setUint8(8, FORMAT_VERSION)
  view.setUint8(9, KINDS.indexOf(header.kind))
  view.setUint16(10, header.pages)
  view.setUint16(12, header.index)
  view.setUint16(14, 0)
  setUint48(view, 16, header.batch)
  setUint48(view, 22, header.firstSequence)
  view.setUint32(28, header.epoch)
  view.setUint32(32, header.count)
  view.setUint32(36, header.byteLength)
  view.setUint32(0, crc32(page.subarray(4)))
}

/** @param page STORAGE_PAGE_BYTES of anything */
export function readPage(page: Uint8Array): Page {
  if (equalBytes(page, BLANK)) return { kind: 'blank' }
  const view = viewOf(page)
  const kind = KINDS[view.getUint8(9)]
  const known = view.getUint32(4) === MAGIC && view.getUint8(8) === FORMAT_VERSION && kind !== undefined
  if (!known || view.getUint32(0) !== crc32(page.subarray(4))) return { kind: 'damaged' }
  const header: PageHeader = {
    kind,
    pages: view.getUint16(10),
    index: view.getUint16(12),
    batch: getUint48(view, 16),
    firstSequence: getUint48(view, 22),
    epoch: view.getUint32(28),
    count: view.getUint32(32),
    byteLength: view.getUint32(36),
  }
  return { kind: 'written', header }
}

/** `FSJP`: Fleetstep journal page. */
const MAGIC = 0x46534a50
const KINDS = ['records', 'opening'] as const
const BLANK = new Uint8Array(STORAGE_PAGE_BYTES)

function viewOf(page: Uint8Array): DataView {
  return new DataView(page.buffer, page.byteOffset, page.byteLength)
}

export function setUint48(view: DataView, at: number, value: number): void {
  view.setUint16(at, Math.floor(value / 0x1_0000_0000))
  view.setUint32(at + 2, value % 0x1_0000_0000)
}

export function getUint48(view: DataView, at: number): number {
  return view.getUint16(at) * 0x1_0000_0000 + view.getUint32(at + 2)
}
