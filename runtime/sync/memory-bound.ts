import { countContainers } from '../base/cbor-containers.ts'
import { CONTAINER_BYTES } from '../base/limits.ts'
import { operationMemoryBytes } from '../state/memory.ts'
import { invalid } from './codec-fields.ts'
import type { Batch } from './message.ts'

/** What a message of another node may take in memory, which is many times what its bytes are: it ends before it is there. */
export class MemoryBound {
  #left: number

  constructor(bytesMax: number) {
    this.#left = bytesMax
  }

  /** It is from another node, and not what this one has written itself. */
  get isBound(): boolean {
    return this.#left !== Infinity
  }

  /** CBOR as it stands there. @throws FleetstepError `message-invalid` */
  takeCbor(bytes: Uint8Array): void {
    if (!this.isBound) return
    this.#take(bytes.length)
    this.#take(countContainers(bytes, this.#left / CONTAINER_BYTES) * CONTAINER_BYTES)
  }

  /** A batch in it, which may have been deflated. @throws FleetstepError `message-invalid` */
  takeBatch(batch: Batch): void {
    if (this.isBound) this.#take(batchMemoryBytes(batch))
  }

  #take(bytes: number): void {
    this.#left -= bytes
    if (this.#left < 0) throw invalid('snapshot', 'takes more memory than there may be')
  }
}

/** Bytes of memory that the operations of a batch take. */
export function batchMemoryBytes({ messages }: Batch): number {
  let bytes = 0
  for (const { current } of messages) bytes += operationMemoryBytes(current)
  return bytes
}
