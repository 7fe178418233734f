import { digestOf } from '../../runtime/base/digest.ts'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { type MemberId, nodeOf } from '../../runtime/base/ids.ts'
import { type Epoch, epochPayload } from '../../runtime/sync/epoch.ts'
import type { Inspection } from '../../runtime/sync/inspection.ts'
import type { SimulatedNode } from './node.ts'

/** The people who hold the operator's key. They go from node to node with the newest epoch that they made. */
export class Operator {
  #newest: Epoch | null = null
  /** All members that were retired by any epoch, also by one that the fleet refused. */
  readonly #retired = new Set<MemberId>()
  readonly #tell: (node: SimulatedNode, epoch: Epoch) => void

  constructor(tell: (node: SimulatedNode, epoch: Epoch) => void) {
    this.#tell = tell
  }

  /**
   * Retires members, as far as `at` knows who counts.
   * @param knowsNewest false for a second operator, who has not heard of what the first one did
   * @returns false if nobody would count
   */
  retire(at: SimulatedNode, members: readonly MemberId[], knowsNewest: boolean = true): boolean {
    if (knowsNewest) this.#catchUp(at)
    const again = knowsNewest ? [...members, ...this.#retired] : members
    const proposed = at.replica.proposeEpoch([...new Set(again)])
    if (proposed.counting.length === 0) return false
    this.#sign(at, proposed, knowsNewest)
    return true
  }

  /**
   * Nobody is left who counts as far as `at` knows: members that it knows count from now on. Whom it advises against is retired
   * too.
   */
  force(at: SimulatedNode, members: readonly MemberId[], counting: readonly MemberId[]): void {
    this.#catchUp(at)
    const retired = new Set([...members, ...this.#retired].filter((member) => !counting.includes(member)))
    const proposed = at.replica.proposeEpoch([...retired])
    if (proposed.counting.length > 0) return this.#sign(at, proposed, true)
    for (let staying = counting; ;) {
      try {
        return this.#sign(at, at.replica.forceEpoch([...retired], staying), true)
      } catch (error) {
        const advice = error instanceof FleetstepError ? /: retire (\S+) too/.exec(error.message)?.[1] : undefined
        if (advice === undefined || staying.length === 0) throw error
        retired.add(advice as MemberId)
        staying = staying.filter((member) => member !== advice)
      }
    }
  }

  #catchUp(at: SimulatedNode): void {
    if (this.#newest !== null && at.replica.inspect(0).epoch.number < this.#newest.number) this.#tell(at, this.#newest)
  }

  #sign(at: SimulatedNode, proposed: Omit<Epoch, 'signature'>, knowsNewest: boolean): void {
    const newest = this.#newest?.number ?? 0
    const number = Math.max(proposed.number, knowsNewest ? newest + 1 : 0)
    for (const member of proposed.retired) this.#retired.add(member)
    const unsigned = { ...proposed, number }
    const epoch = { ...unsigned, signature: signatureOf(epochPayload(at.replica.fleet, unsigned)) }
    if (number >= newest) this.#newest = epoch
    this.#tell(at, epoch)
  }

  /** By an epoch that not everybody need have heard of. */
  hasRetired(member: MemberId): boolean {
    return this.#retired.has(member)
  }
}

/** Lives that `at` takes for members, and that no machine leads any more or that stand in the way of the present one. */
export function abandonedLives(view: Inspection, nodes: readonly SimulatedNode[]): MemberId[] {
  const machinesOf = (member: MemberId): SimulatedNode[] =>
    nodes.filter(({ node, isGone }) => !isGone && node === nodeOf(member))
  return view.members
    .filter(({ isRetired }) => !isRetired)
    .map(({ member }) => member)
    .filter((member) => machinesOf(member).every((node) => !node.isUp || node.member !== member || isSetBack(node)))
}

/** It waits as a draft under the id of a member, and says that the fleet waits for that member. */
function isSetBack({ replica, member }: SimulatedNode): boolean {
  const { status, refusal } = replica.inspect(0)
  return status === 'draft' && refusal?.startsWith(`the fleet waits for ${member}`) === true
}

/** Stands for the operator's signature: nobody else in the simulation knows the word. */
export function signatureOf(payload: Uint8Array): Uint8Array {
  return new TextEncoder().encode(digestOf(Buffer.concat([Buffer.from('operator'), payload])))
}
