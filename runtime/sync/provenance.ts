import { equalBytes } from '../base/bytes.ts'
import { epochPayload } from './epoch.ts'
import type { History } from './history.ts'
import { joinOf } from './membership.ts'
import type { Batch, Offer } from './message.ts'
import type { ReplicaCore } from './replica-core.ts'

/** What another node offers: the history that its snapshot makes, and the batches in it. */
export interface Offered {
  readonly offer: Offer
  readonly fresh: History
  readonly batches: readonly Batch[]
}

/**
 * Why a snapshot of another node is not what the operator's fleet can have made, in one line, or null. All that is believed is
 * traced back to the operator's key, which stands in the genesis: the epoch, each member, whoever offers it, and by them each
 * operation that is not settled. For what is settled the member that offers it answers.
 */
export function provenanceProblem(offered: Offered, core: ReplicaCore): string | null {
  return problemOfEpoch(offered, core) ?? problemOfMembers(offered, core) ?? problemOfSponsor(offered, core)
}

function problemOfEpoch({ fresh: { retirement } }: Offered, { options, fleet }: ReplicaCore): string | null {
  const { epoch } = retirement
  const least = options.leastEpoch ?? null
  if (least !== null && retirement.number < least.number)
    return 'it is of an older epoch than the seed of this node names'
  if (epoch === null) return null
  if (least?.number === epoch.number && least.digest !== retirement.digest)
    return 'it is of another epoch than the seed of this node names'
  const isSigned = options.verifyEpoch?.(epochPayload(fleet, epoch), epoch.signature) ?? false
  return isSigned ? null : 'its epoch is not signed by the operator'
}

function problemOfMembers({ fresh: { membership } }: Offered, { options, history }: ReplicaCore): string | null {
  for (const member of membership.list()) {
    // The founders are those of our own genesis: no snapshot has points of any.
    if (member.join === null) continue
    if ((options.problemOfJoin?.(joinOf(member)) ?? null) !== null)
      return 'it has a member that the operator has not let in'
    const known = history.membership.get(member.id)
    if (known !== undefined && !equalBytes(known.key, member.key)) return 'it has another key for a member'
  }
  return null
}

function problemOfSponsor({ offer, fresh, batches }: Offered, { signatures }: ReplicaCore): string | null {
  if (fresh.membership.get(offer.from) === undefined) return 'whoever offered it is no member in it'
  const problem = signatures.problemOfOffer(offer, fresh)
  if (problem !== null) return problem
  if (fresh.retirement.isRetired(offer.from)) return 'whoever offered it was retired'
  for (const batch of batches) {
    const forged = signatures.verify(batch, fresh.membership.get(batch.origin)?.key ?? new Uint8Array())
    if (forged !== null) return forged
  }
  for (const batch of fresh.retirement.evidence.values()) {
    const forged = signatures.verifyEvidence(batch, fresh)
    if (forged !== null) return forged
  }
  return null
}
