import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { fromHex, toHex } from '../base/bytes.ts'
import { FleetstepError } from '../base/errors.ts'
import type { NodeId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import type { Random } from '../base/random.ts'
import { deriveNodeId, drawRandomIdentity } from '../device/identity/node-id.ts'
import { compareWithRecord, type IdentityRecord, parseIdentityRecord } from '../device/identity/record.ts'
import { readHardware } from '../device/identity/sources.ts'
import { replaceSecretFile, syncFolder } from './secret-file.ts'

export interface IdentityOptions {
  readonly dataDirectory: string
  /** Name given by the operator, for several nodes on one machine. */
  readonly override: string | null
  readonly label: string
  /** On other hardware it begins as a new node and keeps what was there beside, instead of refusing the directory. */
  readonly beginsAnew: boolean
  readonly random: Random
  readonly logger: Logger
}

/** In the data directory. */
export const IDENTITY_FILE = 'identity.json'

/**
 * Says who this node is, from its hardware, and keeps it in the data directory, so that a copied or moved card is noticed.
 * @throws FleetstepError `identity-unavailable`; `data-directory-foreign` if the directory was made on other hardware and
 *   the node is not to begin anew, or by another name
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
  if (verdict.kind === 'hardware-changed' && options.beginsAnew) {
    const folder = putAside(options.dataDirectory, record.id)
    const id = createIdentity(file, options)
    options.logger.warn(
      `this is not node ${record.id}: ${verdict.reason}; it is node ${id} from now on, a draft until the fleet takes it in; what was there is kept in ${folder}`,
    )
    return id
  }
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

function writeRecord(file: string, record: IdentityRecord): void {
  replaceSecretFile({ file, text: identityText(record), code: 'data-directory-unwritable' })
}

/** The record goes last, so that a power cut on the way is followed by the rest at the next start. @returns the folder */
function putAside(dataDirectory: string, node: NodeId): string {
  try {
    const names = readdirSync(dataDirectory).filter((name) => !name.startsWith(ASIDE) && name !== IDENTITY_FILE)
    let folder = join(dataDirectory, `${ASIDE}${node}`)
    for (let turn = 2; existsSync(join(folder, IDENTITY_FILE)); turn++)
      folder = join(dataDirectory, `${ASIDE}${node}-${turn}`)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    for (const moved of [names, [IDENTITY_FILE]]) {
      for (const name of moved) renameSync(join(dataDirectory, name), join(folder, name))
      syncFolder(folder)
      syncFolder(dataDirectory)
    }
    return folder
  } catch (cause) {
    throw new FleetstepError(
      'data-directory-unwritable',
      `cannot put the data of node ${node} aside in ${dataDirectory}: ${describe(cause)}`,
      { cause },
    )
  }
}

/** Folders in the data directory with what belonged to the node that its card was before. */
const ASIDE = 'of-node-'

function describe(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
}
