import { FleetstepError } from '../base/errors.ts'
import { errorCode, readFully, withFile, writeFully } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import { FORMATS, migrate } from './migration.ts'
import type { Formats } from './migration.ts'
import type { StoreOwner } from './store.ts'

/**
 * Checks that the data directory belongs to this node and fleet and has a format that is known, brings an older format to
 * the current one, or marks an empty directory.
 * The mark is the file `format.json`: `{"format":1,"fleet":"…","node":"…"}`.
 * @throws FleetstepError `data-directory-foreign`, `data-directory-newer`, `data-directory-damaged`
 */
export async function claimDirectory(
  fileSystem: FileSystem,
  directory: string,
  owner: StoreOwner,
  formats: Formats = FORMATS,
): Promise<void> {
  const names = await fileSystem.list(directory)
  if (!names.includes(NAME)) {
    if (names.some((name) => /^(journal|snapshot)-/.test(name))) throw damaged(directory, 'is missing')
    await writeMark(fileSystem, directory, owner, formats.current)
    return
  }
  const mark = parseMark(await readMark(fileSystem, directory), directory)
  checkMark(mark, directory, owner, formats.current)
  await migrate(fileSystem, directory, mark.format, formats, (target, format) =>
    writeMark(target, directory, owner, format),
  )
}

/** Whose data a directory holds; an error of errno(3) if it holds none. @throws FleetstepError `data-directory-*` */
export async function readOwner(fileSystem: FileSystem, directory: string): Promise<StoreOwner> {
  const { fleet, node, format } = parseMark(await readMark(fileSystem, directory), directory)
  if (format > FORMATS.current) throw newer(directory, format, FORMATS.current)
  if (typeof fleet !== 'string' || typeof node !== 'string') throw damaged(directory, 'cannot be read')
  return { fleet, node }
}

/** Whose data a directory holds, or null where its mark is missing or cannot be read. @throws FleetstepError `data-directory-newer` */
export async function ownerIfKnown(fileSystem: FileSystem, directory: string): Promise<StoreOwner | null> {
  try {
    return await readOwner(fileSystem, directory)
  } catch (error) {
    const isUnknown = error instanceof FleetstepError ? error.code === 'data-directory-damaged' : isMissing(error)
    if (isUnknown) return null
    throw error
  }
}

interface Mark {
  readonly format: number
  readonly fleet: unknown
  readonly node: unknown
}

const NAME = 'format.json'
const MARK_BYTES_MAX = 4096

function checkMark(mark: Mark, directory: string, owner: StoreOwner, known: number): void {
  if (mark.format > known) throw newer(directory, mark.format, known)
  if (typeof mark.fleet !== 'string' || typeof mark.node !== 'string') throw damaged(directory, 'cannot be read')
  if (mark.fleet === owner.fleet && mark.node === owner.node) return
  const what = mark.fleet === owner.fleet ? `node ${mark.node}` : `fleet ${mark.fleet} (node ${mark.node})`
  throw new FleetstepError(
    'data-directory-foreign',
    `${directory} belongs to ${what}, not to node ${owner.node} of fleet ${owner.fleet}; use the directory of this node, or an empty one`,
  )
}

function parseMark(text: string, directory: string): Mark {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw damaged(directory, 'cannot be read')
  }
  if (typeof value !== 'object' || value === null || !('format' in value && 'fleet' in value && 'node' in value)) {
    throw damaged(directory, 'cannot be read')
  }
  const { format, fleet, node } = value
  if (typeof format !== 'number' || !Number.isInteger(format) || format < 1) throw damaged(directory, 'cannot be read')
  return { format, fleet, node }
}

async function readMark(fileSystem: FileSystem, directory: string): Promise<string> {
  try {
    const read = await withFile(fileSystem, `${directory}/${NAME}`, 'read', (file) =>
      readFully(file, MARK_BYTES_MAX, 0),
    )
    return new TextDecoder().decode(read)
  } catch (error) {
    if (errorCode(error) !== 'EIO') throw error
    throw damaged(directory, 'cannot be read')
  }
}

/** Marks a directory as one of `owner`; durable on return. */
export async function writeMark(
  fileSystem: FileSystem,
  directory: string,
  owner: StoreOwner,
  format: number = FORMATS.current,
): Promise<void> {
  const mark = { format, fleet: owner.fleet, node: owner.node }
  const draft = `${directory}/format.new`
  await withFile(fileSystem, draft, 'create', async (file) => {
    await writeFully(file, new TextEncoder().encode(`${JSON.stringify(mark)}\n`), 0)
    await file.sync()
  })
  await fileSystem.rename(draft, `${directory}/${NAME}`)
  await fileSystem.syncDirectory(directory)
}

function isMissing(error: unknown): boolean {
  return errorCode(error) === 'ENOENT'
}

function newer(directory: string, format: number, known: number): FleetstepError {
  return new FleetstepError(
    'data-directory-newer',
    `${directory} has format ${format}, this version of fleetstep knows ${known}; install the newer version again, or use another data directory`,
  )
}

function damaged(directory: string, what: string): FleetstepError {
  return new FleetstepError(
    'data-directory-damaged',
    `${directory}/${NAME} ${what}, so it is not known whose data this is; restore the file, or move the directory away and let the node join again`,
  )
}
