import { FleetstepError } from '../../base/errors.ts'
import { parseOperationId } from '../../base/ids.ts'
import { isRecord } from '../../gateway/control-protocol.ts'
import type { NamedReading } from './compare.ts'

/** A change of the story that a gateway has confirmed. */
export interface LedgerEntry {
  readonly gateway: string
  readonly operation: string
  readonly stage: number
  /** What was done, for people. */
  readonly text: string
}

export interface Account {
  readonly applied: readonly LedgerEntry[]
  /** Had to yield to a change of higher priority, and stand in the list of conflicts. */
  readonly listed: readonly LedgerEntry[]
  /** One line for each change that is neither: a loss. */
  readonly missing: readonly string[]
}

/** Every change that the story makes, so that in the end each can be asked after. */
export class Ledger {
  readonly #entries: LedgerEntry[] = []
  /** By operation: what became of it, as it was told last. */
  readonly #outcomes = new Map<string, string>()

  get length(): number {
    return this.#entries.length
  }

  /** The stage of the last change in canonical order. */
  get stage(): number {
    return Math.max(0, ...this.#entries.map(({ stage }) => stage))
  }

  /** @param answer of a gateway, to a change that it has on its disk */
  enter(gateway: string, text: string, answer: unknown): LedgerEntry {
    if (!isRecord(answer)) throw new FleetstepError('request-invalid', `${gateway} has not confirmed a change`)
    const operation = String(answer['operation'])
    const entry = { gateway, operation, stage: Number(answer['stage']), text }
    this.#entries.push(entry)
    this.#outcomes.set(operation, String(answer['outcome']))
    return entry
  }

  /** An outcome is tentative until it is settled, and a settled operation is in no journal any more: the last word counts. */
  note(replicas: readonly NamedReading[]): void {
    const ours = new Set(this.#entries.map(({ operation }) => operation))
    for (const { reading } of replicas) {
      for (const { operation, outcome } of reading.journal)
        if (ours.has(operation)) this.#outcomes.set(operation, outcome)
    }
  }

  /** Call it when the replicas are equal. */
  account(replicas: readonly NamedReading[]): Account {
    const applied: LedgerEntry[] = []
    const listed: LedgerEntry[] = []
    const missing: string[] = []
    for (const entry of this.#entries) {
      const lacking = replicas.find((replica) => !holds(replica, entry))
      const outcome = this.#outcomes.get(entry.operation)
      if (lacking !== undefined) missing.push(`${lacking.name} lacks the change ‘${entry.text}’ of ${entry.gateway}`)
      else if (replicas.every((replica) => lists(replica, entry))) listed.push(entry)
      else if (outcome === 'applied') applied.push(entry)
      else missing.push(`the change ‘${entry.text}’ of ${entry.gateway} is ${outcome} and not listed as a conflict`)
    }
    return { applied, listed, missing }
  }
}

function holds({ reading }: NamedReading, { operation }: LedgerEntry): boolean {
  const id = parseOperationId(operation)
  return id !== null && (reading.held.get(id.member) ?? 0) >= id.seq
}

function lists({ reading }: NamedReading, { operation }: LedgerEntry): boolean {
  return reading.conflicts.some(({ loser }) => loser.operation === operation)
}
