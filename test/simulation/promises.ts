import type { Digest } from '../../runtime/base/digest.ts'
import { formatOperationId } from '../../runtime/base/ids.ts'
import type { Operation } from '../../runtime/state/operation.ts'
import type { Batch } from '../../runtime/sync/message.ts'
import { nameOfOriginal } from '../sync/reference-model.ts'
import type { Allowances } from './allowances.ts'
import { check } from './check.ts'
import type { DiskFacts } from './disk-facts.ts'
import type { ReferenceRun } from './ledger.ts'
import type { SimulatedNode } from './node.ts'

/** An operation of which somebody was told that it is durable. */
interface Promised {
  /** What it is called in all its lives: `operation <id>` or `draft <id>`. */
  readonly name: string
  readonly content: string
  readonly by: SimulatedNode
  /** Its batch; null for a draft. */
  readonly digest: Digest | null
}

/** I6: every operation told durable by a live node is in the fleet, in a draft, in a conflict list, or re-issued, once. */
export class Promises {
  readonly #promised = new Map<string, Promised>()
  /** Excused: they went with a disk that was replaced by an older one, and nobody else held them. */
  readonly #lost = new Set<Promised>()

  note(by: SimulatedNode, operation: Operation, batch: Batch | null): void {
    if (operation.join !== null) return
    const content = contentOf(operation)
    const name = nameOfOriginal(operation.original ?? { kind: 'operation', id: operation.id })
    const promised = { name, content, by, digest: batch?.digest ?? null }
    this.#promised.set(`${name} ${content} ${by.name}`, promised)
  }

  /**
   * The disk of `node` is replaced.
   * @param kept what the new card holds; @param others what all other living machines hold
   */
  noteReplaced(node: SimulatedNode, kept: DiskFacts, others: readonly DiskFacts[]): void {
    for (const promised of this.#promised.values()) {
      const { by, digest, name } = promised
      if (by !== node) continue
      const isHeld = (facts: DiskFacts): boolean =>
        digest === null ? facts.holdsDraft(name) : facts.holdsBatch(digest)
      if (!isHeld(kept) && !others.some(isHeld)) this.#lost.add(promised)
    }
  }

  /** An epoch was forced. @param counting what those hold who count from now on */
  noteForced(counting: readonly DiskFacts[]): void {
    for (const promised of this.#promised.values()) {
      const { digest } = promised
      if (digest !== null && !counting.some((facts) => facts.holdsBatch(digest))) this.#lost.add(promised)
    }
  }

  checkKept(run: ReferenceRun, nodes: readonly SimulatedNode[], allowances: Allowances): void {
    const standing = standingOf(run)
    const conflicts = new Set(
      nodes.flatMap(({ replica }) => replica.conflicts().map(({ id }) => id.slice(0, id.lastIndexOf('@')))),
    )
    for (const [name, operations] of standing) {
      const ids = (): string => operations.map(({ id }) => formatOperationId(id)).join(' and ')
      check('I6', operations.length === 1, () => `${name} stands as ${ids()}`)
    }
    for (const promised of this.#promised.values()) {
      const { name, content, by } = promised
      const contents = standing.get(name)?.map(contentOf) ?? []
      if (contents.includes(content) || conflicts.has(name) || isExcused(promised, this.#lost, allowances)) continue
      // Of two machines that led one life: where the content that stands has left the journals, nobody can tell that it is another.
      if (contents.length > 0 && allowances.isCloned(by.node)) continue
      check('I6', false, () => `${name}, told durable by ${by.name}, is lost: ${content}`)
    }
  }
}

/** By the name that each operation had first. What its rules made void is there for all to see. */
function standingOf({ operations, unheard }: ReferenceRun): Map<string, Operation[]> {
  const standing = new Map<string, Operation[]>()
  for (const operation of operations) {
    if (unheard.has(formatOperationId(operation.id)) || operation.join !== null) continue
    const name = nameOfOriginal(operation.original ?? { kind: 'operation', id: operation.id })
    standing.set(name, [...(standing.get(name) ?? []), operation])
  }
  return standing
}

function isExcused(promised: Promised, lost: ReadonlySet<Promised>, allowances: Allowances): boolean {
  const { by } = promised
  // Destroyed, or the one of two clones that people took out of service: it is no live node.
  if (by.isGone) return true
  // Two machines made drafts under one name: of those one content comes back, since a draft has no chain to tell them apart.
  if (promised.name.startsWith('draft ') && allowances.isCloned(by.node)) return true
  // Nobody but a disk that does not exist any more held it; or whoever held it was retired before it spread.
  return lost.has(promised) || allowances.isSetBack(by.node)
}

function contentOf({ writes, guards }: Operation): string {
  return JSON.stringify([writes.map(({ path, kind, argument }) => [path, kind, argument]), guards])
}
