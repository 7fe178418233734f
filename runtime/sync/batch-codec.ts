import { CborReader } from '../base/cbor-reader.ts'
import { CborWriter } from '../base/cbor-writer.ts'
import { deflate, inflate } from '../base/deflate.ts'
import { type Digest, digestOf } from '../base/digest.ts'
import { assert } from '../base/errors.ts'
import type { MemberId } from '../base/ids.ts'
import { BATCH_BYTES_MAX, BATCH_DEFLATE_FROM_BYTES, OPERATIONS_PER_BATCH_MAX } from '../base/limits.ts'
import type { Operation } from '../state/operation.ts'
import { priorityOf, TIER_MAX } from '../state/priority.ts'
import { invalid } from './codec-fields.ts'
import { openSign1 } from './cose.ts'
import { MemberTable, readMembers, writeMembers } from './member-table.ts'
import type { Batch, SyncMessage } from './message.ts'
import { readSyncMessage, writeSyncMessage } from './operation-codec.ts'

/**
 * batch, see `sync.cddl`: plain, or deflated where that makes it shorter.
 * @param messages of `origin`, of one priority, without gaps, not empty
 * @param bytesMax of messages; at least one is taken
 * @returns a batch of as many of the first messages as one may have
 */
export function sealBatch(
  origin: MemberId,
  link: Digest,
  messages: readonly SyncMessage[],
  bytesMax: number = Infinity,
): Batch {
  const count = writeBatch(origin, link, messages, bytesMax)
  const plain = batchWriter.take()
  const payload = plain.length < BATCH_DEFLATE_FROM_BYTES ? plain : shorter(plain, deflated(plain))
  const taken = count === messages.length ? messages : messages.slice(0, count)
  return { origin, link, digest: digestOf(payload), messages: taken, payload, isSigned: false }
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
  const { origin, link, messages } = reader.isAtBytes ? readBatch(inflated(reader)) : readBatch(reader)
  return { origin, link, digest: digestOf(unsigned), messages, payload, isSigned: payload !== unsigned }
}

/** An envelope is a list of four, a batch is one of five or a byte string. */
function isSign1(payload: Uint8Array): boolean {
  return payload[0] === 0x84
}

/** The messages go first, into a writer of their own, because they say which members the table holds. */
const messageWriter = new CborWriter()
const batchWriter = new CborWriter()
/** Each is made once, and so is its code: what lives for one message has none when the memory was tidied. */
const tableOfWriter = new MemberTable()
const tableOfReader = new MemberTable()

/** Writes a batch into the writer. @returns how many messages it holds */
function writeBatch(origin: MemberId, link: Digest, messages: readonly SyncMessage[], bytesMax: number): number {
  const [first] = messages
  assert(first, 'a batch is not empty')
  const { id, priority } = first.current
  assert(id.member === origin, 'a batch is of one origin')
  const table = tableOfWriter.begin(origin)
  const count = writeMessages(messages, table, bytesMax)
  batchWriter.reset()
  batchWriter.list(5)
  writeMembers(batchWriter, table)
  batchWriter.hex(link)
  batchWriter.uint(priority.tier)
  batchWriter.uint(id.seq)
  batchWriter.list(count)
  batchWriter.rawOf(messageWriter)
  messageWriter.reset()
  return count
}

/** @returns how many of the first messages were written: what is too much is taken back */
function writeMessages(messages: readonly SyncMessage[], table: MemberTable, bytesMax: number): number {
  const most = Math.min(messages.length, bytesMax === Infinity ? Infinity : OPERATIONS_PER_BATCH_MAX)
  let before: SyncMessage | null = null
  messageWriter.reset()
  for (let index = 0; index < most; index++) {
    const message = messages[index] as SyncMessage
    if (before !== null) assertFollows(message.current, before.current)
    const [{ length }, members] = [messageWriter, table.size]
    writeSyncMessage(messageWriter, message, table, before)
    if (before !== null && messageWriter.length > bytesMax) {
      messageWriter.shorten(length)
      table.shorten(members)
      return index
    }
    before = message
  }
  return most
}

function assertFollows({ id, priority }: Operation, before: Operation): void {
  assert(id.member === before.id.member && id.seq === before.id.seq + 1, 'a batch is of one origin, without gaps')
  assert(priority.tier === before.priority.tier, 'a batch is of one priority')
}

function readBatch(reader: CborReader): Omit<Batch, 'digest' | 'payload' | 'isSigned'> {
  reader.list('batch', 5, 5)
  const table = readMembers(reader, tableOfReader)
  const { origin } = table
  const link = reader.digest('link')
  const priority = priorityOf(origin, reader.uint('priority', TIER_MAX))
  const firstSeq = reader.uint('seq')
  if (firstSeq === 0) throw invalid('seq', 'is 0')
  const count = reader.list('messages', 1, OPERATIONS_PER_BATCH_MAX)
  if (!Number.isSafeInteger(firstSeq + count - 1)) throw invalid('seq', 'is too large')
  let before = readSyncMessage(reader, { member: origin, seq: firstSeq }, priority, table, null)
  // Many batches have one message, and a list that grows takes room for 17.
  const messages = [before]
  for (let index = 1; index < count; index++) {
    const message = readSyncMessage(reader, { member: origin, seq: firstSeq + index }, priority, table, before)
    if (message.current.stage <= before.current.stage) {
      throw invalid('stage', 'does not grow within a batch')
    }
    messages.push(message)
    before = message
  }
  reader.end('batch')
  return { origin, link, messages }
}

function shorter(plain: Uint8Array, other: Uint8Array): Uint8Array {
  return other.length < plain.length ? other : plain
}

function deflated(plain: Uint8Array): Uint8Array {
  batchWriter.reset()
  batchWriter.bytes(deflate(plain))
  return batchWriter.take()
}

const inflatedReader = new CborReader()

function inflated(reader: CborReader): CborReader {
  const bytes = reader.bytes('batch', 1, BATCH_BYTES_MAX)
  reader.end('batch')
  return inflatedReader.begin(inflate('batch', bytes, BATCH_BYTES_MAX))
}
