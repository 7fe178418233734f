import { AssertionError, FleetstepError } from '../base/errors.ts'
import { errorCode, isFull } from './file-system.ts'

/** What users are told of a failure of the file system, in one line. A broken invariant is thrown on as it is. */
export function explainFailure(
  error: unknown,
  directory: string,
  doing: 'opening' | 'writing' | 'importing',
): FleetstepError {
  const isFullDisk = isFull(error) || (error instanceof FleetstepError && error.code === 'disk-full')
  if (isFullDisk && doing === 'importing') {
    const message = `${directory}: the disk is full, and nothing was imported; free some space and import again`
    return new FleetstepError('disk-full', message, { cause: error })
  }
  if (error instanceof FleetstepError) return error
  if (error instanceof AssertionError) throw error
  const reason = error instanceof Error ? error.message : String(error)
  if (isFullDisk) {
    const message = `${directory}: the disk is full; free some space, it goes on by itself`
    return new FleetstepError('disk-full', message, { cause: error })
  }
  if (doing !== 'writing' && UNWRITABLE.includes(errorCode(error))) {
    const message = `${directory} cannot be used as data directory (${reason}); name one that this user may write to`
    return new FleetstepError('data-directory-unwritable', message, { cause: error })
  }
  const message = `${directory}: the medium failed while ${doing} (${reason}); what was acknowledged is kept; check the medium, then start again`
  return new FleetstepError('storage-failed', message, { cause: error })
}

/** What was acknowledged from now on would not be found where the next opening looks for it. */
export function displaced(directory: string): FleetstepError {
  return new FleetstepError(
    'storage-failed',
    `${directory} was removed, moved, replaced or mounted over while it was in use, so nothing more is stored; put it back, then start again`,
  )
}

const UNWRITABLE = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ENAMETOOLONG']
