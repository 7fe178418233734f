import type { Command } from 'commander'
import { FleetstepError } from '../../base/errors.ts'
import { isRecord } from '../../gateway/control-protocol.ts'
import { withGateway } from '../connect.ts'
import { stopSignal } from '../lifecycle.ts'
import { print, valueText } from '../output.ts'

/** @throws FleetstepError `daemon-unreachable` if the gateway ends before the user does */
export async function watchState(command: Command, pattern: string): Promise<void> {
  const { settled = false } = command.opts<{ readonly settled?: true }>()
  await withGateway(command, async (gateway) => {
    let isStopped = false
    void stopSignal().then(() => {
      isStopped = true
      gateway.close()
    })
    try {
      await gateway.watch('state.watch', { pattern, settled }, (change) =>
        print(command, change, () => changeText(change)),
      )
    } catch (error) {
      if (!isStopped) throw error
    }
    if (!isStopped) throw new FleetstepError('daemon-unreachable', `the gateway on ${gateway.path} has ended`)
  })
}

function changeText(change: unknown): string {
  if (!isRecord(change)) return valueText(change)
  return `${String(change['path'])}  ${valueText(change['before'])} → ${valueText(change['after'])}`
}
