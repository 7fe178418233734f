import { EMPTY_DIGEST, type Digest } from '../../runtime/base/digest.ts'
import type { OperationId } from '../../runtime/base/ids.ts'
import { sealBatch } from '../../runtime/sync/batch-codec.ts'
import type { Batch, SyncMessage } from '../../runtime/sync/message.ts'
import { idOf, type Name, operation, type OperationParts } from '../state/operations.ts'

export interface BatchParts extends Omit<OperationParts, 'by'> {
  readonly by: Name
  readonly link?: Digest
  readonly previous?: OperationId | null
  /** How many operations it holds; each follows the one before. */
  readonly count?: number
}

/** A batch whose operations stand at consecutive stages. */
export function batchOf({ by, link = EMPTY_DIGEST, previous = null, count = 1, ...parts }: BatchParts): Batch {
  const { seq = 1, stage = 1 } = parts
  const messages = Array.from({ length: count }, (_, index): SyncMessage => ({
    current: operation({ ...parts, by, seq: seq + index, stage: stage + index }),
    previous: { id: index === 0 ? previous : idOf(by, seq + index - 1), stage: stage + index - 1 },
  }))
  return sealBatch(messages[0]!.current.id.member, link, messages)
}

/** Batches of one operation each, chained. */
export function chainOf(by: Name, length: number): Batch[] {
  const batches: Batch[] = []
  for (let seq = 1; seq <= length; seq++) {
    const before = batches.at(-1)
    const previous = seq === 1 ? null : idOf(by, seq - 1)
    batches.push(batchOf({ by, seq, stage: seq, previous, link: before?.digest ?? EMPTY_DIGEST }))
  }
  return batches
}
