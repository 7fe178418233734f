import { FleetstepError } from '../base/errors.ts'
import type { NodeId } from '../base/ids.ts'
import type { Genesis } from '../sync/membership.ts'
import type { GatewayConfig } from './config.ts'

/** The fleet that a config speaks of. One without members is a fleet of `node` alone. @throws FleetstepError `config-invalid` */
export function genesisOf(config: GatewayConfig, node: NodeId): Genesis {
  const { name, members } = config.fleet
  if (members === null) return { name, founders: [{ node, tier: 0 }] }
  if (members.some((member) => member.node === node)) return { name, founders: members }
  throw new FleetstepError(
    'config-invalid',
    `node ${node} is not among the members of fleet ${name}: add it to fleet.members in every gateway's config`,
  )
}
