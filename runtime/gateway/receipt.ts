import { FleetstepError } from '../base/errors.ts'
import { formatOperationId, type MemberId, type OperationId } from '../base/ids.ts'
import type { Original, Outcome } from '../state/operation.ts'
import type { Issued } from '../sync/issue.ts'

/** What the issuer of a change holds. The change is executed already, offline or not. */
export interface Receipt {
  readonly id: OperationId
  readonly stage: number
  /** True while this node is no member of the fleet: the change waits for that, and has another id from then on. */
  readonly isDraft: boolean
  /** What became of it so far; it may change until it is settled. */
  readonly outcome: Outcome
  /** Why it was refused or is void, or null. */
  readonly reason: string | null
  /** True once no member can order anything before it any more. */
  readonly isSettled: boolean
  /** Resolves when it is on this node's disk. Rejects with `storage-failed` if the gateway closes before. */
  readonly durable: Promise<void>
  /** Resolves with the final outcome. Rejects with `storage-failed` if the gateway closes before. */
  readonly settled: Promise<Outcome>
}

/** The receipts of what is not settled yet. */
export class Receipts {
  /** Operations in the fleet, by member and seq, each in the order of their stages: those of the present life, and of former ones. */
  readonly #operations = new Map<MemberId, Map<number, OpenReceipt>>()
  /** Drafts, and operations that did not stand, until they are issued anew. */
  readonly #drafts = new Map<string, OpenReceipt>()
  #durable: OperationId

  /** @param durable the last own operation that was on the disk at the start */
  constructor(durable: OperationId) {
    this.#durable = durable
  }

  add(issued: Issued): Receipt {
    const receipt = new OpenReceipt(issued)
    if (issued.isDraft) this.#drafts.set(draftKey({ kind: 'draft', id: issued.id }), receipt)
    else this.#open(issued.id, receipt)
    return receipt
  }

  noteOutcome({ member, seq }: OperationId, outcome: Outcome, reason: string | null): void {
    this.#operations.get(member)?.get(seq)?.noteOutcome(outcome, reason)
  }

  /** All of one member up to `through`. */
  noteDurable(through: OperationId): void {
    const { member } = through
    const first = this.#durable.member === member ? this.#durable.seq + 1 : 1
    const receipts = this.#operations.get(member)
    if (receipts !== undefined) for (let seq = first; seq <= through.seq; seq++) receipts.get(seq)?.noteDurable()
    this.#durable = through
  }

  noteDraftDurable(id: OperationId): void {
    this.#drafts.get(draftKey({ kind: 'draft', id }))?.noteDurable()
  }

  /** Operations that do not stand any more come back as drafts. */
  noteRemoved(operations: readonly OperationId[]): void {
    for (const id of operations) {
      const receipts = this.#operations.get(id.member)
      const receipt = receipts?.get(id.seq)
      if (receipt === undefined) continue
      receipts?.delete(id.seq)
      receipt.noteRemoved()
      this.#drafts.set(draftKey({ kind: 'operation', id }), receipt)
    }
  }

  /** @param issued what it is in the fleet now; null if it had to yield, or is there already */
  noteDraftSettled(original: Original, issued: { readonly id: OperationId; readonly stage: number } | null): void {
    const receipt = this.#drafts.get(draftKey(original))
    if (receipt === undefined) return
    this.#drafts.delete(draftKey(original))
    if (issued === null) {
      receipt.noteOutcome('superseded', null)
      receipt.noteSettled()
    } else {
      receipt.noteIssued(issued)
      this.#open(issued.id, receipt)
    }
  }

  noteSettled(floor: number): void {
    for (const [member, receipts] of this.#operations) {
      for (const [seq, receipt] of receipts) {
        if (receipt.stage > floor) break
        receipt.noteSettled()
        receipts.delete(seq)
      }
      if (receipts.size === 0) this.#operations.delete(member)
    }
  }

  close(): void {
    const open = [...this.#operations.values()].flatMap((receipts) => [...receipts.values()])
    for (const receipt of [...open, ...this.#drafts.values()]) receipt.noteClosed()
    this.#operations.clear()
    this.#drafts.clear()
  }

  #open({ member, seq }: OperationId, receipt: OpenReceipt): void {
    let receipts = this.#operations.get(member)
    if (receipts === undefined) this.#operations.set(member, (receipts = new Map<number, OpenReceipt>()))
    receipts.set(seq, receipt)
  }
}

function draftKey(original: Original): string {
  return `${original.kind} ${formatOperationId(original.id)}`
}

/** Promises are made only for those who ask: most changes are telemetry that nobody waits for. */
class OpenReceipt implements Receipt {
  id: OperationId
  stage: number
  #outcome: Outcome
  #reason: string | null
  #isDraft: boolean
  #isDurable = false
  #isSettled = false
  #isClosed = false
  #durable: PromiseWithResolver<void> | null = null
  #settled: PromiseWithResolver<Outcome> | null = null

  constructor(issued: Issued) {
    this.id = issued.id
    this.stage = issued.stage
    this.#reason = issued.execution.reason
    this.#outcome = issued.execution.outcome
    this.#isDraft = issued.isDraft
  }

  get isDraft(): boolean {
    return this.#isDraft
  }

  get outcome(): Outcome {
    return this.#outcome
  }

  get reason(): string | null {
    return this.#reason
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  get durable(): Promise<void> {
    this.#durable ??= promiseWithResolver()
    this.#answer()
    return this.#durable.promise
  }

  get settled(): Promise<Outcome> {
    this.#settled ??= promiseWithResolver()
    this.#answer()
    return this.#settled.promise
  }

  noteOutcome(outcome: Outcome, reason: string | null): void {
    this.#outcome = outcome
    this.#reason = reason
  }

  /** What was a draft is an operation of the fleet now. */
  noteIssued({ id, stage }: { readonly id: OperationId; readonly stage: number }): void {
    this.id = id
    this.stage = stage
    this.#isDraft = false
  }

  /** It waits to be issued again. */
  noteRemoved(): void {
    this.#isDraft = true
  }

  noteDurable(): void {
    this.#isDurable = true
    this.#answer()
  }

  noteSettled(): void {
    this.#isDurable = true
    this.#isSettled = true
    this.#answer()
  }

  noteClosed(): void {
    this.#isClosed = true
    this.#answer()
  }

  #answer(): void {
    if (this.#isDurable) this.#durable?.resolve()
    if (this.#isSettled) this.#settled?.resolve(this.#outcome)
    if (!this.#isClosed || (this.#durable === null && this.#settled === null)) return
    const closed = new FleetstepError('storage-failed', 'the gateway was closed before this was known')
    this.#durable?.reject(closed)
    this.#settled?.reject(closed)
  }
}

interface PromiseWithResolver<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: FleetstepError) => void
}

/** `Promise.withResolvers` came with Node 22. */
function promiseWithResolver<T>(): PromiseWithResolver<T> {
  const parts: Partial<PromiseWithResolver<T>> = {}
  const promise = new Promise<T>((resolve, reject) => Object.assign(parts, { resolve, reject }))
  return Object.assign(parts as PromiseWithResolver<T>, { promise })
}
