import { type MemberId, type NodeId, nodeOf } from '../base/ids.ts'
import { EMPTY_DIGEST } from '../base/digest.ts'
import { type Cell, EMPTY_CELL } from '../state/cell.ts'
import { executeAlone, type Execution } from '../state/executor.ts'
import { operationMemoryBytes } from '../state/memory.ts'
import { type Operation, type Original, pathsMet, pathsOf } from '../state/operation.ts'
import { deviceOf, type Path } from '../state/path.ts'
import { isReserved, rulesPoint } from '../state/reserved-point.ts'
import { ruleTableAt } from '../state/rules/rules-codec.ts'
import type { RuleTable } from '../state/rules/rules.ts'
import { openBatch, sealBatch } from './batch-codec.ts'
import type { LocalState } from './local-state.ts'
import { firstOf, type SyncMessage } from './message.ts'

/**
 * An operation of a node that is no member: executed here, durable, and not yet in the fleet. `current.original` says what
 * it is called when it is issued: itself, or an operation of a former life that did not stand.
 */
export type Draft = SyncMessage & { readonly current: { readonly original: Original } }

/**
 * The drafts of a node in the order in which they were made, and what they do to the state: an overlay over the cells that
 * the node holds as a member or held as one.
 */
export class Drafts {
  #list: Draft[]
  #memoryBytes = 0
  #cells = new Map<Path, Cell>()
  /** The highest seq of the drafts that each life of the node has made. */
  readonly #highest = new Map<MemberId, number>()

  constructor(list: readonly Draft[]) {
    this.#list = []
    this.takeBack(list)
  }

  get list(): readonly Draft[] {
    return this.#list
  }

  /** Bytes of memory that they take. */
  get memoryBytes(): number {
    return this.#memoryBytes
  }

  /** Seq of the next draft that `member` makes. */
  nextSeq(member: MemberId): number {
    return (this.#highest.get(member) ?? 0) + 1
  }

  cell(path: Path, local: LocalState): Cell {
    return this.#cells.get(path) ?? local.cell(path)
  }

  /** The rules that stand over a point, with those that drafts set. */
  rulesOf(path: Path, local: LocalState): RuleTable | null {
    if (isReserved(path)) return null
    const drafted = this.#cells.size === 0 ? undefined : this.#cells.get(rulesPoint(deviceOf(path)))
    return drafted === undefined ? local.rulesOf(path) : ruleTableAt(drafted.value)
  }

  /** The points that drafts have changed. */
  get cells(): ReadonlyMap<Path, Cell> {
    return this.#cells
  }

  /** Executes a new draft after all others. @returns what became of it, and the cells that its points had before */
  add(draft: Draft, local: LocalState): { readonly execution: Execution; readonly before: Map<Path, Cell> } {
    this.takeBack([draft])
    return this.#execute(draft, local)
  }

  /** Takes operations back that did not stand. They are executed here with the next refresh. */
  takeBack(drafts: readonly Draft[]): void {
    for (const draft of drafts) {
      const { kind, id } = draft.current.original
      if (kind === 'draft') this.#highest.set(id.member, Math.max(id.seq, this.#highest.get(id.member) ?? 0))
      this.#list.push(draft)
      this.#memoryBytes += operationMemoryBytes(draft.current)
    }
  }

  /** The first `count` drafts are settled. */
  remove(count: number): void {
    for (const { current } of this.#list.splice(0, count)) this.#memoryBytes -= operationMemoryBytes(current)
  }

  /** The cells below have changed: executes everything again. */
  refresh(local: LocalState): void {
    this.#cells = new Map()
    for (const draft of this.#list) this.#execute(draft, local)
  }

  #execute({ current }: Draft, local: LocalState): { execution: Execution; before: Map<Path, Cell> } {
    const paths = pathsOf(current.writes, current.guards)
    const operation: Operation = { ...current, paths }
    const met = paths.map((path) => this.cell(path, local))
    const rules = paths.map((path) => this.rulesOf(path, local))
    const execution = executeAlone(operation, met, rules)
    for (const [index, path] of paths.entries()) this.#cells.set(path, execution.after[index] ?? EMPTY_CELL)
    return { execution, before: new Map(paths.map((path, index) => [path, met[index] ?? EMPTY_CELL])) }
  }
}

/** A draft is stored as a batch of its own, which no other member ever sees. */
export function encodeDraft(draft: Draft): Uint8Array {
  return sealBatch(draft.current.id.member, EMPTY_DIGEST, [draft]).payload
}

/** @throws FleetstepError `message-invalid` */
export function decodeDraft(payload: Uint8Array): Draft {
  return draftOf(firstOf(openBatch(payload)))
}

/** The draft that `message` becomes when it did not stand. One that has come back before keeps its first name. */
export function draftOf({ current, previous }: SyncMessage): Draft {
  const original = current.original ?? { kind: 'operation', id: current.id }
  const paths = pathsMet(pathsOf(current.writes, current.guards), current.id.member, null, original)
  return { current: { ...current, original, paths }, previous }
}

/** Operations of former lives of `node` among what has left the journal: they come back as drafts. Joins do not. */
export function draftsAmong(messages: readonly SyncMessage[], node: NodeId): Draft[] {
  return messages.filter(({ current }) => nodeOf(current.id.member) === node && current.join === null).map(draftOf)
}
