import type { Command } from 'commander'
import { FleetstepError } from '../../base/errors.ts'
import type { FleetProfile } from '../../gateway/fleet-profiles.ts'
import { listShippedProfiles } from '../../gateway/shipped-profiles.ts'
import { withGateway } from '../connect.ts'
import { globalOptions, print, table } from '../output.ts'

export async function listProfiles(command: Command): Promise<void> {
  const shipped = listShippedProfiles()
  const inForce = await listInForce(command)
  print(command, { shipped, inForce }, () => {
    const rows = shipped.map(({ name, points, description }) => [name, `${points} points`, description])
    const parts = [`that come with Fleetstep\n${table(rows, '  ')}`]
    if (inForce !== null) parts.push(`in force in the fleet\n${inForceText(inForce)}`)
    return parts.join('\n\n')
  })
}

/** Null where no gateway runs, unless one was asked for by name. */
async function listInForce(command: Command): Promise<readonly FleetProfile[] | null> {
  const { gateway, socket } = globalOptions(command)
  try {
    return (await withGateway(command, async (client) => await client.call('profile.list'))) as readonly FleetProfile[]
  } catch (error) {
    const isAbsent = error instanceof FleetstepError && error.code === 'daemon-unreachable'
    if (isAbsent && gateway === undefined && socket === undefined) return null
    throw error
  }
}

function inForceText(profiles: readonly FleetProfile[]): string {
  if (profiles.length === 0) return '  none: the points of all devices are free'
  return table(
    profiles.map(({ device, name, hash, node, isSettled }) => [
      device,
      name,
      `version ${hash}`,
      node === null ? 'of no node' : `of node ${node}`,
      isSettled ? 'settled' : 'not settled yet',
    ]),
    '  ',
  )
}
