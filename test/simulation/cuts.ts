import { type MemberId, nodeOf } from '../../runtime/base/ids.ts'
import type { VersionVector } from '../../runtime/sync/version-vector.ts'
import type { Allowances } from './allowances.ts'
import { check } from './check.ts'
import type { Ledger } from './ledger.ts'
import type { SimulatedNode } from './node.ts'

/** I3: what anybody has folded of a member is not cut, by whomever: folding needs everybody to hold it. */
export class Cuts {
  readonly #ledger: Ledger
  readonly #allowances: Allowances
  /** Of the members that are retired: what stands of them in the newest epoch whose cuts anybody knew. */
  readonly #standing = new Map<MemberId, number>()
  #epoch = 0

  constructor(ledger: Ledger, allowances: Allowances) {
    this.#ledger = ledger
    this.#allowances = allowances
  }

  /** `node` knows the cuts of its epoch. @param machines all that live */
  noteCuts(node: SimulatedNode, cuts: VersionVector, machines: Iterable<SimulatedNode>): void {
    const { number, retired } = node.replica.inspect(0).epoch
    if (number < this.#epoch) return
    this.#epoch = number
    for (const member of retired) this.#standing.set(member, cuts.get(member)?.seq ?? 0)
    for (const machine of machines) this.checkFolded(machine)
  }

  /** What `node` has folded of a retired member stands. */
  checkFolded(node: SimulatedNode): void {
    const { hasTwoOperators, isForced } = this.#allowances
    if (this.#standing.size === 0 || hasTwoOperators || isForced || this.#allowances.isExcused(node.node)) return
    const { floor, vector } = node.replica.inspect(0)
    for (const entry of vector) {
      const standing = this.#standing.get(entry.member)
      if (standing === undefined || entry.seq <= standing || this.#allowances.isExcused(nodeOf(entry.member))) continue
      const operations = this.#ledger.operationsUpTo(entry) ?? []
      const folded = operations.findLast(({ stage }) => stage <= floor)?.id.seq ?? 0
      const what = (): string => `${node.name} has folded ${folded} of ${entry.member}, of which ${standing} stand`
      check('I3', folded <= standing, what)
    }
  }
}
