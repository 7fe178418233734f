import { assert } from '../base/errors.ts'
import type { FileSystem } from './file-system.ts'
import { FORMAT_VERSION } from './page.ts'
import { replaceContent } from './replacement.ts'

/** The step from one format of the data directory to the next. */
export interface Migration {
  readonly from: number
  /**
   * Reads `source`, which it leaves as it is, and writes all files of the next format to `target`, durable on return.
   * The mark `format.json` is not its task.
   */
  readonly write: (source: FileSystem, target: FileSystem, directory: string) => Promise<void>
}

export interface Formats {
  readonly current: number
  /** One for each format before the current one. */
  readonly migrations: readonly Migration[]
}

/** What this version reads. Format 1 is the first one, so nothing leads to it. */
export const FORMATS: Formats = { current: FORMAT_VERSION, migrations: [] }

/**
 * Brings a data directory step by step to the current format. Each step counts whole or not at all: the old files stay
 * until the new ones are in their place, so after a power cut the next opening goes on where this one was.
 * @param mark writes `format.json` for a format
 */
export async function migrate(
  fileSystem: FileSystem,
  directory: string,
  from: number,
  { current, migrations }: Formats,
  mark: (target: FileSystem, format: number) => Promise<void>,
): Promise<void> {
  for (let format = from; format < current; format += 1) {
    const step = migrations.find((migration) => migration.from === format)
    assert(step !== undefined, `a step leads from data format ${format}`)
    await replaceContent(fileSystem, directory, {
      keepsOld: false,
      write: async (target) => {
        await step.write(fileSystem, target, directory)
        await mark(target, format + 1)
      },
    })
  }
}
