import type { Command } from 'commander'
import { FleetstepError } from '../../base/errors.ts'
import { loadProfile } from '../../device/profiles/load.ts'
import type { FleetProfile } from '../../gateway/fleet-profiles.ts'
import { shippedProfile, shippedProfileNames } from '../../gateway/shipped-profiles.ts'
import { withGateway } from '../connect.ts'
import { globalOptions, print, table } from '../output.ts'

interface ShippedProfile {
  readonly name: string
  readonly file: string
  readonly hash: string
  readonly points: number
  readonly description: string
}

export async function listProfiles(command: Command): Promise<void> {
  const shipped = listShipped()
  const inForce = await listInForce(command)
  print(command, { shipped, inForce }, () => {
    const rows = shipped.map(({ name, points, description }) => [name, `${points} points`, description])
    const parts = [`that come with Fleetstep\n${table(rows, '  ')}`]
    if (inForce !== null) parts.push(`in force in the fleet\n${inForceText(inForce)}`)
    return parts.join('\n\n')
  })
}

function listShipped(): readonly ShippedProfile[] {
  return shippedProfileNames().map((shipped) => {
    const file = shippedProfile(shipped)
    const { profile, hash } = loadProfile(file)
    const { name, deviceResources, description = '' } = profile
    return { name, file, hash, points: deviceResources.length, description }
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
