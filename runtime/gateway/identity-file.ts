import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fromHex, toHex } from '../base/bytes.ts'
import { FleetstepError } from '../base/errors.ts'
import type { NodeId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import type { Random } from '../base/random.ts'
import { deriveNodeId, drawRandomIdentity } from '../device/identity/node-id.ts'
import { compareWithRecord, type IdentityRecord, parseIdentityRecord } from '../device/identity/record.ts'
import { readHardware } from '../device/identity/sources.ts'

export interface IdentityOptions {
  readonly dataDirectory: string
  /** Name given by the operator, for several nodes on one machine. */
  readonly override: string | null
  readonly label: string
  readonly random: Random
  readonly logger: Logger
}

/** In the data directory. */
export const IDENTITY_FILE = 'identity.json'

/**
 * Says who this node is, from its hardware, and keeps it in the data directory, so that a copied or moved card is noticed.
 * @throws FleetstepError `identity-unavailable`; `data-directory-foreign` if the directory was made on other hardware
 */
export function establishIdentity(options: IdentityOptions): NodeId {
  const file = join(options.dataDirectory, IDENTITY_FILE)
  const record = readIdentityRecord(options.dataDirectory)
  return record === null ? createIdentity(file, options) : confirmIdentity(file, record, options)
}

function confirmIdentity(file: string, record: IdentityRecord, options: IdentityOptions): NodeId {
  const random = record.random === null ? null : fromHex(record.random)
  const verdict = compareWithRecord(record, readHardware({ override: options.override, random }), options.label)
  if (verdict.kind === 'same') return record.id
  throw new FleetstepError(
    'data-directory-foreign',
    `${file} belongs to node ${record.id}, and this is not it: ${verdict.reason}; give this node a data directory of its own`,
  )
}

function createIdentity(file: string, options: IdentityOptions): NodeId {
  const random = drawRandomIdentity(options.random)
  const identity = deriveNodeId(readHardware({ override: options.override, random }), options.label)
  for (const warning of identity.warnings) options.logger.warn(`node id: ${warning}`)
  const record: IdentityRecord = {
    id: identity.id,
    source: identity.source,
    fingerprint: identity.fingerprint,
    random: identity.source === 'random' ? toHex(random) : null,
  }
  writeRecord(file, record)
  return identity.id
}

/** Who a data directory belongs to, or null. @throws FleetstepError `data-directory-damaged`, `data-directory-unwritable` */
export function readIdentityRecord(dataDirectory: string): IdentityRecord | null {
  const file = join(dataDirectory, IDENTITY_FILE)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw new FleetstepError(
      'data-directory-unwritable',
      `cannot read ${file}: ${describe(cause)}; choose a dataDirectory that this user may use`,
      { cause },
    )
  }
  try {
    return parseIdentityRecord(JSON.parse(text), file)
  } catch (cause) {
    if (cause instanceof FleetstepError) throw cause
    throw new FleetstepError(
      'data-directory-damaged',
      `${file} is not JSON: restore it, or remove the data directory`,
      { cause },
    )
  }
}

/** What the file holds. */
export function identityText(record: IdentityRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`
}

/** Whole or not at all: written beside, synced, renamed. */
function writeRecord(file: string, record: IdentityRecord): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    const beside = `${file}.new`
    const descriptor = openSync(beside, 'w', 0o600)
    writeSync(descriptor, identityText(record))
    fsyncSync(descriptor)
    closeSync(descriptor)
    renameSync(beside, file)
  } catch (cause) {
    throw new FleetstepError(
      'data-directory-unwritable',
      `cannot write ${file}: ${describe(cause)}; choose a dataDirectory that this user may use`,
      { cause },
    )
  }
}

function describe(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
}
