/** The public API: open a gateway of a fleet in your own program. */
export { FleetstepError, EXIT_CODES, type ErrorCode } from './base/errors.ts'
export { isNodeId, type NodeId, type MemberId, type OperationId } from './base/ids.ts'
export type { Logger } from './base/logger.ts'
export type { LoadedProfile } from './device/profiles/document.ts'
export { loadProfile } from './device/profiles/load.ts'
export type { DeviceProfile } from './device/profiles/profile.ts'
export { enforceProfile, type Enforcement } from './gateway/fleet-profiles.ts'
export {
  openGateway,
  type Gateway,
  type GatewayOptions,
  type LinkContext,
  type LinkFactory,
} from './gateway/gateway.ts'
export type { Receipt } from './gateway/receipt.ts'
export type { ChangeOptions, ReportOptions, Transaction } from './gateway/state-access.ts'
export {
  journalStorage,
  memoryStorage,
  mirror,
  type MirrorSetup,
  mqtt,
  peers,
  type PeersOptions,
  type RunningMirror,
  seeded,
  serial,
} from './gateway/parts.ts'
export type { SeededGateway, SeedOptions } from './gateway/seeded.ts'
export type { Link, LinkStatus } from './links/link.ts'
export type { Outcome } from './state/operation.ts'
export type { Value } from './state/value.ts'
export type { Store } from './storage/store.ts'
export type { Conflict } from './sync/conflict.ts'
export type { Inspection } from './sync/inspection.ts'
export type { Genesis } from './sync/membership.ts'
export type { Alarm, Change, Output, Quality } from './sync/output.ts'
export type { ShownReading } from './sync/shown-readings.ts'
