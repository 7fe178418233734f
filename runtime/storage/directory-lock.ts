import { FleetstepError } from '../base/errors.ts'
import { isFull, isNowhere } from './file-system.ts'
import type { FileSystem } from './file-system.ts'

/** One life of a process: a pid is used again, a pid with the same start is not. */
export interface ProcessIdentity {
  readonly pid: number
  /** Without spaces: boot and start tick. */
  readonly start: string
}

export interface ProcessTable {
  own(): Promise<ProcessIdentity>
  /** True in doubt. */
  isAlive(identity: ProcessIdentity): Promise<boolean>
}

export interface DirectoryLock {
  release(): Promise<void>
}

/**
 * Takes the directory for this process. The lock is a mark `lock-<turn>` that names the holder; the highest turn counts.
 * Whoever finds its holder dead makes the next turn, which only one can; turns never go back, so that a slow contender
 * cannot take a turn that somebody had and gave up meanwhile.
 * @throws FleetstepError `data-directory-locked`
 */
export async function lockDirectory(
  fileSystem: FileSystem,
  processes: ProcessTable,
  directory: string,
): Promise<DirectoryLock> {
  const own = await processes.own()
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const top = (await listTurns(fileSystem, directory)).at(-1) ?? 0
    const holder = top === 0 ? FREE : await fileSystem.readMark(pathOf(directory, top))
    if (holder === null) continue
    const identity = parseIdentity(holder)
    if (identity !== null && (await processes.isAlive(identity))) throw lockedBy(directory, identity)
    const turn = top + 1
    const mark = `${own.pid} ${own.start}`
    if (!(await fileSystem.createMark(pathOf(directory, turn), mark))) continue
    // The first listing may have missed a turn that was made while it ran.
    const turns = await listTurns(fileSystem, directory)
    if (turns.at(-1) !== turn) {
      await removeMark(fileSystem, directory, turn)
      continue
    }
    for (const older of turns.slice(0, -1)) await removeMark(fileSystem, directory, older)
    return { release: () => releaseTurn(fileSystem, directory, turn, mark) }
  }
  throw new FleetstepError(
    'data-directory-locked',
    `${directory} is being taken by other processes at this moment; run one daemon per data directory`,
  )
}

const FREE = 'free'
const ATTEMPTS_MAX = 8

async function listTurns(fileSystem: FileSystem, directory: string): Promise<readonly number[]> {
  const names = await fileSystem.list(directory)
  const turns = names.flatMap((name) => /^lock-([0-9]{1,15})$/.exec(name)?.[1] ?? []).map(Number)
  return turns.toSorted((left, right) => left - right)
}

/**
 * Says that the turn is over, for a process that goes on living; the next holder tidies up. A directory without our mark is
 * gone or another one: there is nothing to release, and a turn made there could end somebody else's.
 */
async function releaseTurn(fileSystem: FileSystem, directory: string, turn: number, mark: string): Promise<void> {
  if ((await fileSystem.readMark(pathOf(directory, turn))) !== mark) return
  try {
    await fileSystem.createMark(pathOf(directory, turn + 1), FREE)
  } catch (error) {
    if (!isFull(error) && !isNowhere(error)) throw error
  }
  await removeMark(fileSystem, directory, turn)
}

async function removeMark(fileSystem: FileSystem, directory: string, turn: number): Promise<void> {
  try {
    await fileSystem.remove(pathOf(directory, turn))
  } catch (error) {
    if (!isNowhere(error)) throw error
  }
}

function parseIdentity(text: string): ProcessIdentity | null {
  const match = /^([0-9]{1,10}) (\S+)$/.exec(text)
  return match?.[2] === undefined ? null : { pid: Number(match[1]), start: match[2] }
}

function pathOf(directory: string, turn: number): string {
  return `${directory}/lock-${turn}`
}

function lockedBy(directory: string, { pid }: ProcessIdentity): FleetstepError {
  return new FleetstepError(
    'data-directory-locked',
    `${directory} is in use by process ${pid}; stop that daemon first, or give this one a data directory of its own`,
  )
}
