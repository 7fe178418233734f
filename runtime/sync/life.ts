import { equalBytes } from '../base/bytes.ts'
import { type MemberId, memberIdOf, type NodeId, nodeOf, type OperationId } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import type { Genesis } from './membership.ts'

/** One life of this node: its member id, and whether it takes part under it. */
export interface Life {
  readonly member: MemberId
  /** Why this node is a draft and not a member; null for a member. */
  readonly draftReason: string | null
  /** The join that it adopted with its welcome; null for a draft and for a founder. */
  readonly adoptedJoin: OperationId | null
  /**
   * The last operation of the life before that stood on the disk when the node started last. Up to it the fleet surely
   * holds the same; what was issued since may contradict the fleet if the disk was set back before that start.
   */
  readonly trusted: OperationId | null
}

/**
 * The life of a node that starts with an empty disk.
 * @param key its public key: hardware that has lost the key of the founder is a newcomer
 */
export function firstLife(node: NodeId, genesis: Genesis, key: Uint8Array, random: Random): Life {
  const founder = genesis.founders.find((candidate) => candidate.node === node)
  if (founder === undefined) return newLife(node, random, 'it has not joined yet', null)
  if (founder.key !== undefined && !equalBytes(founder.key, key))
    return newLife(node, random, 'it does not hold the key of the founder that it was', null)
  return { member: memberIdOf(node, 0), draftReason: null, adoptedJoin: null, trusted: null }
}

/** The life of a node that becomes a draft: its nonce has never been used, so that nobody confuses it with a former one. */
export function newLife(node: NodeId, random: Random, draftReason: string, trusted: OperationId | null): Life {
  const nonce = 1 + (random.uint32() % 0xffff_ffff)
  return { member: memberIdOf(node, nonce), draftReason, adoptedJoin: null, trusted }
}

/** Whether a node keeps operations of `member` that do not stand: its own, which come back in its next life. */
export function keepsOwn({ member: self, draftReason }: Life, member: MemberId): boolean {
  return draftReason === null ? member === self : nodeOf(member) === nodeOf(self)
}
