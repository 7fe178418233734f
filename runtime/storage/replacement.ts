import { FleetstepError } from '../base/errors.ts'
import { errorCode, readFully, withFile, writeFully } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import { isStaged, StagedFileSystem, stagedName } from './staged-file-system.ts'

export interface ReplacementOptions {
  /** Writes the new files, durable on return. They have no meaning before all of them are there. */
  readonly write: (staged: FileSystem) => Promise<void>
  /** The old files stay, under names of their own; otherwise they go once the new ones are in their place. */
  readonly keepsOld: boolean
}

/**
 * Puts new content in the place of a data directory's own, whole or not at all. The new files are written beside the old
 * ones; then one file that names every step is put there in a single rename: before it the old content counts, after it
 * the new one, because every opening finishes those steps first. The caller holds the lock.
 * @returns the names under which old files are kept
 */
export async function replaceContent(
  fileSystem: FileSystem,
  directory: string,
  { write, keepsOld }: ReplacementOptions,
): Promise<readonly string[]> {
  await discardStaged(fileSystem, directory)
  const staged = new StagedFileSystem(fileSystem, directory)
  try {
    await write(staged)
    const plan = planOf(await fileSystem.list(directory), await staged.list(directory), keepsOld)
    await writePlan(fileSystem, directory, plan)
    await finishReplacement(fileSystem, directory)
    return keepsOld ? plan.aside.map(([, to]) => to) : []
  } catch (error) {
    if (!(await fileSystem.list(directory)).includes(PLAN)) await discardStaged(fileSystem, directory)
    throw error
  }
}

/**
 * Finishes a replacement that was interrupted, and drops what one left behind that had not come so far. Repeats without
 * harm what was done already. @throws FleetstepError `data-directory-damaged`
 */
export async function finishReplacement(fileSystem: FileSystem, directory: string): Promise<void> {
  const names = new Set(await fileSystem.list(directory))
  if (!names.has(PLAN)) {
    await discardStaged(fileSystem, directory)
    return
  }
  const { aside, staged, keepsOld } = await readPlan(fileSystem, directory)
  const at = (name: string): string => `${directory}/${name}`
  // The name of an old file is free for a new one only when the old one's other name is on the medium.
  for (const [from, to] of aside) {
    const isOld = !staged.includes(from) || names.has(stagedName(from))
    if (isOld && names.has(from) && !names.has(to)) await fileSystem.rename(at(from), at(to))
  }
  await fileSystem.syncDirectory(directory)
  for (const name of staged) {
    if (names.has(stagedName(name))) await fileSystem.rename(at(stagedName(name)), at(name))
  }
  await fileSystem.syncDirectory(directory)
  if (!keepsOld) {
    const left = new Set(await fileSystem.list(directory))
    for (const [, to] of aside) if (left.has(to)) await fileSystem.remove(at(to))
    await fileSystem.syncDirectory(directory)
  }
  await fileSystem.remove(at(PLAN))
  await fileSystem.syncDirectory(directory)
}

/** Every step from the old content to the new one. */
interface Plan {
  /** Old files: the name, and the one that it is kept under. */
  readonly aside: readonly (readonly [string, string])[]
  /** Names of the new files. */
  readonly staged: readonly string[]
  readonly keepsOld: boolean
}

const PLAN = 'replacement.json'
const PLAN_DRAFT = 'replacement.new'
/** A thousand segments and what stands beside them. */
const PLAN_BYTES_MAX = 256 * 1024

/** What was there goes as a whole, also files that the new content has no counterpart of. */
function planOf(names: readonly string[], staged: readonly string[], keepsOld: boolean): Plan {
  const kept = names.flatMap((name) => /^replaced-([0-9]{4,9})-/.exec(name)?.[1] ?? [])
  const turn = String(1 + kept.reduce((most, digits) => Math.max(most, Number(digits)), 0)).padStart(4, '0')
  const old = names.filter((name) => /^(journal|snapshot)-/.test(name) || staged.includes(name))
  return { aside: old.toSorted().map((name) => [name, `replaced-${turn}-${name}`] as const), staged, keepsOld }
}

async function writePlan(fileSystem: FileSystem, directory: string, plan: Plan): Promise<void> {
  const draft = `${directory}/${PLAN_DRAFT}`
  await withFile(fileSystem, draft, 'create', async (file) => {
    await writeFully(file, new TextEncoder().encode(`${JSON.stringify(plan)}\n`), 0)
    await file.sync()
  })
  // The staged names before the plan that speaks of them.
  await fileSystem.syncDirectory(directory)
  await fileSystem.rename(draft, `${directory}/${PLAN}`)
  await fileSystem.syncDirectory(directory)
}

async function readPlan(fileSystem: FileSystem, directory: string): Promise<Plan> {
  try {
    const bytes = await withFile(fileSystem, `${directory}/${PLAN}`, 'read', (file) =>
      readFully(file, PLAN_BYTES_MAX, 0),
    )
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    if (isPlan(value)) return value
  } catch (error) {
    if (!(error instanceof SyntaxError) && errorCode(error) !== 'EIO') throw error
  }
  throw new FleetstepError(
    'data-directory-damaged',
    `${directory}/${PLAN} cannot be read, so it is not known which of the files count; move the directory away and import once more, or let the node join again`,
  )
}

function isPlan(value: unknown): value is Plan {
  if (typeof value !== 'object' || value === null) return false
  if (!('aside' in value && 'staged' in value && 'keepsOld' in value)) return false
  const { aside, staged, keepsOld } = value
  const isNames = (names: unknown): boolean => Array.isArray(names) && names.every(isName)
  return Array.isArray(aside) && aside.every(isNames) && isNames(staged) && typeof keepsOld === 'boolean'
}

/** No path: a damaged plan reaches no other directory. */
function isName(value: unknown): boolean {
  return typeof value === 'string' && /^[a-z0-9][a-z0-9.-]*$/.test(value)
}

async function discardStaged(fileSystem: FileSystem, directory: string): Promise<void> {
  for (const name of await fileSystem.list(directory)) {
    if (name === PLAN_DRAFT || isStaged(name)) await fileSystem.remove(`${directory}/${name}`)
  }
}
