import { encodeCbor } from '../base/cbor.ts'
import type { Digest } from '../base/digest.ts'
import { unreachable } from '../base/errors.ts'
import { type MemberId, memberIdToBytes } from '../base/ids.ts'
import type { Join } from '../state/operation.ts'
import { digestBytes } from './codec-fields.ts'
import { encodeSign1, openSign1, sign1Structure } from './cose.ts'
import type { History } from './history.ts'
import {
  type Announcement,
  type Batch,
  type ChunkRequest,
  firstOf,
  lastOf,
  type Message,
  type Offer,
  type Request,
  type SyncMessage,
  type Telemetry,
  type Turn,
} from './message.ts'
import {
  announcementPayload,
  chunkRequestPayload,
  offerPayload,
  requestPayload,
  telemetryPayload,
} from './message-codec.ts'

/** How a fleet with keys signs and verifies; both are pure here, and come from the gateway. */
export interface SignatureScheme {
  /** By this node's own key. @returns 64 bytes */
  readonly sign: (bytes: Uint8Array) => Uint8Array
  readonly verify: (key: Uint8Array, bytes: Uint8Array, signature: Uint8Array) => boolean
}

type SealedKind = 'announcement' | 'offer' | 'request' | 'chunk request' | 'telemetry'

/** This node, which knows its own key also as a draft. */
export interface Self {
  readonly member: MemberId
  readonly key: Uint8Array
}

/**
 * Signatures of origin: each batch of a fleet with keys is a COSE_Sign1 of its member. Fleet, member id and seqs are bound by
 * external_aad, so that no batch is played into another fleet, or as another member's. In a fleet without keys nothing is signed.
 */
export class Signatures {
  readonly #fleet: Digest
  readonly #scheme: SignatureScheme | null
  readonly #problemOfJoin: (join: Join) => string | null
  /** Batches whose signature was verified, or that we have signed: nothing is verified twice. */
  readonly #verified = new WeakSet<Batch>()

  /**
   * @param scheme null in a fleet without keys
   * @param problemOfJoin why the operator has not let in whom a join admits, or null
   */
  constructor(
    fleet: Digest,
    scheme: SignatureScheme | null,
    problemOfJoin: (join: Join) => string | null = () => null,
  ) {
    this.#fleet = fleet
    this.#scheme = scheme
    this.#problemOfJoin = problemOfJoin
  }

  /** Whether the fleet has keys. */
  get areInUse(): boolean {
    return this.#scheme !== null
  }

  /** A batch of our own as it is stored and sent. */
  sign(batch: Batch): Batch {
    if (this.#scheme === null) return batch
    const signature = this.#scheme.sign(sign1Structure(batch.payload, this.#boundBy(batch)))
    // What it holds is known: to open what was just made took as long as to receive it.
    const signed = { ...batch, payload: encodeSign1({ payload: batch.payload, signature }), isSigned: true }
    this.#verified.add(signed)
    return signed
  }

  /**
   * Why a batch is not from whom it says, in one line, or null. The signature of somebody whose key is not known is looked at
   * when his join is held; what is held or waits already is not looked at again.
   */
  problemOf(batch: Batch, history: History, self: Self): string | null {
    if (this.#scheme === null) return batch.isSigned ? 'batch is signed in a fleet without keys' : null
    if (!batch.isSigned) return 'batch is not signed'
    if (this.#verified.has(batch) || isKnown(batch, history)) return null
    const key = batch.origin === self.member ? self.key : keyOf(batch.origin, history)
    if (key !== null) return this.verify(batch, key)
    return history.retirement.isRetired(batch.origin) ? 'batch of a retired node whose key is not known' : null
  }

  /** Without what is known of it. @returns the problem, or null */
  verify(batch: Batch, key: Uint8Array): string | null {
    if (this.#scheme === null || this.#verified.has(batch)) return null
    if (!batch.isSigned) return 'batch is not signed'
    const { payload, signature } = openSign1(batch.payload, 'batch')
    if (!this.#scheme.verify(key, sign1Structure(payload, this.#boundBy(batch)), signature))
      return 'batch is not signed by its member'
    // Whoever sponsors may be anybody: a join stands by the word of the operator.
    const isUnproven = ({ current: { join } }: SyncMessage): boolean =>
      join !== null && this.#problemOfJoin(join) !== null
    if (batch.messages.some(isUnproven)) return 'join of a node that the operator has not let in'
    this.#verified.add(batch)
    return null
  }

  /** The same of evidence, which hangs on what was cut: whose key is nowhere to be had proves nothing, for or against it. */
  verifyEvidence(batch: Batch, history: History): string | null {
    const key = keyOf(batch.origin, history)
    return key === null ? null : this.verify(batch, key)
  }

  /** An announcement of our own as it is sent. */
  signAnnouncement(announcement: Announcement): Announcement {
    if (this.#scheme === null) return announcement
    return { ...announcement, sealed: this.#seal(announcementPayload(announcement), 'announcement', this.#scheme) }
  }

  /** An offer of our own as it is sent. */
  signOffer(offer: Offer): Offer {
    return this.#scheme === null ? offer : { ...offer, sealed: this.#seal(offerPayload(offer), 'offer', this.#scheme) }
  }

  /** A request of our own as it is sent. @param turn the next one */
  signRequest(request: Request, turn: () => Turn): Request {
    if (this.#scheme === null) return request
    const asked = { ...request, turn: turn() }
    return { ...asked, sealed: this.#seal(requestPayload(asked), 'request', this.#scheme) }
  }

  /** The same of a request for a chunk. */
  signChunkRequest(request: ChunkRequest, turn: () => Turn): ChunkRequest {
    if (this.#scheme === null) return request
    const asked = { ...request, turn: turn() }
    return { ...asked, sealed: this.#seal(chunkRequestPayload(asked), 'chunk request', this.#scheme) }
  }

  /** Why a request, for operations or for a chunk, is not from whom it says; `unknown` or null as of an announcement. */
  problemOfRequest({ from, sealed }: Request | ChunkRequest, what: SealedKind, history: History): string | null {
    return this.#problemOfSealed(sealed, keyOf(from, history), what)
  }

  /** Telemetry of our own as it is sent. */
  signTelemetry(telemetry: Telemetry): Telemetry {
    if (this.#scheme === null) return telemetry
    return { ...telemetry, sealed: this.#seal(telemetryPayload(telemetry), 'telemetry', this.#scheme) }
  }

  /** Whether whoever holds this key has made this announcement. */
  isAnnouncementBy(key: Uint8Array, { sealed }: Announcement): boolean {
    return this.#problemOfSealed(sealed, key, 'announcement') === null
  }

  /** Why an announcement is not from whom it says, in one line; `unknown` while the key of its member is not known; or null. */
  problemOfAnnouncement({ member, sealed }: Announcement, history: History, self: Self): string | null {
    const key = member === self.member ? self.key : keyOf(member, history)
    return this.#problemOfSealed(sealed, key, 'announcement')
  }

  /** The same of an offer. A draft knows few keys: whom it does not know shows in the offer who let him in. */
  problemOfOffer({ from, sealed, sponsor }: Offer, history: History): string | null {
    const known = keyOf(from, history)
    const isTraced = known === null && sponsor !== undefined && this.#problemOfJoin(sponsor) === null
    return this.#problemOfSealed(sealed, isTraced ? sponsor.key : known, 'offer')
  }

  /** The same of telemetry. */
  problemOfTelemetry({ member, sealed }: Telemetry, history: History): string | null {
    return this.#problemOfSealed(sealed, keyOf(member, history), 'telemetry')
  }

  /** Whether a message shows that it is not from whom it says. Of a node whose key is not known nothing shows. */
  isForged(message: Message, history: History, self: Self): boolean {
    const problem = this.#problemOfMessage(message, history, self)
    return problem !== null && problem !== 'unknown'
  }

  #problemOfMessage(message: Message, history: History, self: Self): string | null {
    switch (message.kind) {
      case 'batch': {
        const { batch } = message
        const isUnknown = batch.isSigned && keyOf(batch.origin, history) === null
        return isUnknown && this.#scheme !== null ? 'unknown' : this.problemOf(batch, history, self)
      }
      case 'announcement':
        return this.problemOfAnnouncement(message.announcement, history, self)
      case 'request':
        return this.problemOfRequest(message.request, 'request', history)
      case 'chunk-request':
        return this.problemOfRequest(message.request, 'chunk request', history)
      case 'offer':
        return this.problemOfOffer(message.offer, history)
      case 'telemetry':
        return this.problemOfTelemetry(message.telemetry, history)
      // They are proven by what stands in them.
      case 'epoch':
      case 'join-request':
      case 'refusal':
      case 'chunk':
        return null
      default:
        return unreachable(message)
    }
  }

  #problemOfSealed(sealed: Uint8Array | undefined, key: Uint8Array | null, what: SealedKind): string | null {
    if (this.#scheme === null) return sealed === undefined ? null : `${what} is signed in a fleet without keys`
    if (sealed === undefined) return `${what} is not signed`
    if (key === null) return 'unknown'
    const { payload, signature } = openSign1(sealed, what)
    const isGood = this.#scheme.verify(key, sign1Structure(payload, this.#boundTo(what)), signature)
    return isGood ? null : `${what} is not signed by its member`
  }

  #seal(payload: Uint8Array, what: SealedKind, scheme: SignatureScheme): Uint8Array {
    return encodeSign1({ payload, signature: scheme.sign(sign1Structure(payload, this.#boundTo(what))) })
  }

  /** Who says it stands in the payload. */
  #boundTo(what: SealedKind): Uint8Array {
    return encodeCbor([digestBytes(this.#fleet), what])
  }

  #boundBy(batch: Batch): Uint8Array {
    const [first, last] = [firstOf(batch).current.id.seq, lastOf(batch).current.id.seq]
    return encodeCbor([digestBytes(this.#fleet), memberIdToBytes(batch.origin), first, last])
  }
}

/** Of a member, or of one whose join was cut: the join is held as evidence then. */
function keyOf(member: MemberId, { membership, retirement }: History): Uint8Array | null {
  const known = membership.get(member)
  if (known !== undefined) return known.key
  const joins = retirement.evidence.get(member)?.messages.flatMap(({ current }) => current.join ?? [])
  return joins?.find((join) => join.member === member)?.key ?? null
}

/** By its digest, which is that of all that its member has issued up to it. */
function isKnown(batch: Batch, history: History): boolean {
  const log = history.log(batch.origin)
  const { seq } = lastOf(batch).current.id
  return (seq <= log.held.seq && log.digestAt(seq) === batch.digest) || history.waitingList.has(batch)
}
