import { FleetstepError } from '../base/errors.ts'
import { compareWithRecord } from '../device/identity/record.ts'
import { readHardware } from '../device/identity/sources.ts'
import { fromHex } from '../base/bytes.ts'
import type { NodeId } from '../base/ids.ts'
import { installContent } from '../storage/install-content.ts'
import { nodeFileSystem, nodeProcessTable } from '../storage/node-file-system.ts'
import type { StoreOwner } from '../storage/store.ts'
import { fleetIdOf } from '../sync/membership.ts'
import type { GatewayConfig } from './config.ts'
import { fleetOf } from './fleet.ts'
import { type ExportedData, readExport } from './export-file.ts'
import { IDENTITY_FILE, identityText, readIdentityRecord } from './identity-file.ts'

export interface ImportOptions {
  readonly file: string
  readonly directory: string
  /** Of the gateway that will start with the data, to see now whether it will; null to leave that to its start. */
  readonly gateway: { readonly config: GatewayConfig; readonly nodeName: string | null } | null
  readonly replaces: boolean
  /** Data of another node or fleet, to look at: no gateway here starts with them. */
  readonly acceptsForeign: boolean
}

export interface ImportReport extends StoreOwner {
  readonly directory: string
  readonly lastRecord: number
  readonly snapshotThrough: number
  readonly recordsAfterSnapshot: number
  /** False if the export was made of a damaged directory. */
  readonly isWhole: boolean
  /** Names under which the former files are kept in the directory. */
  readonly replaced: readonly string[]
}

/**
 * Puts an export into a data directory, whole or not at all. It is read and checked to its end before anything is written.
 * @throws FleetstepError `export-invalid`, `data-directory-*`, `config-invalid`, `disk-full`, `storage-failed`
 */
export async function importDataDirectory(options: ImportOptions): Promise<ImportReport> {
  const { file, directory, gateway, replaces, acceptsForeign } = options
  const data = await readExport(file)
  const { owner, snapshot, records } = data
  if (!acceptsForeign) {
    checkIdentityThere(data, directory)
    if (gateway !== null) checkGateway(data, gateway)
  }
  const replaced = await installContent(
    { fileSystem: nodeFileSystem, processes: nodeProcessTable, directory, replaces, acceptsForeign },
    { owner, snapshot, records, files: filesOf(data) },
  )
  return {
    ...owner,
    directory,
    lastRecord: data.lastRecord,
    snapshotThrough: snapshot?.through ?? 0,
    recordsAfterSnapshot: records.length,
    isWhole: data.isWhole,
    replaced,
  }
}

/** Who the node is comes along, so that it keeps an id that no hardware gives it, and is known on other hardware. */
function filesOf({ identity }: ExportedData): ReadonlyMap<string, Uint8Array> {
  if (identity === null) return new Map()
  return new Map([[IDENTITY_FILE, new TextEncoder().encode(identityText(identity))]])
}

function checkIdentityThere({ owner }: ExportedData, directory: string): void {
  const there = readIdentityRecord(directory)
  if (there !== null && there.id !== owner.node) {
    throw foreign(`${directory} belongs to node ${there.id}`, owner, 'use a directory of its own')
  }
}

/** Says now what the start would say. */
function checkGateway(data: ExportedData, { config, nodeName }: NonNullable<ImportOptions['gateway']>): void {
  const { owner, identity } = data
  if (identity !== null) {
    const random = identity.random === null ? null : fromHex(identity.random)
    const verdict = compareWithRecord(identity, readHardware({ override: nodeName, random }), config.label)
    if (verdict.kind !== 'same') {
      throw foreign(`this machine is another node (${verdict.reason})`, owner, 'import it on the machine of that node')
    }
  }
  const { genesis } = fleetOf(config, owner.node as NodeId)
  const fleet = fleetIdOf(genesis)
  if (fleet !== owner.fleet) {
    throw foreign(`the config is of fleet ${fleet} (${genesis.name})`, owner, 'use the config of that fleet')
  }
}

function foreign(what: string, { fleet, node }: StoreOwner, remedy: string): FleetstepError {
  return new FleetstepError(
    'data-directory-foreign',
    `${what}, and the export is of node ${node} of fleet ${fleet}; ${remedy}, or add --foreign to only look at a copy`,
  )
}
