import type { Digest } from '../base/digest.ts'
import type { MemberId } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import type { Join } from '../state/operation.ts'
import type { Role } from '../state/role.ts'
import type { Genesis } from './membership.ts'
import type { JoinRequest, Message } from './message.ts'
import type { Recovered } from './recovery.ts'
import type { SignatureScheme } from './signatures.ts'
import type { Admission, EnrolmentStanding } from './sponsor.ts'

/** Who a replica is, what its disk held, and what the fleet's keys and the operator let it judge by. */
export interface ReplicaOptions {
  /** Any member id of this node: which one it has now stands on its disk. */
  readonly self: MemberId
  readonly genesis: Genesis
  /** The tier with which this node joins; a founder's stands in the genesis. */
  readonly tier?: number
  /** The role with which this node joins; a founder's stands in the genesis. */
  readonly role?: Role
  /** The public key with which this node joins; none in a fleet without signatures. */
  readonly key?: Uint8Array
  /** The proof of enrolment with which this node asks to join under a member id, with a tier and a role. */
  readonly prove?: (member: MemberId, tier: number, role: Role) => Uint8Array
  readonly random: Random
  /** What the store gave back. */
  readonly recovered: Recovered
  /** Journal bytes after which a snapshot is cut without the input `snapshot-due`, for simulations. */
  readonly snapshotJournalBytes?: number
  /** Reads a frame, for simulations, where one reading serves all who hear it. It throws what `decodeFrame` throws. */
  readonly readFrame?: (bytes: Uint8Array) => Message
  /** Whether the operator's key made `signature` over `payload`. Without it no epoch is taken in. */
  readonly verifyEpoch?: (payload: Uint8Array, signature: Uint8Array) => boolean
  /** The newest epoch that this node was told of from the start: it believes no snapshot of an older one. */
  readonly leastEpoch?: { readonly number: number; readonly digest: Digest } | null
  /** How batches are signed and verified; exactly in a fleet whose genesis has keys. */
  readonly signature?: SignatureScheme
  /** Whether this draft is to be taken in, by its proof and what the fleet holds. Without it every draft may join. */
  readonly judgeJoin?: (request: JoinRequest, standing: EnrolmentStanding) => Admission
  /** Why the operator has not let in whom a join admits, or null: pure, so that all come to one verdict. */
  readonly problemOfJoin?: (join: Join) => string | null
  /** Member ids that may join with the token in what a join carries; null if it carries none. */
  readonly usesOf?: (credential: Uint8Array) => number | null
}
