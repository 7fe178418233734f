import { FleetstepError } from '../base/errors.ts'
import type { OperationId } from '../base/ids.ts'
import type { Outcome } from '../state/operation.ts'
import type { Issued } from '../sync/issue.ts'

/** What the issuer of a change holds. The change is executed already, offline or not. */
export interface Receipt {
  readonly id: OperationId
  readonly stage: number
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

/** The receipts of operations that are not settled yet, by seq. */
export class Receipts {
  readonly #open = new Map<number, OpenReceipt>()
  #durableSeq: number

  /** @param durableSeq the last own operation that was on the disk at the start */
  constructor(durableSeq: number) {
    this.#durableSeq = durableSeq
  }

  add(issued: Issued): Receipt {
    const receipt = new OpenReceipt(issued)
    this.#open.set(issued.id.seq, receipt)
    if (issued.id.seq <= this.#durableSeq) receipt.noteDurable()
    return receipt
  }

  noteOutcome(seq: number, outcome: Outcome): void {
    this.#open.get(seq)?.noteOutcome(outcome)
  }

  noteDurable(seq: number): void {
    for (let next = this.#durableSeq + 1; next <= seq; next++) this.#open.get(next)?.noteDurable()
    this.#durableSeq = seq
  }

  noteSettled(floor: number): void {
    for (const receipt of this.#open.values()) {
      if (receipt.stage > floor) return
      receipt.noteSettled()
      this.#open.delete(receipt.id.seq)
    }
  }

  close(): void {
    for (const receipt of this.#open.values()) receipt.noteClosed()
    this.#open.clear()
  }
}

/** Promises are made only for those who ask: most changes are telemetry that nobody waits for. */
class OpenReceipt implements Receipt {
  readonly id: OperationId
  readonly stage: number
  readonly reason: string | null
  #outcome: Outcome
  #isDurable = false
  #isSettled = false
  #isClosed = false
  #durable: PromiseWithResolver<void> | null = null
  #settled: PromiseWithResolver<Outcome> | null = null

  constructor(issued: Issued) {
    this.id = issued.id
    this.stage = issued.stage
    this.reason = issued.execution.reason
    this.#outcome = issued.execution.outcome
  }

  get outcome(): Outcome {
    return this.#outcome
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

  noteOutcome(outcome: Outcome): void {
    this.#outcome = outcome
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
    if (!this.#isClosed) return
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
