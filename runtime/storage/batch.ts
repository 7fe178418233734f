import { assert } from '../base/errors.ts'
import {
  RECORD_BYTES_MAX,
  STORAGE_PAGE_BYTES,
  STORED_BATCH_BYTES_MAX,
  STORED_RECORD_HEADER_BYTES,
} from '../base/limits.ts'
import { crc32 } from '../base/checksum.ts'
import { PAGE_DATA_BYTES, PAGE_HEADER_BYTES, sealPage } from './page.ts'
import type { Page, PageHeader } from './page.ts'

/** What one commit writes: records that become durable together or not at all. */
export interface Batch {
  readonly kind: PageHeader['kind']
  readonly number: number
  readonly epoch: number
  readonly firstSequence: number
  readonly records: readonly Uint8Array[]
}

/** The pages of a batch, ready for one write. */
export function encodeBatch(batch: Batch): Uint8Array {
  const data = encodeRecords(batch.records)
  const pages = Math.max(1, Math.ceil(data.length / PAGE_DATA_BYTES))
  const bytes = new Uint8Array(pages * STORAGE_PAGE_BYTES)
  for (let index = 0; index < pages; index += 1) {
    const page = pageAt(bytes, index)
    page.set(data.subarray(index * PAGE_DATA_BYTES, (index + 1) * PAGE_DATA_BYTES), PAGE_HEADER_BYTES)
    sealPage(page, {
      kind: batch.kind,
      pages,
      index,
      batch: batch.number,
      epoch: batch.epoch,
      firstSequence: batch.firstSequence,
      count: batch.records.length,
      byteLength: data.length,
    })
  }
  return bytes
}

/**
 * The batch that begins with the first of `pages`, or null if any part of it is missing, foreign or damaged.
 * @param bytes what `pages` were read from
 */
export function decodeBatch(bytes: Uint8Array, pages: readonly Page[]): Batch | null {
  const first = headerOf(pages[0])
  if (first === null || first.index !== 0 || first.pages > pages.length) return null
  if (first.pages !== Math.max(1, Math.ceil(first.byteLength / PAGE_DATA_BYTES))) return null
  const data = new Uint8Array(first.pages * PAGE_DATA_BYTES)
  for (let index = 0; index < first.pages; index += 1) {
    const header = headerOf(pages[index])
    if (header === null || header.index !== index || !sameBatch(header, first)) return null
    data.set(pageAt(bytes, index).subarray(PAGE_HEADER_BYTES), index * PAGE_DATA_BYTES)
  }
  const records = decodeRecords(data.subarray(0, first.byteLength), first.count)
  if (records === null) return null
  const { kind, batch: number, epoch, firstSequence } = first
  return { kind, number, epoch, firstSequence, records }
}

/** Asserts the bounds that the port states for one commit. */
export function assertBatchBounds(records: readonly Uint8Array[]): void {
  assert(records.length > 0, 'a commit holds at least one record')
  let total = 0
  for (const record of records) {
    assert(record.length <= RECORD_BYTES_MAX, 'a record is at most RECORD_BYTES_MAX long')
    total += STORED_RECORD_HEADER_BYTES + record.length
  }
  assert(total <= STORED_BATCH_BYTES_MAX, 'a commit is at most STORED_BATCH_BYTES_MAX long')
}

function encodeRecords(records: readonly Uint8Array[]): Uint8Array {
  const total = records.reduce((sum, record) => sum + STORED_RECORD_HEADER_BYTES + record.length, 0)
  const bytes = new Uint8Array(total)
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const record of records) {
    view.setUint32(at, record.length)
    view.setUint32(at + 4, crc32(record))
    bytes.set(record, at + STORED_RECORD_HEADER_BYTES)
    at += STORED_RECORD_HEADER_BYTES + record.length
  }
  return bytes
}

function decodeRecords(bytes: Uint8Array, count: number): readonly Uint8Array[] | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const records: Uint8Array[] = []
  let at = 0
  while (at + STORED_RECORD_HEADER_BYTES <= bytes.length) {
    const start = at + STORED_RECORD_HEADER_BYTES
    const end = start + view.getUint32(at)
    if (end > bytes.length) return null
    // A copy, so that one small record does not hold a whole segment in memory.
    const record = bytes.slice(start, end)
    if (crc32(record) !== view.getUint32(at + 4)) return null
    records.push(record)
    at = end
  }
  return at === bytes.length && records.length === count ? records : null
}

function sameBatch(header: PageHeader, first: PageHeader): boolean {
  return (
    header.kind === first.kind &&
    header.batch === first.batch &&
    header.epoch === first.epoch &&
    header.pages === first.pages &&
    header.firstSequence === first.firstSequence &&
    header.count === first.count &&
    header.byteLength === first.byteLength
  )
}

function headerOf(page: Page | undefined): PageHeader | null {
  return page?.kind === 'written' ? page.header : null
}

function pageAt(bytes: Uint8Array, index: number): Uint8Array {
  return bytes.subarray(index * STORAGE_PAGE_BYTES, (index + 1) * STORAGE_PAGE_BYTES)
}
