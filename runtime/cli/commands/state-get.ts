import type { Command } from 'commander'
import { isRecord } from '../../gateway/control-protocol.ts'
import { withGateway } from '../connect.ts'
import { print, table, valueText } from '../output.ts'

export async function getState(command: Command, path: string | undefined): Promise<void> {
  const { settled = false } = command.opts<{ readonly settled?: true }>()
  const points = await withGateway(command, async (gateway) => await gateway.call('state.get', { path, settled }))
  print(command, points, () => pointsText(points))
}

function pointsText(points: unknown): string {
  const rows = Object.entries(isRecord(points) ? points : {}).map(([path, value]) => [path, valueText(value)])
  return rows.length === 0 ? 'there are no points yet: fleetstep state set PATH VALUE makes one' : table(rows)
}
