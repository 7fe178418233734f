import { encode } from 'cborg'
import { fromHex } from '../../runtime/base/bytes.ts'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { type MemberId, memberIdToBytes } from '../../runtime/base/ids.ts'
import type { SigningKey } from '../../runtime/device/identity/keys.ts'
import type { Announcement } from '../../runtime/sync/message.ts'
import { vectorDigest } from '../../runtime/sync/version-vector.ts'
import { HandIssuer } from './handmade.ts'
import type { SignedFleet } from './signed-fleet.ts'

/** What a member announces that holds nothing. */
export function emptyHanded(member: MemberId): Announcement {
  const inEpoch = { epoch: 0, newestEpoch: 0, epochDigest: EMPTY_DIGEST, knowsCuts: true, frozen: null }
  const held = { stage: 0, ownSeq: 0, floor: 0, floorDigest: EMPTY_DIGEST }
  return { member, start: 1, number: 1, ...inEpoch, ...held, vectorDigest: vectorDigest(new Map()), vector: [] }
}

/** One message of each kind that is signed, as the program seals it, with what the document says that it is bound to. */
export interface SealedMessage {
  readonly kind: string
  readonly bytes: Uint8Array
  /** external_aad of RFC 9052. */
  readonly bound: Uint8Array
}

export function sealedMessages({ signatures, facts, founder }: SignedFleet, key: SigningKey): SealedMessage[] {
  const signer = signatures(key)
  const fleet = fromHex(facts.id)
  const turn = { start: 3, number: 7 }
  const issuer = new HandIssuer(founder, 1)
  issuer.issue({ set: ['lamp', 1] })
  const batch = signer.sign(issuer.batches[0]!)
  const offer = { to: founder, from: founder, purpose: 'catch-up', digest: EMPTY_DIGEST, size: 9 } as const
  const gaps = [{ member: founder, after: 0, through: 1 }]
  const request = signer.signRequest({ from: founder, to: null, gaps }, () => turn)
  const chunk = { from: founder, to: founder, digest: EMPTY_DIGEST, offset: 0 }
  const asked = signer.signChunkRequest(chunk, () => turn)
  return [
    { kind: 'batch', bytes: batch.payload, bound: encode([fleet, memberIdToBytes(founder), 1, 1]) },
    ...[
      { kind: 'announcement', sealed: signer.signAnnouncement(emptyHanded(founder)).sealed },
      { kind: 'offer', sealed: signer.signOffer(offer).sealed },
      { kind: 'request', sealed: request.sealed },
      { kind: 'chunk request', sealed: asked.sealed },
    ].map(({ kind, sealed }) => ({ kind, bytes: sealed!, bound: encode([fleet, kind]) })),
  ]
}
