import { inflateRawSync } from 'node:zlib'
import { decode } from 'cborg'
import { COMPARISONS, WRITE_KINDS } from '../../runtime/state/operation.ts'
import { isPath } from '../../runtime/state/path.ts'
import { areRules } from '../../runtime/state/rules/rules-codec.ts'
import { isValue, type Value, valueBytes } from '../../runtime/state/value.ts'

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
  isTelemetry,
]

function isBatch(data: unknown): boolean {
  const plain = data instanceof Uint8Array ? decodeOrNull(inflateOrNull(data)) : data
  if (!isTuple(plain, 5)) return false
  const [members, link, tier, seq, messages] = plain
  if (!isListOf(members, 1, 2048, (member) => isBytes(member, 12)) || !isBytes(link, 8) || !isUint(tier, 255))
    return false
  if (!isUint(seq) || seq === 0 || !isListOf(messages, 1, 256, (message) => isMessage(message, members.length)))
    return false
  if (!isUint(seq + messages.length - 1)) return false
  let stage = 0
  for (const [index, message] of (messages as unknown[][]).entries()) {
    if (index === 0 && message.length < 5) return false
    const next = message.length < 5 ? stage + 1 : (stageOf(message[4]) ?? 0) + 1
    if (next <= stage || !isUint(next)) return false
    stage = next
  }
  return true
}

function isMessage(data: unknown, members: number): boolean {
  if (!isListOf(data, 1, 5, () => true) || data.length === 4) return false
  const [content, guards = [], original = null, distance = 0, previous = null] = data
  if (original !== null && !isOriginal(original, members)) return false
  if (!isUint(distance) || !isPrevious(previous, members) || distance > (stageOf(previous) ?? 0)) return false
  if (isJoin(content)) return isListOf(guards, 0, 0, isGuard) && original === null
  if (!isListOf(content, 1, 64, (write) => isWrite(write, members)) || !isListOf(guards, 0, 64, isGuard)) return false
  const rules = content.filter((write) => isRulesPath((write as unknown[])[0]))
  return rules.length === 0 || (rules.length === content.length && guards.length === 0)
}

function isRulesPath(path: unknown): boolean {
  return (
    typeof path === 'string' &&
    path.startsWith('\u0000rules/') &&
    /^[^/]*$/.test(path.slice(7)) &&
    isPath(path.slice(7))
  )
}

function isPrevious(data: unknown, members: number): boolean {
  return data === null || (isTuple(data, 2) && isUint(data[0]) && data[0] > 0 && isOperationId(data[1], members))
}

function stageOf(previous: unknown): number | null {
  return isTuple(previous, 2) && isUint(previous[0]) ? previous[0] : null
}

function isOperationId(data: unknown, members: number): boolean {
  if (isUint(data)) return data > 0
  return isTuple(data, 2) && isUint(data[0], members - 1) && isUint(data[1]) && data[1] > 0
}

function isWrite(data: unknown, members: number): boolean {
  if (!isListOf(data, 2, 4, () => true)) return false
  const [path, argument, replaces = null, kind = 0] = data
  if (!isUint(kind, 4) || (replaces !== null && !isOperationId(replaces, members))) return false
  if (isRulesPath(path)) {
    if (WRITE_KINDS[kind] === 'delete') return argument === null
    return WRITE_KINDS[kind] === 'set' && argument instanceof Uint8Array && areRules(argument)
  }
  if (!isPath(path) || !isValue(argument)) return false
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

function isJoin(content: unknown): boolean {
  if (!isTuple(content, 3) && !isEnrolledJoin(content)) return false
  return isDraft(content[0]) && isUint(content[1], 255) && isKey(content[2])
}

function isEnrolledJoin(content: unknown): content is unknown[] {
  if (isTuple(content, 4)) return isBytes(content[3], 8)
  if (isTuple(content, 5)) return isToken(content[3]) && isMarkedRole(content[4])
  if (!isTuple(content, 6) || !isToken(content[3]) || !(content[4] === null || isMarkedRole(content[4]))) return false
  return isBytesUpTo(content[5], 512) && !isBytes(content[5], 0)
}

function isToken(data: unknown): boolean {
  return data === null || isBytes(data, 8)
}

/** An observer or an operator: a gateway is not written down. */
function isMarkedRole(data: unknown): boolean {
  return data === 1 || data === 2
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
  if (frozen !== null && !isListOf(frozen, 0, 1088, isVersionEntry)) return false
  return vector === null || isListOf(vector, 0, 2048, isVersionEntry)
}

function isEpoch(data: unknown): boolean {
  if (!isTuple(data, 4) && !(isTuple(data, 5) && data[4] === true) && !isWithEnrolment(data)) return false
  if (!isUint(data[0]) || data[0] === 0 || !isBytesUpTo(data[3], 512)) return false
  return isSorted(data[1], 2048) && isSorted(data[2], 1088)
}

function isWithEnrolment(data: unknown): data is unknown[] {
  if (!isTuple(data, 7) || typeof data[4] !== 'boolean') return false
  const [revoked, admitted] = data.slice(5)
  if (!isListOf(revoked, 0, 256, (token) => isBytes(token, 8)) || !isListOf(admitted, 0, 64, isAdmitted)) return false
  if (revoked.length + admitted.length === 0) return false
  return isGrowing(revoked) && isGrowing(admitted.map((draft) => (draft as unknown[])[0]))
}

function isAdmitted(data: unknown): boolean {
  if (!isTuple(data, 4) && !(isTuple(data, 5) && isMarkedRole(data[4]))) return false
  if (!isDraft(data[0]) || !isUint(data[1], 255)) return false
  return isBytes(data[2], 32) && isBytesUpTo(data[3], 64)
}

function isSorted(data: unknown, max: number): boolean {
  if (!isListOf(data, 0, max, (member) => isBytes(member, 12))) return false
  return isGrowing(data)
}

function isGrowing(names: readonly unknown[]): boolean {
  return names.every((name, index) => index === 0 || Buffer.compare(names[index - 1] as Buffer, name as Buffer) < 0)
}

function isJoinRequest(data: unknown): boolean {
  if (!isTuple(data, 5) && !(isTuple(data, 6) && isMarkedRole(data[5]))) return false
  if (!isDraft(data[0]) || !isUint(data[1], 255) || !isKey(data[2])) return false
  return isBytesUpTo(data[3], 512) && isUint(data[4])
}

function isRefusal(data: unknown): boolean {
  if (!isTuple(data, 3) || !isBytes(data[0], 12) || !isBytes(data[1], 12)) return false
  return typeof data[2] === 'string' && Buffer.byteLength(data[2]) <= 256 && !/\p{C}/u.test(data[2])
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

function isTelemetry(data: unknown): boolean {
  if (!isTuple(data, 5) || !isBytes(data[0], 12) || !isUint(data[1]) || !isUint(data[2])) return false
  const [device, readings] = data.slice(3)
  if (typeof device !== 'string' || device.includes('/')) return false
  if (!isListOf(readings, 1, 128, (reading) => isReading(reading, device))) return false
  return new Set(readings.map((reading) => (reading as unknown[])[0])).size === readings.length
}

function isReading(data: unknown, device: string): boolean {
  if (!isTuple(data, 3) && !(isTuple(data, 4) && (data[3] === 1 || data[3] === 2))) return false
  const [below, value, age] = data
  return typeof below === 'string' && isPath(`${device}/${below}`) && isUint(age) && valueBytes(value as Value) <= 512
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

function inflateOrNull(bytes: Uint8Array): Uint8Array {
  try {
    return inflateRawSync(bytes, { maxOutputLength: 65_536 })
  } catch {
    return new Uint8Array()
  }
}

function decodeOrNull(bytes: Uint8Array): unknown {
  try {
    return decode(bytes, { allowBigInt: true })
  } catch {
    return null
  }
}
