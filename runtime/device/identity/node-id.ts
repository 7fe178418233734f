import { createHash } from 'node:crypto'
import { toHex } from '../../base/bytes.ts'
import { assert, FleetstepError } from '../../base/errors.ts'
import type { NodeId } from '../../base/ids.ts'
import { IDENTITY_TEXT_BYTES_MAX } from '../../base/limits.ts'
import type { Random } from '../../base/random.ts'
import type { Candidate, Finding, HardwareReport, IdentitySource } from './hardware.ts'

/** Who this node is, and from what it was told. Kept as {@link IdentityRecord} by the caller. */
export interface NodeIdentity {
  readonly id: NodeId
  readonly source: IdentitySource
  /** Names the value of the source without showing it: 32 hexadecimal digits. The label is no part of it. */
  readonly fingerprint: string
  /** One line each, for the operator. */
  readonly warnings: readonly string[]
}

/**
 * The id of this node: the first 8 bytes of SHA-256 over
 * `fleetstep/node-id/v1` NUL source NUL value NUL label, with the U/L bit of the first byte set and its group bit
 * clear, so that it never equals an address that a maker burnt in. No part may hold a NUL, which makes the
 * concatenation unambiguous, and a shell can repeat it: `printf 'fleetstep/node-id/v1\0…\0…\0…' | sha256sum`.
 *
 * @param label tells several nodes on one machine apart, '' for one; a container must have one, since it sees the
 *   hardware of its host, which other containers see too
 * @throws FleetstepError `identity-unavailable` if no source has a value, or in a container without a label;
 *   `config-invalid` for a label or an operator's name that is no short plain text
 */
export function deriveNodeId(report: HardwareReport, label: string): NodeIdentity {
  if (label !== '') checkText('instance label', label)
  const chosen = choose(report)
  if (chosen === null) {
    throw new FleetstepError(
      'identity-unavailable',
      'this machine shows nothing that tells it from others; give the node a name with --node-id, ' +
        'and see what was looked at with: fleetstep node id --explain',
    )
  }
  if (chosen.source === 'operator-override') checkText('node name', chosen.value)
  else if (report.container !== null && label === '') throw labelRequired(report.container)
  return {
    id: nodeIdOf(chosen.source, chosen.value, label),
    source: chosen.source,
    fingerprint: fingerprintOf(chosen.source, chosen.value),
    warnings: warningsOf(report, chosen.source),
  }
}

/** How one source was judged, for `fleetstep node id --explain`. */
export interface Explanation {
  readonly source: IdentitySource
  readonly verdict: 'used' | 'absent' | 'denied' | 'skipped'
  readonly reason: string
}

/** One line for each source, in their order. Values are not shown: some are secrets of the machine. */
export function explainNodeId(report: HardwareReport): readonly Explanation[] {
  const used = choose(report)?.source ?? null
  return report.candidates.map(({ source, finding }) => explain(source, finding, used))
}

export function nodeIdOf(source: IdentitySource, value: string, label: string): NodeId {
  const bytes = sha256('fleetstep/node-id/v1', source, value, label).subarray(0, 8)
  bytes[0] = ((bytes[0] ?? 0) & ~GROUP_BIT) | LOCALLY_ADMINISTERED_BIT
  return toHex(bytes) as NodeId
}

/** The first 16 bytes of SHA-256 over `fleetstep/fingerprint/v1` NUL source NUL value, in hexadecimal. */
export function fingerprintOf(source: IdentitySource, value: string): string {
  return toHex(sha256('fleetstep/fingerprint/v1', source, value).subarray(0, 16))
}

/** 16 bytes for the source `random`. Draw them once, keep them in the identity record, pass them at every start. */
export function drawRandomIdentity(random: Random): Uint8Array {
  const bytes = Buffer.alloc(16)
  for (let offset = 0; offset < bytes.length; offset += 4) bytes.writeUInt32BE(random.uint32(), offset)
  return new Uint8Array(bytes)
}

/** U/L bit and I/G bit of the first byte of an EUI-64 (IEEE 802). */
const LOCALLY_ADMINISTERED_BIT = 0b10
const GROUP_BIT = 0b01

function choose(report: HardwareReport): { source: IdentitySource; value: string } | null {
  for (const { source, finding } of report.candidates) {
    if (finding.kind === 'found') return { source, value: finding.values[0] }
  }
  return null
}

function sha256(...parts: readonly string[]): Buffer {
  for (const part of parts) assert(!part.includes('\0'), 'no part of an identity holds a NUL')
  return createHash('sha256').update(parts.join('\0')).digest()
}

function checkText(what: string, text: string): void {
  const problem = textProblem(text)
  if (problem === null) return
  throw new FleetstepError('config-invalid', `the ${what} ${JSON.stringify(text.slice(0, 80))} ${problem}`)
}

function textProblem(text: string): string | null {
  if (Buffer.byteLength(text) > IDENTITY_TEXT_BYTES_MAX) {
    return `is too long; use at most ${IDENTITY_TEXT_BYTES_MAX} bytes`
  }
  if (text.trim() === '') return 'is empty; give one or leave the option out'
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(text) || !text.isWellFormed()) return 'holds control characters; use plain text'
  return text === text.trim() ? null : 'starts or ends with a space; remove it'
}

function labelRequired(container: string): FleetstepError {
  return new FleetstepError(
    'identity-unavailable',
    `this is a container (${container}) and sees the hardware of its host, as other containers do; ` +
      'give this one an instance label that no other on the host has, or a name with --node-id',
  )
}

function warningsOf(report: HardwareReport, source: IdentitySource): readonly string[] {
  const unreadable = report.candidates.flatMap(({ finding }) =>
    finding.kind === 'unreadable' ? [`a better source could not be read: ${finding.reason}`] : [],
  )
  switch (source) {
    case 'machine-id':
      return [
        'the node id comes from the machine-id, which is the same on all cards written from one image; ' +
          'make sure that each machine has its own, or name the nodes with --node-id',
        ...unreadable,
      ]
    case 'random':
      return [
        'the node id was drawn at random and is kept on the card; a copy of the card would speak as this node, ' +
          'so never copy it, or name the nodes with --node-id',
        ...unreadable,
      ]
    default:
      return []
  }
}

function explain(source: Candidate['source'], finding: Finding, used: IdentitySource | null): Explanation {
  switch (finding.kind) {
    case 'found': {
      if (source === used) return { source, verdict: 'used', reason: finding.where }
      return { source, verdict: 'skipped', reason: `${finding.where}: not needed, a better source was found` }
    }
    case 'absent':
      return { source, verdict: 'absent', reason: finding.reason }
    case 'denied':
      return { source, verdict: 'denied', reason: finding.reason }
    case 'unreadable':
      return { source, verdict: 'skipped', reason: finding.reason }
  }
}
