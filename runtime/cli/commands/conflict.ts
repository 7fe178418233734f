import type { Command } from 'commander'
import { isRecord } from '../../gateway/control-protocol.ts'
import { withGateway } from '../connect.ts'
import { print, valueText } from '../output.ts'
import { receiptText } from './state-change.ts'

export function configure(command: Command): void {
  command.addHelpText(
    'after',
    `
A conflict is a change that had to yield: two gateways changed one point and neither had seen the other's change. The
one of higher priority stands; the other is kept here until a person applies it again or dismisses it.`,
  )
  const list = command.command('list').description('print the conflicts, oldest first')
  list.action(async () => await listConflicts(list))
  const reapply = command
    .command('reapply')
    .argument('<id>')
    .description('make the change that yielded again, and take it off the list')
    .action(async (id: string) => {
      const receipt = await withGateway(reapply, async (gateway) => await gateway.call('conflict.reapply', { id }))
      print(reapply, receipt, () => receiptText(receipt))
    })
  const dismiss = command
    .command('dismiss')
    .argument('<id>')
    .description("take it off this gateway's list; what stands goes on standing")
    .action(async (id: string) => {
      await withGateway(dismiss, async (gateway) => await gateway.call('conflict.dismiss', { id }))
      print(dismiss, { dismissed: id }, () => `dismissed ${id}`)
    })
}

async function listConflicts(command: Command): Promise<void> {
  const conflicts = await withGateway(command, async (gateway) => await gateway.call('conflict.list'))
  const list: readonly unknown[] = Array.isArray(conflicts) ? conflicts : []
  print(command, conflicts, () => (list.length === 0 ? 'no conflicts' : list.map(conflictText).join('\n')))
}

function conflictText(conflict: unknown): string {
  if (!isRecord(conflict)) return valueText(conflict)
  return [
    String(conflict['id']),
    `  stands   ${sideText(conflict['winner'])}`,
    `  yielded  ${sideText(conflict['loser'])}`,
  ].join('\n')
}

function sideText(side: unknown): string {
  if (!isRecord(side)) return valueText(side)
  const value = 'value' in side ? valueText(side['value']) : '(removed)'
  return `${value}  by operation ${String(side['operation'])} at stage ${String(side['stage'])}`
}
