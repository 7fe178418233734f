import { CborReader } from '../base/cbor-reader.ts'
import { CborWriter } from '../base/cbor-writer.ts'
import { deflate, inflate } from '../base/deflate.ts'
import { type Digest, digestOf, EMPTY_DIGEST } from '../base/digest.ts'
import { assert } from '../base/errors.ts'
import type { MemberId } from '../base/ids.ts'
import { BATCH_BYTES_MAX, BATCH_DEFLATE_FROM_BYTES, OPERATIONS_PER_BATCH_MAX } from '../base/limits.ts'
import { priorityOf, TIER_MAX } from '../state/priority.ts'
import { digestBytes, invalid } from './codec-fields.ts'
import { openSign1 } from './cose.ts'
import { MemberTable, readMembers, writeMembers } from './member-table.ts'
import type { Batch, SyncMessage } from './message.ts'
import { readSyncMessage, writeSyncMessage } from './operation-codec.ts'

/**
 * batch, see `sync.cddl`: plain, or deflated where that makes it shorter.
 * @param messages of `origin`, of one priority, without gaps, not empty
 */
export function sealBatch(origin: MemberId, link: Digest, messages: readonly SyncMessage[]): Batch {
  const plain = writeBatch(origin, link, messages)
  const payload = plain.length < BATCH_DEFLATE_FROM_BYTES ? plain : shorter(plain, deflated(plain))
  return { origin, link, digest: digestOf(payload), messages, payload, isSigned: false, plainBytes: plain.length }
}

/**
 * Checks the whole batch before anything is returned, but not whose signature it carries.
 * @param reader of these bytes
 * @throws FleetstepError `message-invalid`
 */
export function openBatch(payload: Uint8Array, reader: CborReader = new CborReader(payload)): Batch {
  if (!isSign1(payload)) return readSealed(payload, payload, reader)
  const unsigned = openSign1(payload, 'batch').payload
  return readSealed(payload, unsigned, new CborReader(unsigned))
}

function readSealed(payload: Uint8Array, unsigned: Uint8Array, reader: CborReader): Batch {
  const { origin, link, messages, plainBytes } = reader.isAtBytes ? readBatch(inflated(reader)) : readBatch(reader)
  return { origin, link, digest: digestOf(unsigned), messages, payload, isSigned: payload !== unsigned, plainBytes }
}

/** An envelope is a list of four, a batch is one of five or a byte string. */
function isSign1(payload: Uint8Array): boolean {
  return payload[0] === 0x84
}

/** The messages go first, into a writer of their own, because they say which members the table holds. */
const messageWriter = new CborWriter()
const batchWriter = new CborWriter()

function writeBatch(origin: MemberId, link: Digest, messages: readonly SyncMessage[]): Uint8Array {
  const [first] = messages
  assert(first, 'a batch is not empty')
  const table = new MemberTable([origin])
  messageWriter.reset()
  let before: SyncMessage | null = null
  for (const [index, message] of messages.entries()) {
    const { id, priority } = message.current
    assert(id.member === origin && id.seq === first.current.id.seq + index, 'a batch is of one origin, without gaps')
    assert(priority.tier === first.current.priority.tier, 'a batch is of one priority')
    writeSyncMessage(messageWriter, message, { table, before })
    before = message
  }
  batchWriter.reset()
  batchWriter.list(5)
  writeMembers(batchWriter, table)
  batchWriter.bytes(digestBytes(link))
  batchWriter.uint(first.current.priority.tier)
  batchWriter.uint(first.current.id.seq)
  batchWriter.list(messages.length)
  batchWriter.raw(messageWriter.written)
  messageWriter.reset()
  return batchWriter.take()
}

function readBatch(reader: CborReader): Omit<Batch, 'digest' | 'payload' | 'isSigned'> {
  const plainBytes = reader.left
  reader.list('batch', 5, 5)
  const table = readMembers(reader)
  const { origin } = table
  const link = reader.hex('link', EMPTY_DIGEST.length / 2) as Digest
  const priority = priorityOf(origin, reader.uint('priority', TIER_MAX))
  const firstSeq = reader.uint('seq')
  if (firstSeq === 0) throw invalid('seq', 'is 0')
  const count = reader.list('messages', 1, OPERATIONS_PER_BATCH_MAX)
  if (!Number.isSafeInteger(firstSeq + count - 1)) throw invalid('seq', 'is too large')
  let before = readSyncMessage(reader, { member: origin, seq: firstSeq }, priority, { table, before: null })
  // Many batches have one message, and a list that grows takes room for 17.
  const messages = [before]
  for (let index = 1; index < count; index++) {
    const message = readSyncMessage(reader, { member: origin, seq: firstSeq + index }, priority, { table, before })
    if (message.current.stage <= before.current.stage) {
      throw invalid('stage', 'does not grow within a batch')
    }
    messages.push(message)
    before = message
  }
  reader.end('batch')
  return { origin, link, messages, plainBytes }
}

function shorter(plain: Uint8Array, other: Uint8Array): Uint8Array {
  return other.length < plain.length ? other : plain
}

function deflated(plain: Uint8Array): Uint8Array {
  batchWriter.reset()
  batchWriter.bytes(deflate(plain))
  return batchWriter.take()
}

function inflated(reader: CborReader): CborReader {
  const bytes = reader.bytes('batch', 1, BATCH_BYTES_MAX)
  reader.end('batch')
  return new CborReader(inflate('batch', bytes, BATCH_BYTES_MAX))
}
