import * as v from 'valibot'
import { fromHex, toHex } from '../base/bytes.ts'
import { type Digest, isDigest } from '../base/digest.ts'
import { FleetstepError } from '../base/errors.ts'
import { isFounding, isMemberId, type MemberId } from '../base/ids.ts'
import {
  ADMITTED_MAX,
  EPOCH_FILE_BYTES_MAX,
  EPOCH_RETIRED_MAX,
  MEMBER_IDS_MAX,
  REVOKED_TOKENS_MAX,
  SIGNATURE_BYTES_MAX,
} from '../base/limits.ts'
import { TIER_MAX } from '../state/priority.ts'
import type { Epoch } from '../sync/epoch.ts'

/** An epoch as JSON for people and programs: on its way from a gateway to the operator, and back with the signature. */
export interface EpochDocument<E = Epoch> {
  readonly fleet: Digest
  readonly epoch: E
}

export type ProposedEpoch = Omit<Epoch, 'signature'>

/** The signature is left out of a proposal. */
export function epochToJson({ fleet, epoch }: EpochDocument<ProposedEpoch | Epoch>): Readonly<Record<string, unknown>> {
  const { number, counting, retired, isForced = false, revoked = [], admitted = [] } = epoch
  const drafts = admitted.map(({ key, grant, ...draft }) => ({
    ...draft,
    key: toHex(key),
    ...('signature' in epoch ? { grant: toHex(grant) } : {}),
  }))
  const signature = 'signature' in epoch ? { signature: toHex(epoch.signature) } : {}
  return { format: FORMAT, fleet, number, counting, retired, forced: isForced, revoked, admitted: drafts, ...signature }
}

export function epochText(document: EpochDocument<ProposedEpoch | Epoch>): string {
  return `${JSON.stringify(epochToJson(document), null, 2)}\n`
}

/** @throws FleetstepError `request-invalid` */
export function epochFromJson(data: unknown, where: string): EpochDocument {
  const document = proposalFromJson(data, where)
  const { signature } = data as { readonly signature?: unknown }
  if (!v.is(SIGNATURE, signature))
    throw invalid(where, 'is not signed: the operator signs it with fleetstep fleet sign')
  return { fleet: document.fleet, epoch: { ...document.epoch, signature: fromHex(signature) } }
}

/** What a signature is asked for, whether or not there is one. @throws FleetstepError `request-invalid` */
export function proposalFromJson(data: unknown, where: string): EpochDocument<ProposedEpoch> {
  const parsed = v.safeParse(DOCUMENT, data)
  if (!parsed.success) throw invalid(where, 'is no epoch: fleetstep fleet retire --unsigned FILE writes one')
  const { fleet, number, forced, counting, retired, revoked, admitted } = parsed.output
  const drafts = admitted.map(({ key, grant = '', ...draft }) => ({
    ...draft,
    key: fromHex(key),
    grant: fromHex(grant),
  }))
  const enrolment = revoked.length + drafts.length === 0 ? {} : { revoked, admitted: drafts }
  return {
    fleet,
    epoch: { number, counting, retired, ...(forced ? { isForced: true } : {}), ...enrolment },
  }
}

/** @throws FleetstepError `request-invalid` */
export function epochFromText(text: string, where: string): EpochDocument {
  return epochFromJson(jsonOf(text, where), where)
}

/** @throws FleetstepError `request-invalid` */
export function proposalFromText(text: string, where: string): EpochDocument<ProposedEpoch> {
  return proposalFromJson(jsonOf(text, where), where)
}

const FORMAT = 'fleetstep-epoch/1'

const TOKEN = v.custom<Digest>(isDigest)
const MEMBER = v.custom<MemberId>(isMemberId)
const DRAFT = v.strictObject({
  member: v.custom<MemberId>((id) => isMemberId(id) && !isFounding(id)),
  tier: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(TIER_MAX)),
  role: v.exactOptional(v.picklist(['observer', 'operator'])),
  key: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  grant: v.optional(v.pipe(v.string(), v.regex(/^([0-9a-f]{128})?$/))),
})
const SIGNATURE = v.pipe(v.string(), v.regex(/^([0-9a-f]{2})+$/), v.maxLength(2 * SIGNATURE_BYTES_MAX))

const DOCUMENT = v.strictObject({
  format: v.literal(FORMAT),
  fleet: v.custom<Digest>(isDigest),
  number: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  counting: sorted(MEMBER, MEMBER_IDS_MAX, (member) => member),
  retired: sorted(MEMBER, EPOCH_RETIRED_MAX, (member) => member),
  forced: v.boolean(),
  revoked: sorted(TOKEN, REVOKED_TOKENS_MAX, (token) => token),
  admitted: sorted(DRAFT, ADMITTED_MAX, ({ member }) => member),
  signature: v.optional(SIGNATURE),
})

/** One way to write a list: sorted, nothing twice. */
function sorted<T>(entry: v.GenericSchema<unknown, T>, max: number, nameOf: (entry: T) => string) {
  return v.pipe(
    v.array(entry),
    v.maxLength(max),
    v.check((list) => list.every((one, index) => index === 0 || nameOf(list[index - 1] as T) < nameOf(one))),
  )
}

function jsonOf(text: string, where: string): unknown {
  if (text.length > EPOCH_FILE_BYTES_MAX) throw invalid(where, 'is too long for an epoch')
  try {
    return JSON.parse(text)
  } catch {
    throw invalid(where, 'is not JSON: it was cut off, or is another file')
  }
}

function invalid(where: string, problem: string): FleetstepError {
  return new FleetstepError('request-invalid', `${where} ${problem}`)
}
