import { FleetstepError } from '../base/errors.ts'
import { SEGMENT_BYTES } from '../base/limits.ts'
import { writeContent } from './content.ts'
import type { StoreContent } from './content.ts'
import { DamageMark } from './damage-mark.ts'
import { lockDirectory } from './directory-lock.ts'
import type { ProcessTable } from './directory-lock.ts'
import type { FileSystem } from './file-system.ts'
import { ownerIfKnown } from './owner.ts'
import { explainFailure } from './failure.ts'
import { finishReplacement, replaceContent } from './replacement.ts'

export interface InstallOptions {
  readonly fileSystem: FileSystem
  readonly processes: ProcessTable
  /** Made with its parents if it is not there. */
  readonly directory: string
  /** Keeps what is there under other names, instead of refusing a directory that holds data. */
  readonly replaces: boolean
  /** Also where what is there belongs to another node or fleet. */
  readonly acceptsForeign: boolean
  /** As of the store that will open it. */
  readonly segmentBytes?: number
}

/**
 * Puts `content` into a data directory, whole or not at all, over a power cut at any moment.
 * @returns the names under which old files are kept
 * @throws FleetstepError `data-directory-*`, `disk-full`, `storage-failed`; the directory holds what it held before then
 */
export async function installContent(options: InstallOptions, content: StoreContent): Promise<readonly string[]> {
  const { fileSystem, processes, directory, segmentBytes = SEGMENT_BYTES } = options
  try {
    await fileSystem.makeDirectory(directory)
    const lock = await lockDirectory(fileSystem, processes, directory)
    try {
      await finishReplacement(fileSystem, directory)
      await checkPresent(options, content)
      const kept = await replaceContent(fileSystem, directory, {
        write: (staged) => writeContent(staged, directory, segmentBytes, content),
        keepsOld: true,
      })
      // What was missing of the old content is not missing of this.
      await new DamageMark(fileSystem, directory).remove()
      return kept
    } finally {
      // What was done is done; the next holder tidies up a lock that could not be given back.
      await lock.release().catch(() => undefined)
    }
  } catch (error) {
    throw explainFailure(error, directory, 'importing')
  }
}

async function checkPresent(options: InstallOptions, { owner }: StoreContent): Promise<void> {
  const { fileSystem, directory, replaces, acceptsForeign } = options
  const names = await fileSystem.list(directory)
  if (!names.some((name) => /^(journal|snapshot)-|^format\.json$/.test(name))) return
  const present = await ownerIfKnown(fileSystem, directory)
  const whose = present === null ? 'data of which it is not known whose they are' : `the data of node ${present.node}`
  if (!replaces) {
    throw new FleetstepError(
      'data-directory-occupied',
      `${directory} holds ${whose}; name an empty directory, or put the import in its place with --replace, which keeps the old files beside`,
    )
  }
  const isSame = present === null || (present.fleet === owner.fleet && present.node === owner.node)
  if (isSame || acceptsForeign) return
  throw new FleetstepError(
    'data-directory-foreign',
    `${directory} belongs to node ${present.node} of fleet ${present.fleet}, and the import to node ${owner.node} of fleet ${owner.fleet}; use another directory, or --foreign if you mean it`,
  )
}
