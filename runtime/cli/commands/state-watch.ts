import type { Command } from 'commander'
import { isRecord } from '../../gateway/control-protocol.ts'
import { watchUntilStopped } from '../follow.ts'
import { valueText } from '../output.ts'

export async function watchState(command: Command, pattern: string): Promise<void> {
  const { settled = false } = command.opts<{ readonly settled?: true }>()
  await watchUntilStopped(command, 'state.watch', { pattern, settled }, changeText)
}

function changeText(change: unknown): string {
  if (!isRecord(change)) return valueText(change)
  return `${String(change['path'])}  ${valueText(change['before'])} → ${valueText(change['after'])}`
}
