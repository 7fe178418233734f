import type { Command } from 'commander'
import * as v from 'valibot'
import { recordOf } from '../answer-form.ts'
import { ask, withGateway } from '../connect.ts'
import { print, valueText } from '../output.ts'
import { receiptSchema, receiptText } from './state-change.ts'

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
      const receipt = await ask(reapply, 'conflict.reapply', { id }, receiptSchema)
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
  const conflicts = await ask(command, 'conflict.list', {}, v.array(conflictSchema))
  print(command, conflicts, () => (conflicts.length === 0 ? 'no conflicts' : conflicts.map(conflictText).join('\n')))
}

/** In JSON, as the gateway answers. */
interface ShownConflict {
  readonly id: string
  readonly winner: ShownSide
  readonly loser: ShownSide
}

interface ShownSide {
  readonly operation: string
  readonly stage: number
  /** Left out if the point was removed. */
  readonly value?: unknown
}

const sideSchema = recordOf<ShownSide>({ operation: v.string(), stage: v.number() })
const conflictSchema = recordOf<ShownConflict>({ id: v.string(), winner: sideSchema, loser: sideSchema })

function conflictText({ id, winner, loser }: ShownConflict): string {
  return [id, `  stands   ${sideText(winner)}`, `  yielded  ${sideText(loser)}`].join('\n')
}

function sideText(side: ShownSide): string {
  const value = 'value' in side ? valueText(side.value) : '(removed)'
  return `${value}  by operation ${side.operation} at stage ${side.stage}`
}
