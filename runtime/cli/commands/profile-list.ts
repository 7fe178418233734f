import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { parse } from 'yaml'
import { FleetstepError } from '../../base/errors.ts'
import { isRecord } from '../../gateway/control-protocol.ts'
import type { FleetProfile } from '../../gateway/fleet-profiles.ts'
import { shippedProfile, shippedProfileNames } from '../../gateway/shipped-profiles.ts'
import { withGateway } from '../connect.ts'
import { globalOptions, print, table } from '../output.ts'

interface ShippedProfile {
  readonly name: string
  readonly file: string
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
  return shippedProfileNames().map((name) => {
    const file = shippedProfile(name)
    return { name, file, ...summaryOf(readFileSync(file, 'utf8')) }
  })
}

/** To check them all whole would take a Pi several seconds; the release's tests have done it. */
function summaryOf(text: string): Pick<ShippedProfile, 'points' | 'description'> {
  const [head = '', points = ''] = text.split(/^device(?:Resources|Commands):$/m)
  const data: unknown = parse(head)
  const description = isRecord(data) && typeof data['description'] === 'string' ? data['description'] : ''
  return { points: [...points.matchAll(/^ {2}- name: /gm)].length, description }
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
