import { FleetstepError } from '../../runtime/base/errors.ts'
import { MemoryStore } from '../../runtime/storage/memory-store.ts'

/** A store in memory whose disk can be full. */
export class FullStore extends MemoryStore {
  isFull = false

  override async commit(records: readonly Uint8Array[]): Promise<number> {
    if (this.isFull) throw new FleetstepError('disk-full', 'the disk is full: make room on it')
    return await super.commit(records)
  }
}
