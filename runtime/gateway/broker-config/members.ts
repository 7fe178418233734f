import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { FleetstepError } from '../../base/errors.ts'
import { isNodeId, type NodeId } from '../../base/ids.ts'
import { MEMBERS_MAX } from '../../base/limits.ts'
import { fleetIdOf } from '../../sync/membership.ts'
import { loadConfig } from '../config.ts'
import { openFleetFolder } from '../fleet-folder.ts'
import { genesisOfMembers, readSeed } from '../fleet.ts'

/** The members of an earlier run, one on each line; whoever edits it takes one out. */
export const MEMBERS_FILE = 'members'

export interface BrokerMembers {
  /** Name of the fleet, and its id. */
  readonly name: string
  readonly fleet: string
  readonly nodes: readonly NodeId[]
}

/**
 * Whose the broker is. A fleet that has an operator lists its founder alone, since others join later: their node ids are named
 * here, and remembered in the folder.
 * @throws FleetstepError `usage`, `config-invalid`, `seed-invalid`, `fleet-invalid`
 */
export function brokerMembers(wish: {
  readonly config?: string | undefined
  readonly fleet?: string | undefined
  readonly members?: readonly string[] | undefined
  readonly directory: string
}): BrokerMembers {
  const { name, fleet, nodes } = wish.config === undefined ? ofFolder(wish.fleet) : ofConfig(wish.config)
  const named = [...remembered(resolve(wish.directory)), ...(wish.members ?? [])].map(checkedNode)
  const all = [...new Set([...nodes, ...named])]
  if (all.length > MEMBERS_MAX) throw usage(`a fleet has at most ${MEMBERS_MAX} members, and these are ${all.length}`)
  return { name, fleet, nodes: all }
}

function ofFolder(folder: string | undefined): BrokerMembers {
  if (folder === undefined)
    throw usage(
      'name the fleet: --config with the config of a gateway, or --fleet with the folder of fleetstep fleet create',
    )
  const { name, id, founder } = openFleetFolder(folder).facts
  return { name, fleet: id, nodes: [founder.node] }
}

function ofConfig(config: string): BrokerMembers {
  const { fleet } = loadConfig(config)
  if (fleet.seed !== null) {
    const { name, id, founder } = readSeed(fleet.seed).fleet
    return { name, fleet: id, nodes: [founder.node] }
  }
  if (fleet.members === null) {
    throw new FleetstepError(
      'config-invalid',
      `${config}: fleet.members is missing: list the members, who are the users of the broker`,
    )
  }
  const { name, members } = fleet
  return { name, fleet: fleetIdOf(genesisOfMembers(name, members)), nodes: members.map(({ node }) => node) }
}

function remembered(directory: string): readonly string[] {
  try {
    const text = readFileSync(join(directory, MEMBERS_FILE), 'utf8')
    return text.split(/\s+/).filter((word) => word !== '')
  } catch {
    return []
  }
}

function checkedNode(node: string): NodeId {
  if (isNodeId(node)) return node
  throw usage(`--member ${node} is no node id: it has 16 hexadecimal digits, and fleetstep node id prints it`)
}

function usage(message: string): FleetstepError {
  return new FleetstepError('usage', message)
}
