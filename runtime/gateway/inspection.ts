import type { NodeId } from '../base/ids.ts'
import type { Inspection } from '../sync/inspection.ts'
import { CARD_ENDURANCE_TB_DEFAULT, estimateWear, type Wear } from '../storage/wear.ts'
import { describeAlarm, type Gateway, type LinkReport, type StorageReport } from './gateway.ts'

/** Everything that a person or a program may want to know of a running gateway, as plain data that JSON can hold. */
export interface GatewayStatus extends Omit<Inspection, 'journal' | 'links'> {
  readonly node: NodeId
  readonly device: string
  /** Id of the fleet, 16 hexadecimal digits. */
  readonly fleet: string
  readonly links: readonly LinkReport[]
  /** Nodes that a broker says are connected: a hint. */
  readonly online: readonly NodeId[]
  /** Since the start of the process, oldest first. */
  readonly alarms: readonly { readonly name: string; readonly message: string }[]
  /** Why changes are refused at present, or null. */
  readonly storageProblem: string | null
  /** The data directory, what waits for the disk, and what the writing since the start means for a card of usual endurance. */
  readonly storage: StorageReport & Wear
  readonly pid: number
}

export function statusOf(gateway: Gateway): GatewayStatus {
  const storage = gateway.storage()
  const { journal: _journal, ...inspection } = gateway.inspect()
  return {
    ...inspection,
    node: gateway.node,
    device: gateway.device,
    fleet: gateway.fleet,
    links: gateway.links(),
    online: gateway.online(),
    alarms: gateway.alarms().map((alarm) => ({ ...alarm, message: describeAlarm(alarm) })),
    storageProblem: gateway.storageProblem()?.message ?? null,
    storage: { ...storage, ...estimateWear(storage.bytesWritten, storage.sinceMs, CARD_ENDURANCE_TB_DEFAULT) },
    pid: process.pid,
  }
}
