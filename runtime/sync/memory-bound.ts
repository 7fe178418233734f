import { countContainers } from '../base/cbor-containers.ts'
import { CONTAINER_BYTES } from '../base/limits.ts'
import { containersIn } from '../state/value.ts'
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
    if (this.isBound) this.#take(bytesInMemory(batch) + batch.messages.length * CONTAINER_BYTES)
  }

  #take(bytes: number): void {
    this.#left -= bytes
    if (this.#left < 0) throw invalid('snapshot', 'takes more memory than there may be')
  }
}

export function bytesInMemory({ messages, plainBytes }: Pick<Batch, 'messages' | 'plainBytes'>): number {
  let containers = 0
  for (const { current } of messages) {
    for (const { argument } of current.writes) containers += containersIn(argument)
    for (const { value } of current.guards) containers += containersIn(value)
  }
  return plainBytes + containers * CONTAINER_BYTES
}
