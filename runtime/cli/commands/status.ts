import type { Command } from 'commander'
import { ask } from '../connect.ts'
import { print } from '../output.ts'
import { statusSchema } from '../status-schema.ts'
import { statusText } from '../status-text.ts'

export function configure(command: Command): void {
  command.action(async () => {
    const status = await ask(command, 'status', {}, statusSchema)
    print(command, status, () => statusText(status))
  })
}
