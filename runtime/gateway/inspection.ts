import type { NodeId } from '../base/ids.ts'
import type { LinkStatus } from '../links/link.ts'
import type { Inspection } from '../sync/inspection.ts'
import { estimateWear, type Wear } from '../storage/wear.ts'
import type { ProfileStatus } from './profile-part.ts'
import { profileOffers } from './profile-offers.ts'
import type { Gateway, LinkReport, StorageReport } from './gateway.ts'
import { describeAlarm } from './gateway-alarm.ts'

/** Everything that a person or a program may want to know of a running gateway, as plain data that JSON can hold. */
export interface GatewayStatus extends Omit<Inspection, 'journal' | 'links'> {
  readonly node: NodeId
  readonly device: string
  /** Id of the fleet, 16 hexadecimal digits. */
  readonly fleet: string
  readonly links: readonly LinkReport[]
  /** The connection of the mirror in JSON, whose `cause` says why it is not up; null without one. */
  readonly mirror: LinkStatus | null
  /** Nodes that are there, as a broker, a peer or a cable tells: a hint. */
  readonly online: readonly NodeId[]
  /** Since the start of the process, oldest first. */
  readonly alarms: readonly { readonly name: string; readonly message: string }[]
  /** Why changes are refused at present, or null. */
  readonly storageProblem: string | null
  /** The data directory, what waits for the disk, and what the writing means for the card. */
  readonly storage: StorageReport & Wear
  /** Of this gateway's device; null without one. */
  readonly profile: ProfileStatus | null
  /** Profiles that gateways offer and nobody has put in force; see `profile.offers`. */
  readonly profileOffers: number
  readonly pid: number
}

export function statusOf(
  gateway: Gateway,
  profile: ProfileStatus | null = null,
  mirror: LinkStatus | null = null,
): GatewayStatus {
  const storage = gateway.storage()
  const { journal: _journal, ...inspection } = gateway.inspect()
  return {
    ...inspection,
    node: gateway.node,
    device: gateway.device,
    fleet: gateway.fleet,
    links: gateway.links(),
    mirror,
    online: gateway.online(),
    alarms: gateway.alarms().map((alarm) => ({ ...alarm, message: describeAlarm(alarm) })),
    storageProblem: gateway.storageProblem()?.message ?? null,
    storage: { ...storage, ...wearOf(storage) },
    profile,
    profileOffers: profileOffers(gateway).length,
    pid: process.pid,
  }
}

/** By all that was written to this directory, where that is counted: a start says little of a year. */
function wearOf({ lifetime, bytesWritten, sinceMs, cardEnduranceTb }: StorageReport): Wear {
  const { bytes, ms } = lifetime ?? { bytes: bytesWritten, ms: sinceMs }
  return estimateWear(bytes, ms, cardEnduranceTb)
}
