import type { Command } from 'commander'
import type { GatewayStatus } from '../../gateway/inspection.ts'
import { withGateway } from '../connect.ts'
import { print } from '../output.ts'
import { statusText } from '../status-text.ts'

export function configure(command: Command): void {
  command.action(async () => {
    const status = await withGateway(command, async (gateway) => await gateway.call('status'))
    print(command, status, () => statusText(status as GatewayStatus))
  })
}
