import { FleetstepError } from '../base/errors.ts'

let isNeeded = true

/**
 * Says what becomes of what cannot be printed. A command ends: without an error where its reader has gone, as head does, and
 * with one where the disk is full below a file that would be taken for whole. What goes to standard error is lost in silence,
 * because nobody is left who could be told.
 */
export function watchOutput(failed: (error: unknown) => void): void {
  process.stderr.on('error', () => undefined)
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!isNeeded) return
    if (error.code !== 'EPIPE') failed(explain(error))
    process.exit()
  })
}

/** For what runs until it is told to end: a reader that has gone, or a full disk below a log, ends no gateway. */
export function goOnWithoutOutput(): void {
  isNeeded = false
}

function explain({ code, message }: NodeJS.ErrnoException): FleetstepError {
  return code === 'ENOSPC' || code === 'EDQUOT'
    ? new FleetstepError('disk-full', 'standard output goes to a disk that is full: free some space, and run it again')
    : new FleetstepError('storage-failed', `standard output takes nothing (${message}): send it somewhere else`)
}
