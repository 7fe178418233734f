import type { Command } from 'commander'
import * as v from 'valibot'
import { isRecord } from '../../gateway/control-protocol.ts'
import { recordOf } from '../answer-form.ts'
import { ask } from '../connect.ts'
import { watchUntilStopped } from '../follow.ts'
import { print, table, valueText } from '../output.ts'

export function configure(command: Command): void {
  const list = command
    .command('list')
    .description('print the operations that are not settled yet, in the order in which all gateways execute them')
    .action(async () => await listJournal(list))
  const watch = command
    .command('watch')
    .description('follow what becomes of operations: executed, overturned, settled, issued again')
    .action(async () => await watchUntilStopped(watch, 'journal.watch', {}, eventText))
}

async function listJournal(command: Command): Promise<void> {
  const lines = await ask(command, 'journal.list', {}, v.array(lineSchema))
  print(command, lines, () => journalText(lines))
}

/** An operation as the gateway shows it; without an outcome until it is executed. */
interface JournalLine {
  readonly stage: number
  readonly operation: string
  readonly outcome: string | null
}

const lineSchema = recordOf<JournalLine>({ stage: v.number(), operation: v.string(), outcome: v.nullable(v.string()) })

function journalText(lines: readonly JournalLine[]): string {
  if (lines.length === 0) return 'the journal is empty: all operations are settled'
  const rows = lines.map(({ stage, operation, outcome }) => [String(stage), operation, outcome ?? 'not executed yet'])
  return table([['stage', 'operation', 'outcome'], ...rows])
}

function eventText(event: unknown): string {
  if (!isRecord(event)) return valueText(event)
  const { operation, outcome, before, operations, original, conflict, floor } = event
  switch (event['kind']) {
    case 'outcome':
      return `${valueText(operation)}  ${valueText(outcome)}${before === null ? '' : `, was ${valueText(before)}`}`
    case 'removed':
      return `${valueText(operations)}  does not stand any more`
    case 'issued-again':
      return `${originalText(original)}  ${operation === null ? 'had to yield' : `is ${valueText(operation)} now`}`
    case 'conflict':
      return `${isRecord(conflict) ? valueText(conflict['id']) : ''}  conflict`
    case 'settled':
      return `settled up to stage ${valueText(floor)}`
    default:
      return valueText(event)
  }
}

function originalText(original: unknown): string {
  return isRecord(original) ? `${valueText(original['kind'])} ${valueText(original['operation'])}` : ''
}
