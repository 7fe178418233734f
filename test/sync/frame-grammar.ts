import { decode } from 'cborg'
import { COMPARISONS, WRITE_KINDS } from '../../runtime/state/operation.ts'
import { isPath } from '../../runtime/state/path.ts'
import { isValue } from '../../runtime/state/value.ts'

/**
 * Whether decoded CBOR is a frame by runtime/sync/sync.cddl: the grammar written down a second time, as one boolean and
 * without the decoder's own helpers, to hold the decoder against it.
 */
export function isFrame(data: unknown, fleet: Uint8Array): boolean {
  if (!isTuple(data, 4)) return false
  const [version, sender, kind, body] = data
  if (version !== 1 || !isBytes(sender, 8) || Buffer.compare(sender, fleet) !== 0) return false
  if (kind === 0) return body instanceof Uint8Array && isBatch(decodeOrNull(body))
  if (kind === 1) return isAnnouncement(body)
  const isBody = typeof kind === 'number' ? BODIES[kind] : undefined
  return isBody?.(body) ?? false
}

const BODIES: readonly (((body: unknown) => boolean) | undefined)[] = [
  undefined,
  undefined,
  isRequest,
  isEpoch,
  isJoinRequest,
  isRefusal,
  isOffer,
  isChunkRequest,
  isChunk,
]

function isBatch(data: unknown): boolean {
  if (!isTuple(data, 3)) return false
  const [members, link, messages] = data
  if (!isListOf(members, 1, 2048, (member) => isBytes(member, 12)) || !isBytes(link, 8)) return false
  const { length } = members
  if (!isListOf(messages, 1, 256, (message) => isMessage(message, length))) return false
  return messages.every((message, index) => index === 0 || follows(messages[index - 1] as Message, message as Message))
}

type Message = [[[number, number], number, number, unknown[], unknown[]], unknown[], number]

function follows([[[, seq], stage], , tier]: Message, [[[, nextSeq], nextStage], , nextTier]: Message): boolean {
  return nextSeq === seq + 1 && nextStage > stage && nextTier === tier
}

function isMessage(data: unknown, members: number): boolean {
  if (!isTuple(data, 3) || !isTuple(data[1], 2) || !isUint(data[2], 255)) return false
  if (!isTuple(data[0], 5) && !isTuple(data[0], 6)) return false
  const [id, stage, floor, writes, guards, original] = data[0]
  const [previousId, previousStage] = data[1]
  if (!isOperationId(id, 1) || !isUint(stage) || !isUint(floor) || !isUint(previousStage)) return false
  if (stage !== previousStage + 1 || floor >= stage || (previousId === null) !== (previousStage === 0)) return false
  if (previousId !== null && !isOperationId(previousId, members)) return false
  if (data[0].length === 6 && !isOriginal(original, members)) return false
  if (isJoin(writes)) return isListOf(guards, 0, 0, isGuard) && data[0].length === 5
  return isListOf(writes, 1, 64, (write) => isWrite(write, members)) && isListOf(guards, 0, 64, isGuard)
}

function isOperationId(data: unknown, members: number): boolean {
  return isTuple(data, 2) && isUint(data[0], members - 1) && isUint(data[1]) && data[1] > 0
}

function isWrite(data: unknown, members: number): boolean {
  if (!isTuple(data, 4) || !isPath(data[0]) || !isUint(data[1], 4) || !isValue(data[2])) return false
  const [, kind, argument, replaces] = data
  if (replaces !== null && !isOperationId(replaces, members)) return false
  switch (WRITE_KINDS[kind]) {
    case 'delete':
    case 'toggle':
      return argument === null
    case 'add':
      return (typeof argument === 'number' || typeof argument === 'bigint') && replaces === null
    case 'append':
      return replaces === null
    default:
      return true
  }
}

function isOriginal(data: unknown, members: number): boolean {
  return isTuple(data, 2) && isUint(data[0], 1) && isOperationId(data[1], members)
}

function isJoin(writes: unknown): boolean {
  if (!isTuple(writes, 1) || !isTuple(writes[0], 4) || !isTuple(writes[0][2], 3)) return false
  const [path, kind, [member, tier, key], replaces] = writes[0] as [unknown, unknown, unknown[], unknown]
  return path === '' && kind === 5 && replaces === null && isDraft(member) && isUint(tier, 255) && isKey(key)
}

function isDraft(data: unknown): boolean {
  return isBytes(data, 12) && data.subarray(8).some((byte) => byte !== 0)
}

function isKey(data: unknown): boolean {
  return isBytes(data, 0) || isBytes(data, 32)
}

function isGuard(data: unknown): boolean {
  if (!isTuple(data, 3) || !isPath(data[0]) || !isUint(data[1], 6) || !isValue(data[2])) return false
  return COMPARISONS[data[1]] !== 'exists' || typeof data[2] === 'boolean'
}

function isAnnouncement(data: unknown): boolean {
  if (!isTuple(data, 14)) return false
  const [member, start, number, epoch, newestEpoch, epochDigest, knowsCuts, frozen, ...rest] = data
  const [stage, seq, floor, floorDigest, vectorDigest, vector] = rest
  const counts = [start, number, epoch, newestEpoch, stage, seq, floor]
  if (!isBytes(member, 12) || !counts.every((count) => isUint(count)) || typeof knowsCuts !== 'boolean') return false
  if (![epochDigest, floorDigest, vectorDigest].every((digest) => isBytes(digest, 8))) return false
  if (frozen !== null && !isListOf(frozen, 0, 128, isVersionEntry)) return false
  return vector === null || isListOf(vector, 0, 2048, isVersionEntry)
}

function isEpoch(data: unknown): boolean {
  if (!isTuple(data, 4) || !isUint(data[0]) || data[0] === 0 || !isBytesUpTo(data[3], 512)) return false
  return isSorted(data[1], 2048) && isSorted(data[2], 128)
}

function isSorted(data: unknown, max: number): boolean {
  if (!isListOf(data, 0, max, (member) => isBytes(member, 12))) return false
  return data.every((member, index) => index === 0 || Buffer.compare(data[index - 1] as Buffer, member as Buffer) < 0)
}

function isJoinRequest(data: unknown): boolean {
  if (!isTuple(data, 5) || !isDraft(data[0]) || !isUint(data[1], 255) || !isKey(data[2])) return false
  return isBytesUpTo(data[3], 2048) && isUint(data[4])
}

function isRefusal(data: unknown): boolean {
  if (!isTuple(data, 3) || !isBytes(data[0], 12) || !isBytes(data[1], 12)) return false
  return typeof data[2] === 'string' && Buffer.byteLength(data[2]) <= 256
}

function isOffer(data: unknown): boolean {
  if (!isTuple(data, 5) || !isBytes(data[0], 12) || !isBytes(data[1], 12) || !isUint(data[2], 1)) return false
  return isBytes(data[3], 8) && isUint(data[4], 128 * 1024 * 1024)
}

function isChunkRequest(data: unknown): boolean {
  if (!isTuple(data, 4) || !isBytes(data[0], 12) || !isBytes(data[1], 12)) return false
  return isBytes(data[2], 8) && isUint(data[3], 128 * 1024 * 1024)
}

function isChunk(data: unknown): boolean {
  return (
    isTuple(data, 3) && isBytes(data[0], 8) && isUint(data[1], 128 * 1024 * 1024) && isBytesUpTo(data[2], 32 * 1024)
  )
}

function isBytesUpTo(data: unknown, length: number): boolean {
  return data instanceof Uint8Array && data.length <= length
}

function isVersionEntry(data: unknown): boolean {
  return isTuple(data, 3) && isBytes(data[0], 12) && isUint(data[1]) && isBytes(data[2], 8)
}

function isRequest(data: unknown): boolean {
  if (!isTuple(data, 3) || !isBytes(data[0], 12)) return false
  return (data[1] === null || isBytes(data[1], 12)) && isListOf(data[2], 0, 2048, isGap)
}

function isGap(data: unknown): boolean {
  return isTuple(data, 3) && isBytes(data[0], 12) && isUint(data[1]) && isUint(data[2]) && data[2] > data[1]
}

function isTuple(data: unknown, length: number): data is unknown[] {
  return Array.isArray(data) && data.length === length
}

function isListOf(data: unknown, min: number, max: number, isEntry: (entry: unknown) => boolean): data is unknown[] {
  return Array.isArray(data) && data.length >= min && data.length <= max && data.every(isEntry)
}

function isBytes(data: unknown, length: number): data is Uint8Array {
  return data instanceof Uint8Array && data.length === length
}

function isUint(data: unknown, max: number = Number.MAX_SAFE_INTEGER): data is number {
  return typeof data === 'number' && Number.isSafeInteger(data) && data >= 0 && data <= max
}

function decodeOrNull(bytes: Uint8Array): unknown {
  try {
    return decode(bytes, { allowBigInt: true })
  } catch {
    return null
  }
}
