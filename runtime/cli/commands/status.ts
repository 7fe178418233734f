import type { Command } from 'commander'
import { ask } from '../connect.ts'
import { print } from '../output.ts'
import { isStatus } from '../status-form.ts'
import { statusText } from '../status-text.ts'

export function configure(command: Command): void {
  command.action(async () => {
    const status = await ask(command, 'status', {}, isStatus)
    print(command, status, () => statusText(status))
  })
}
