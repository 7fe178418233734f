import * as v from 'valibot'
import { FleetstepError, unreachable } from '../../base/errors.ts'
import { isNodeId, type NodeId } from '../../base/ids.ts'
import { IDENTITY_SOURCES, isCopiedWithCard, type HardwareReport, type IdentitySource } from './hardware.ts'
import { fingerprintOf, nodeIdOf } from './node-id.ts'

/** What a node keeps about who it is, in its data directory. */
export interface IdentityRecord {
  readonly id: NodeId
  readonly source: IdentitySource
  readonly fingerprint: string
  /** The bytes behind the source `random` in hexadecimal, else null. */
  readonly random: string | null
}

/**
 * Whether this machine is the one that the record was made on.
 * - `hardware-changed`: the card was copied or moved. Take a new identity as a draft and tell the operator;
 *   never speak as the other.
 * - `settings-changed`: the operator changed the node's name or its instance label. A new identity as well.
 * - `unconfirmed`: the source of the record cannot be read now. Neither speak as that node nor as a new one: stop
 *   and say `reason`.
 */
export type IdentityVerdict =
  | { readonly kind: 'same' }
  | { readonly kind: 'hardware-changed'; readonly reason: string }
  | { readonly kind: 'settings-changed'; readonly reason: string }
  | { readonly kind: 'unconfirmed'; readonly reason: string }

/** A node keeps the source that its record names, even if a newer kernel shows a better one. */
export function compareWithRecord(record: IdentityRecord, report: HardwareReport, label: string): IdentityVerdict {
  if (record.source !== 'operator-override' && isFound(report, 'operator-override')) {
    return { kind: 'settings-changed', reason: 'the operator now gives this node a name' }
  }
  const finding = report.candidates.find((candidate) => candidate.source === record.source)?.finding
  switch (finding?.kind) {
    case 'found': {
      const value = finding.values.find((one) => fingerprintOf(record.source, one) === record.fingerprint)
      return value === undefined ? changed(record) : compareFound(record, report, value, label)
    }
    case 'unreadable':
      return {
        kind: 'unconfirmed',
        reason: `the node id came from ${record.source}, which cannot be read now (${finding.reason}); start as before`,
      }
    case 'absent':
    case 'denied':
    case undefined:
      return compareMissing(record, report)
    default:
      return unreachable(finding)
  }
}

/** @throws FleetstepError `data-directory-damaged` if `data` is no identity record */
export function parseIdentityRecord(data: unknown, where: string): IdentityRecord {
  const parsed = v.safeParse(RECORD, data)
  if (parsed.success) return parsed.output
  throw new FleetstepError(
    'data-directory-damaged',
    `${where} is no identity record; restore it from a backup, or remove the data directory to start as a new node`,
  )
}

const RECORD: v.GenericSchema<unknown, IdentityRecord> = v.strictObject({
  id: v.custom<NodeId>(isNodeId),
  source: v.picklist(IDENTITY_SOURCES),
  fingerprint: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
  random: v.nullable(v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/))),
})

function compareFound(record: IdentityRecord, report: HardwareReport, value: string, label: string): IdentityVerdict {
  if (nodeIdOf(record.source, value, label) !== record.id) {
    return { kind: 'settings-changed', reason: 'the instance label is not the one that this node was made with' }
  }
  const better = isCopiedWithCard(record.source) ? hardwareFound(report) : null
  if (better === null) return { kind: 'same' }
  return {
    kind: 'hardware-changed',
    reason: `this node was made on a machine that showed nothing but its ${record.source}, and this one has a ${better}`,
  }
}

/** An interface may show up late, or its address may be hidden while it scans, so its absence proves nothing. */
function compareMissing(record: IdentityRecord, report: HardwareReport): IdentityVerdict {
  if (record.source === 'operator-override') {
    return { kind: 'settings-changed', reason: 'the operator gave this node a name before, and gives none now' }
  }
  const better = betterFound(report, record.source)
  if (record.source !== 'network-address' || better !== null) return changed(record)
  return {
    kind: 'unconfirmed',
    reason:
      'the node id came from a network interface that is not there now; ' +
      'start again when it is, or name the node with --node-id',
  }
}

function changed(record: IdentityRecord): IdentityVerdict {
  if (record.source === 'operator-override') {
    return { kind: 'settings-changed', reason: 'the operator now gives this node another name' }
  }
  return {
    kind: 'hardware-changed',
    reason: `the ${record.source} is not the one that this node was made with: its card was copied or moved`,
  }
}

function isFound(report: HardwareReport, source: IdentitySource): boolean {
  return report.candidates.some((candidate) => candidate.source === source && candidate.finding.kind === 'found')
}

function hardwareFound(report: HardwareReport): IdentitySource | null {
  return IDENTITY_SOURCES.find((source) => !isCopiedWithCard(source) && isFound(report, source)) ?? null
}

function betterFound(report: HardwareReport, than: IdentitySource): IdentitySource | null {
  const before = IDENTITY_SOURCES.slice(0, IDENTITY_SOURCES.indexOf(than))
  return before.find((source) => isFound(report, source)) ?? null
}
