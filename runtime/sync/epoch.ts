import { type CborData, encodeCbor } from '../base/cbor.ts'
import { type Digest, digestOf, EMPTY_DIGEST } from '../base/digest.ts'
import { isFounding, type MemberId, memberIdToBytes } from '../base/ids.ts'
import { FleetstepError } from '../base/errors.ts'
import {
  ADMITTED_MAX,
  EPOCH_RETIRED_MAX,
  GRANT_BYTES_MAX,
  MEMBER_IDS_MAX,
  REVOKED_TOKENS_MAX,
  SIGNATURE_BYTES_MAX,
} from '../base/limits.ts'
import { TIER_MAX } from '../state/priority.ts'
import { type MarkedRole, markedPlace } from '../state/role.ts'
import type { History } from './history.ts'
import type { Member } from './membership.ts'
import type { Peers } from './peers.ts'
import {
  digestBytes,
  digestFrom,
  invalid,
  keyFrom,
  listOf,
  markedRoleFrom,
  memberFrom,
  tupleOf,
  uintOf,
} from './codec-fields.ts'

/**
 * The operator's word on who takes part (PROTOCOL section 6): made by `fleet retire`, gossiped, and the highest number
 * holds. Member ids are sorted, so that equal epochs have equal bytes.
 */
export interface Epoch {
  /** 1, 2, 3 …; a fleet without any retirement is at 0 and has no such document. */
  readonly number: number
  /** Who states what is held of the retired. */
  readonly counting: readonly MemberId[]
  /** All member ids that were ever retired. */
  readonly retired: readonly MemberId[]
  /** Nobody was left who counts: the operator has named others, and accepts that operations may be lost. */
  readonly isForced?: true
  /** Enrolment tokens that hold no more: all that were ever revoked, sorted. None where it is absent. */
  readonly revoked?: readonly Digest[]
  /** Drafts that the operator lets in without a token, sorted. None where it is absent. */
  readonly admitted?: readonly AdmittedDraft[]
  /** Of the operator's key over {@link epochPayload}. */
  readonly signature: Uint8Array
}

/** One draft with one key and one tier. */
export interface AdmittedDraft {
  readonly member: MemberId
  readonly tier: number
  /** A gateway if it is absent. */
  readonly role?: MarkedRole
  /** KEY_BYTES. */
  readonly key: Uint8Array
  /** The operator's signature over just this, which its join carries from then on; empty until he has signed. */
  readonly grant: Uint8Array
}

/** What an epoch is to change of who may join. */
export interface EnrolmentChange {
  readonly revoke: readonly Digest[]
  readonly admit: readonly AdmittedDraft[]
}

export const NO_CHANGE: EnrolmentChange = { revoke: [], admit: [] }

/** What the operator signs: the fleet is in it, so that no epoch is played into another fleet. */
export function epochPayload(fleet: Digest, epoch: Omit<Epoch, 'signature'>): Uint8Array {
  return encodeCbor([digestBytes(fleet), ...contentOf(epoch)])
}

/** Null if `epoch` may follow `current`, else one clear reason. Signatures are not looked at here. */
export function epochProblem(epoch: Epoch, current: Epoch | null): string | null {
  const retired = new Set(epoch.retired)
  if (epoch.counting.some((member) => retired.has(member))) return 'a member counts and is retired'
  if (epoch.counting.length === 0) return 'no member counts'
  if (epoch.retired.length > EPOCH_RETIRED_MAX) return `more than ${EPOCH_RETIRED_MAX} members are retired`
  if (current?.retired.some((member) => !retired.has(member))) return 'it takes back a retirement'
  if (current?.revoked?.some((token) => epoch.revoked?.includes(token) !== true)) return 'it takes back a revocation'
  return null
}

/**
 * The epoch that retires `retire` too. Counting are settled members that counted before or whose newest announcement
 * carries the current epoch; without any, only {@link forceEpoch} helps.
 * @throws FleetstepError `limit-reached`: so many member ids of this fleet were retired that it has to be founded anew
 */
export function proposeEpoch(
  { membership, retirement, floor }: History,
  peers: Peers,
  self: MemberId,
  retire: readonly MemberId[],
  enrolment: EnrolmentChange = NO_CHANGE,
): Omit<Epoch, 'signature'> {
  const retired = new Set([...retirement.retired, ...retire])
  const counts = ({ id, since, join }: Member): boolean => {
    if (since > floor || retired.has(id)) return false
    const countedBefore = retirement.epoch?.counting.includes(id) ?? join === null
    const announced = id === self ? retirement.announced(self) : peers.get(id)?.announcement.epoch
    return countedBefore || announced === retirement.number
  }
  if (membership.size + retired.size > MEMBER_IDS_MAX) {
    const ids = `${membership.size} member ids, of which ${retirement.retired.size} are retired`
    throw new FleetstepError('limit-reached', `the fleet has had ${ids}, and can retire no more: found it anew`)
  }
  const counting = membership.list().filter(counts)
  return {
    number: retirement.number + 1,
    counting: counting.map(({ id }) => id).sort(),
    retired: [...retired].sort(),
    ...enrolmentOf(retirement.epoch, enrolment, (id) => membership.get(id) !== undefined || retired.has(id)),
  }
}

/** What was revoked stays so; who was let in is not named again once it has come. */
function enrolmentOf(
  current: Epoch | null,
  { revoke, admit }: EnrolmentChange,
  hasCome: (id: MemberId) => boolean,
): Pick<Epoch, 'revoked' | 'admitted'> {
  const revoked = [...new Set([...(current?.revoked ?? []), ...revoke])].sort()
  const drafts = new Map([...(current?.admitted ?? []), ...admit].map((draft) => [draft.member, draft]))
  const admitted = [...drafts.values()].filter(({ member }) => !hasCome(member)).sort(byMember)
  if (revoked.length > REVOKED_TOKENS_MAX || admitted.length > ADMITTED_MAX) {
    const limits = `${REVOKED_TOKENS_MAX} tokens and lets in ${ADMITTED_MAX} drafts`
    throw new FleetstepError('limit-reached', `an epoch revokes at most ${limits}: wait until the drafts have joined`)
  }
  return revoked.length + admitted.length === 0 ? {} : { revoked, admitted }
}

function byMember(left: AdmittedDraft, right: AdmittedDraft): number {
  return left.member < right.member ? -1 : 1
}

/**
 * The same with members that the operator names, where nobody is left who counts. What only those hold who do not count is
 * lost, also if it was settled there; every node that takes it in says so (alarm `epoch-forced`).
 * @throws FleetstepError `operation-refused` while somebody counts, if `counting` holds anybody who is no member, or if a member
 * that stays would never believe one that counts
 */
export function forceEpoch(
  history: History,
  peers: Peers,
  self: MemberId,
  { retire, counting, enrolment }: ForcedChange,
): Omit<Epoch, 'signature'> {
  const proposed = proposeEpoch(history, peers, self, retire, enrolment)
  const [counts] = proposed.counting
  if (counts !== undefined)
    throw new FleetstepError('operation-refused', `${counts} still counts: retire without force, nothing is lost then`)
  const isMember = (id: MemberId): boolean => history.membership.get(id) !== undefined && !proposed.retired.includes(id)
  const stranger = counting.find((id) => !isMember(id))
  if (stranger !== undefined || counting.length === 0)
    throw new FleetstepError('operation-refused', `${stranger ?? 'nobody'} is no member that is to stay: name some`)
  const epoch = { ...proposed, counting: [...new Set(counting)].sort(), isForced: true } as const
  const doubt = doubtAmongThoseWhoStay(epoch, history, peers)
  if (doubt !== null) throw new FleetstepError('operation-refused', doubt)
  return epoch
}

/**
 * The join of one that counts, made by one that is retired and not held by another that stays: that one freezes what it holds of
 * the retired, and so would wait for ever for the word of somebody that it does not know. As a draft it is told all.
 */
function doubtAmongThoseWhoStay(
  { counting, retired }: Omit<Epoch, 'signature'>,
  { membership }: History,
  peers: Peers,
): string | null {
  for (const { join, id } of counting.flatMap((member) => membership.get(member) ?? [])) {
    if (join === null || !retired.includes(join.member)) continue
    for (const [member, { vector, hasStatedVector }] of peers.entries()) {
      const isSure = !hasStatedVector || retired.includes(member) || member === id
      if (isSure || (vector.get(join.member)?.seq ?? 0) >= join.seq) continue
      return `${member} does not hold the join of ${id}, which ${join.member} made: retire ${member} too, it comes back as a draft and loses nothing of its own`
    }
  }
  return null
}

/** What the operator wants of an epoch that he forces. */
export interface ForcedChange {
  readonly retire: readonly MemberId[]
  readonly counting: readonly MemberId[]
  readonly enrolment: EnrolmentChange
}

/** Equal for epochs that say the same, however often they were signed. */
export function epochDigest(epoch: Epoch | null): Digest {
  if (epoch === null) return EMPTY_DIGEST
  return digestOf(encodeCbor(contentOf(epoch)))
}

export function encodeEpoch(epoch: Epoch): CborData {
  const [number, counting, retired, ...more] = contentOf(epoch)
  return [number, counting, retired, epoch.signature, ...more]
}

/** @throws FleetstepError `message-invalid` */
export function decodeEpoch(data: CborData | undefined): Epoch {
  const length = Array.isArray(data) && (data.length === 5 || data.length === 7) ? data.length : 4
  const [number, counting, retired, signature, forced, revoked, admitted] = tupleOf(data, 'epoch', length)
  if (length === 5 && forced !== true) throw invalid('force', 'is not true')
  if (length === 7 && typeof forced !== 'boolean') throw invalid('force', 'is neither true nor false')
  if (!(signature instanceof Uint8Array) || signature.length > SIGNATURE_BYTES_MAX)
    throw invalid('signature', 'is not bytes or too long')
  const epoch: Epoch = {
    number: uintOf(number, 'number of the epoch'),
    counting: membersFrom(counting, 'counting members', MEMBER_IDS_MAX),
    retired: membersFrom(retired, 'retired members', EPOCH_RETIRED_MAX),
    ...(forced === true ? { isForced: true } : {}),
    ...(length === 7 ? decodeEnrolment(revoked, admitted) : {}),
    signature: new Uint8Array(signature),
  }
  if (epoch.number === 0) throw invalid('number of the epoch', 'is 0')
  return epoch
}

/** All that the operator says. */
function contentOf({
  number,
  counting,
  retired,
  isForced,
  revoked = [],
  admitted = [],
}: Omit<Epoch, 'signature'>): readonly [number, Uint8Array[], Uint8Array[], ...CborData[]] {
  const content = [number, bytesOf(counting), bytesOf(retired)] as const
  if (revoked.length + admitted.length === 0) return isForced === true ? [...content, true] : content
  const drafts = admitted.map(({ member, tier, key, grant, role }) => [
    memberIdToBytes(member),
    tier,
    key,
    grant,
    ...markedPlace(role),
  ])
  return [...content, isForced === true, revoked.map(digestBytes), drafts]
}

function decodeEnrolment(
  revokedData: CborData | undefined,
  admittedData: CborData | undefined,
): Required<Pick<Epoch, 'revoked' | 'admitted'>> {
  const revoked = listOf(revokedData, 'revoked tokens', REVOKED_TOKENS_MAX).map((token) => digestFrom(token, 'token'))
  const admitted = listOf(admittedData, 'admitted drafts', ADMITTED_MAX).map(decodeAdmitted)
  assertSorted(revoked, 'revoked tokens')
  assertSorted(
    admitted.map(({ member }) => member),
    'admitted drafts',
  )
  if (revoked.length + admitted.length === 0) throw invalid('enrolment', 'changes nothing')
  return { revoked, admitted }
}

function decodeAdmitted(data: CborData): AdmittedDraft {
  const length = Array.isArray(data) && data.length === 5 ? 5 : 4
  const [member, tier, keyData, grant, role] = tupleOf(data, 'admitted draft', length)
  const key = keyFrom(keyData)
  if (!(grant instanceof Uint8Array) || grant.length > GRANT_BYTES_MAX)
    throw invalid('grant', 'is not bytes or too long')
  const marks = length === 4 ? {} : { role: markedRoleFrom(role) }
  const named = { member: memberFrom(member, 'admitted draft'), tier: uintOf(tier, 'tier', TIER_MAX), ...marks }
  const draft = { ...named, key, grant: new Uint8Array(grant) }
  if (key.length === 0 || isFounding(draft.member)) throw invalid('admitted draft', 'has no key, or is of the genesis')
  return draft
}

function bytesOf(members: readonly MemberId[]): Uint8Array[] {
  return members.map(memberIdToBytes)
}

/** Sorted and without doubles, so that there is one way to write it. */
function membersFrom(data: CborData | undefined, field: string, lengthMax: number): MemberId[] {
  const members = listOf(data, field, lengthMax).map((member) => memberFrom(member, field))
  assertSorted(members, field)
  return members
}

function assertSorted(names: readonly string[], field: string): void {
  for (const [index, name] of names.entries()) {
    if (index > 0 && (names[index - 1] as string) >= name) throw invalid(field, 'are not sorted')
  }
}
