import type { Command } from 'commander'
import * as v from 'valibot'
import { FleetstepError } from '../../base/errors.ts'
import type { FleetProfile } from '../../gateway/fleet-profiles.ts'
import type { ProfileOffer } from '../../gateway/profile-offers.ts'
import { listShippedProfiles } from '../../gateway/shipped-profiles.ts'
import { recordOf } from '../answer-form.ts'
import { askOf, withGateway } from '../connect.ts'
import { globalOptions, print, table } from '../output.ts'

export async function listProfiles(command: Command): Promise<void> {
  const shipped = listShippedProfiles()
  const { inForce, offers } = await listInFleet(command)
  print(command, { shipped, inForce, offers }, () => {
    const rows = shipped.map(({ name, points, description }) => [name, `${points} points`, description])
    const parts = [`that come with Fleetstep\n${table(rows, '  ')}`]
    if (inForce !== null) parts.push(`in force in the fleet\n${inForceText(inForce)}`)
    if (offers !== null && offers.length > 0)
      parts.push(`offered, and not in force (an operator: fleetstep profile apply --offered)\n${offersText(offers)}`)
    return parts.join('\n\n')
  })
}

interface InFleet {
  readonly inForce: readonly FleetProfile[] | null
  readonly offers: readonly ProfileOffer[] | null
}

const inForceSchema = recordOf<FleetProfile>({
  device: v.string(),
  name: v.string(),
  hash: v.string(),
  node: v.nullable(v.string()),
  isSettled: v.boolean(),
})
const offerSchema = recordOf<ProfileOffer>({
  device: v.string(),
  name: v.string(),
  hash: v.string(),
  node: v.string(),
  instead: v.nullable(v.string()),
  problem: v.nullable(v.string()),
})

/** Null where no gateway runs, unless one was asked for by name. */
async function listInFleet(command: Command): Promise<InFleet> {
  const { gateway, socket } = globalOptions(command)
  try {
    return await withGateway(command, async (client) => ({
      inForce: await askOf(client, 'profile.list', {}, v.array(inForceSchema)),
      offers: await askOf(client, 'profile.offers', {}, v.array(offerSchema)),
    }))
  } catch (error) {
    const isAbsent = error instanceof FleetstepError && error.code === 'daemon-unreachable'
    if (isAbsent && gateway === undefined && socket === undefined) return { inForce: null, offers: null }
    throw error
  }
}

function offersText(offers: readonly ProfileOffer[]): string {
  return table(
    offers.map(({ device, name, hash, node, instead, problem }) => [
      device,
      name,
      `version ${hash}`,
      `by node ${node}`,
      problem ?? (instead === null ? 'nothing stands yet' : `instead of another version of ${instead}`),
    ]),
    '  ',
  )
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
