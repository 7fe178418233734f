import { type MemberId, nodeOf } from '../../runtime/base/ids.ts'
import type { VersionVector } from '../../runtime/sync/version-vector.ts'
import type { Allowances } from './allowances.ts'
import { check } from './check.ts'
import type { Ledger } from './ledger.ts'
import type { SimulatedNode } from './node.ts'

/**
 * I3: what anybody has folded of a member is not cut, by whomever: folding needs everybody to hold it.
 *
 * Whoever was set back may come to a lower cut while it has heard nobody who holds more. Then it has to find out, and to begin
 * another life.
 */
export class Cuts {
  readonly #ledger: Ledger
  readonly #allowances: Allowances
  /** Of the members that are retired: what stands of them in the newest epoch whose cuts anybody knew. */
  readonly #standing = new Map<MemberId, number>()
  #epoch = 0
  /** Who was set back and has come to a cut below what another one has folded, in which of its lives, and of what. */
  readonly #doubted = new Map<SimulatedNode, Doubt>()

  constructor(ledger: Ledger, allowances: Allowances) {
    this.#ledger = ledger
    this.#allowances = allowances
  }

  /** `node` knows the cuts of its epoch. @param machines all that live */
  noteCuts(node: SimulatedNode, cuts: VersionVector, machines: Iterable<SimulatedNode>): void {
    const { number, retired } = node.replica.inspect(0).epoch
    if (number < this.#epoch) return
    const standing = new Map([...retired].map((member) => [member, cuts.get(member)?.seq ?? 0]))
    if (this.#allowances.isResumed(node.member)) {
      for (const machine of machines) {
        const what = this.#foldedBeyond(standing, machine)
        if (what !== null) this.#doubted.set(node, { member: node.member, what })
      }
      if (this.#doubted.get(node)?.member === node.member) return
    }
    this.#epoch = number
    for (const [member, seq] of standing) this.#standing.set(member, seq)
    for (const machine of machines) this.checkFolded(machine)
  }

  /** What `node` has folded of a retired member stands. */
  checkFolded(node: SimulatedNode): void {
    const what = this.#foldedBeyond(this.#standing, node)
    check('I3', what === null, () => what ?? '')
  }

  /** At the end of all. */
  checkDoubted(): void {
    for (const [node, { member, what }] of this.#doubted) {
      const hasFoundOut = node.isGone || node.member !== member
      check('I3', hasFoundOut, () => `${node.name} goes on as ${member} with a cut by which ${what}`)
    }
  }

  #foldedBeyond(cuts: ReadonlyMap<MemberId, number>, node: SimulatedNode): string | null {
    const { hasTwoOperators, isForced } = this.#allowances
    if (cuts.size === 0 || hasTwoOperators || isForced || this.#allowances.isExcused(node.node)) return null
    const { floor, vector } = node.replica.inspect(0)
    for (const entry of vector) {
      const standing = cuts.get(entry.member)
      if (standing === undefined || entry.seq <= standing || this.#allowances.isExcused(nodeOf(entry.member))) continue
      const operations = this.#ledger.operationsUpTo(entry) ?? []
      const folded = operations.findLast(({ stage }) => stage <= floor)?.id.seq ?? 0
      if (folded > standing) return `${node.name} has folded ${folded} of ${entry.member}, of which ${standing} stand`
    }
    return null
  }
}

interface Doubt {
  readonly member: MemberId
  readonly what: string
}
