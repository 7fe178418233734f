import { STORAGE_PAGE_BYTES } from '../base/limits.ts'
import { decodeBatch } from './batch.ts'
import type { Batch } from './batch.ts'
import { readPage } from './page.ts'
import type { Page } from './page.ts'

/** A segment as it was found: what each page is, and every batch that is whole, whatever its age. */
export interface ScannedSegment {
  readonly name: string
  readonly pages: readonly Page[]
  readonly batches: readonly FoundBatch[]
}

export interface FoundBatch {
  readonly batch: Batch
  readonly segment: string
  /** Where it begins and how long it is, in pages. */
  readonly page: number
  readonly pages: number
}

/** Reads a whole segment. Trusts nothing in it. */
export function scanSegment(name: string, bytes: Uint8Array): ScannedSegment {
  const pages: Page[] = []
  for (let at = 0; at < bytes.length; at += STORAGE_PAGE_BYTES) {
    pages.push(readPage(bytes.subarray(at, at + STORAGE_PAGE_BYTES)))
  }
  const batches: FoundBatch[] = []
  for (const [index, page] of pages.entries()) {
    if (page.kind !== 'written' || page.header.index !== 0) continue
    const end = index + page.header.pages
    const batch = decodeBatch(bytes.subarray(index * STORAGE_PAGE_BYTES), pages.slice(index, end))
    if (batch !== null) batches.push({ batch, segment: name, page: index, pages: page.header.pages })
  }
  return { name, pages, batches }
}

/** `journal-0001`, `journal-0002` … The name says nothing of the age. */
export function segmentName(index: number): string {
  return `journal-${String(index).padStart(4, '0')}`
}

/** The index in a segment's name, or null for any other file. */
export function segmentIndex(name: string): number | null {
  const match = /^journal-([0-9]{4,9})$/.exec(name)
  return match === null ? null : Number(match[1])
}
