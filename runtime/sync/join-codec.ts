import type { CborData } from '../base/cbor.ts'
import { isFounding, type MemberId, memberIdToBytes } from '../base/ids.ts'
import { PROOF_BYTES_MAX, REFUSAL_BYTES_MAX, SNAPSHOT_BYTES_MAX, TRANSFER_CHUNK_BYTES } from '../base/limits.ts'
import type { Join } from '../state/operation.ts'
import { TIER_MAX } from '../state/priority.ts'
import { markedPlace, ROLES } from '../state/role.ts'
import {
  digestBytes,
  digestFrom,
  invalid,
  keyFrom,
  markedRoleFrom,
  memberFrom,
  tupleOf,
  uintOf,
  unknownHere,
} from './codec-fields.ts'
import type { Chunk, ChunkRequest, JoinRequest, Offer, Refusal, Turn } from './message.ts'

/** The messages by which a draft becomes a member and a snapshot is fetched, see `sync.cddl`. */

export function encodeJoinRequest({ member, tier, role, key, proof, epoch }: JoinRequest): CborData {
  return [memberIdToBytes(member), tier, key, proof, epoch, ...markedPlace(role)]
}

export function decodeJoinRequest(data: CborData | undefined): JoinRequest {
  const length = Array.isArray(data) && data.length === 6 ? 6 : 5
  const [member, tier, key, proof, epoch, role] = tupleOf(data, 'request to join', length)
  const request: JoinRequest = {
    member: memberFrom(member, 'draft'),
    tier: uintOf(tier, 'tier', TIER_MAX),
    ...(length === 5 ? {} : { role: markedRoleFrom(role) }),
    key: keyFrom(key),
    proof: bytesUpTo(proof, 'proof', PROOF_BYTES_MAX),
    epoch: uintOf(epoch, 'epoch'),
  }
  if (isFounding(request.member)) throw invalid('draft', 'has a member id of the genesis')
  return request
}

export function encodeRefusal({ to, from, reason }: Refusal): CborData {
  return [memberIdToBytes(to), memberIdToBytes(from), reason]
}

export function decodeRefusal(data: CborData | undefined): Refusal {
  const [to, from, reason] = tupleOf(data, 'refusal', 3)
  if (typeof reason !== 'string' || Buffer.byteLength(reason) > REFUSAL_BYTES_MAX)
    throw invalid('reason', `is not text of at most ${REFUSAL_BYTES_MAX} bytes`)
  // Anybody may have written it, and it is shown on a terminal.
  if (/\p{C}/u.test(reason)) throw invalid('reason', 'is not one line of plain text')
  return { to: memberFrom(to, 'draft'), from: memberFrom(from, 'sponsor'), reason }
}

const PURPOSES = ['welcome', 'catch-up'] as const

export function encodeOffer({ to, from, purpose, digest, size, sponsor }: Offer): CborData {
  const offer = [memberIdToBytes(to), memberIdToBytes(from), PURPOSES.indexOf(purpose), digestBytes(digest), size]
  if (sponsor === undefined) return offer
  const { tier, key, token, role, credential = NONE } = sponsor
  const [enrolled, marks] = [
    token === undefined ? null : digestBytes(token),
    role === undefined ? null : ROLES.indexOf(role),
  ]
  return [...offer, [tier, key, enrolled, marks, credential]]
}

export function decodeOffer(data: CborData | undefined, isSealed: boolean): Offer {
  const length = isSealed && Array.isArray(data) && data.length === 6 ? 6 : 5
  const [to, from, purposeIndex, digest, size, sponsor] = tupleOf(data, 'offer', length)
  const purpose = PURPOSES[uintOf(purposeIndex, 'purpose')]
  if (purpose === undefined) throw unknownHere('purpose')
  return {
    to: memberFrom(to, 'receiver'),
    from: memberFrom(from, 'sender'),
    purpose,
    digest: digestFrom(digest, 'digest'),
    size: uintOf(size, 'size', SNAPSHOT_BYTES_MAX),
    ...(length === 6 ? { sponsor: sponsorFrom(memberFrom(from, 'sender'), sponsor) } : {}),
  }
}

function sponsorFrom(member: MemberId, data: CborData | undefined): Join {
  const [tier, key, token, role, credential] = tupleOf(data, 'sponsor', 5)
  return {
    member,
    tier: uintOf(tier, 'tier', TIER_MAX),
    key: keyFrom(key),
    ...(token === null ? {} : { token: digestFrom(token, 'token') }),
    ...(role === null ? {} : { role: markedRoleFrom(role) }),
    credential: credentialFrom(credential),
  }
}

/** Whoever sponsors in a fleet with keys was let in by something. */
function credentialFrom(data: CborData | undefined): Uint8Array {
  const credential = bytesUpTo(data, 'credential', PROOF_BYTES_MAX)
  if (credential.length === 0) throw invalid('credential', 'is empty')
  return credential
}

const NONE: Uint8Array = new Uint8Array()

export function encodeChunkRequest({ from, to, digest, offset, turn }: ChunkRequest): CborData {
  return [memberIdToBytes(from), memberIdToBytes(to), digestBytes(digest), offset, ...encodeTurn(turn)]
}

export function decodeChunkRequest(data: CborData | undefined, isSealed: boolean): ChunkRequest {
  const [from, to, digest, offset, ...turn] = tupleOf(data, 'request for a chunk', isSealed ? 6 : 4)
  return {
    ...decodeTurn(turn),
    from: memberFrom(from, 'asker'),
    to: memberFrom(to, 'answerer'),
    digest: digestFrom(digest, 'digest'),
    offset: uintOf(offset, 'offset', SNAPSHOT_BYTES_MAX),
  }
}

/** What is signed says which request it is; what is bare does not. */
export function encodeTurn(turn: Turn | undefined): readonly CborData[] {
  return turn === undefined ? [] : [turn.start, turn.number]
}

export function decodeTurn([start, number]: readonly CborData[]): { readonly turn?: Turn } {
  return start === undefined ? {} : { turn: { start: uintOf(start, 'start'), number: uintOf(number, 'number') } }
}

export function encodeChunk({ digest, offset, bytes }: Chunk): CborData {
  return [digestBytes(digest), offset, bytes]
}

export function decodeChunk(data: CborData | undefined): Chunk {
  const [digest, offset, bytes] = tupleOf(data, 'chunk', 3)
  return {
    digest: digestFrom(digest, 'digest'),
    offset: uintOf(offset, 'offset', SNAPSHOT_BYTES_MAX),
    bytes: bytesUpTo(bytes, 'chunk', TRANSFER_CHUNK_BYTES),
  }
}

function bytesUpTo(data: CborData | undefined, field: string, lengthMax: number): Uint8Array {
  if (!(data instanceof Uint8Array) || data.length > lengthMax)
    throw invalid(field, `is not at most ${lengthMax} bytes`)
  return new Uint8Array(data)
}
