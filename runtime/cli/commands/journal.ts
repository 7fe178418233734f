import type { Command } from 'commander'
import { isRecord } from '../../gateway/control-protocol.ts'
import { withGateway } from '../connect.ts'
import { print, table, valueText } from '../output.ts'

export function configure(command: Command): void {
  const list = command
    .command('list')
    .description('print the operations that are not settled yet, in the order in which all gateways execute them')
    .action(async () => await listJournal(list))
}

async function listJournal(command: Command): Promise<void> {
  const lines = await withGateway(command, async (gateway) => await gateway.call('journal.list'))
  print(command, lines, () => journalText(Array.isArray(lines) ? lines : []))
}

function journalText(lines: readonly unknown[]): string {
  if (lines.length === 0) return 'the journal is empty: all operations are settled'
  const rows = lines
    .filter(isRecord)
    .map((line) => [
      String(line['stage']),
      String(line['operation']),
      line['outcome'] === null ? 'not executed yet' : valueText(line['outcome']),
    ])
  return table([['stage', 'operation', 'outcome'], ...rows])
}
