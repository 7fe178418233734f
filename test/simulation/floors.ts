import type { Digest } from '../../runtime/base/digest.ts'
import type { MemberId } from '../../runtime/base/ids.ts'
import type { Allowances } from './allowances.ts'
import { check } from './check.ts'
import type { SimulatedNode } from './node.ts'

/**
 * I1: the digest at each floor is the same everywhere for ever.
 *
 * Whoever was set back may settle without what it has issued itself since its backup while that is still under way, or not on the
 * disk of whoever has it: no other node can tell it yet. Then it has to find out, and to begin another life.
 */
export class Floors {
  readonly #allowances: Allowances
  readonly #known = new Map<number, Known>()
  /** Who settled something else than the others, in which of its lives. */
  readonly #doubted = new Map<SimulatedNode, MemberId>()

  constructor(allowances: Allowances) {
    this.#allowances = allowances
  }

  note(node: SimulatedNode, floor: number, digest: Digest): void {
    if (this.#allowances.isCloned(node.node)) return
    const known = this.#known.get(floor)
    if (known === undefined) this.#known.set(floor, { digest, by: new Map([[node, node.member]]) })
    else if (known.digest !== digest && !this.#allowances.hasTwoOperators) this.#noteOther(node, floor, digest, known)
    // Its next life begins where this one has settled.
    else if (!known.by.has(node)) known.by.set(node, node.member)
  }

  /** The disk of a node is another one. */
  forget(node: SimulatedNode): void {
    for (const [floor, { by }] of this.#known) if (by.delete(node) && by.size === 0) this.#known.delete(floor)
  }

  /** What none of these has settled may be lost. */
  keepOf(nodes: readonly SimulatedNode[]): void {
    for (const [floor, { by }] of this.#known) if (!nodes.some((node) => by.has(node))) this.#known.delete(floor)
  }

  /** At the end of all. */
  checkDoubted(): void {
    for (const [node, member] of this.#doubted) {
      const hasFoundOut = node.isGone || node.member !== member
      check('I1', hasFoundOut, () => `${node.name} settled what nobody else did, and goes on as ${member}`)
    }
  }

  #noteOther(node: SimulatedNode, floor: number, digest: Digest, known: Known): void {
    if (this.#allowances.isResumed(node.member)) {
      this.#doubted.set(node, node.member)
      return
    }
    const areResumed = [...known.by.values()].every((member) => this.#allowances.isResumed(member))
    check('I1', areResumed, () => `${node.name} has ${digest} at floor ${floor}, and another had ${known.digest}`)
    for (const [other, member] of known.by) this.#doubted.set(other, member)
    this.#known.set(floor, { digest, by: new Map([[node, node.member]]) })
  }
}

interface Known {
  readonly digest: Digest
  /** Who had it, and in which of its lives first. */
  readonly by: Map<SimulatedNode, MemberId>
}
