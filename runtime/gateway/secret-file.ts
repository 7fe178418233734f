import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import { FleetstepError, type ErrorCode } from '../base/errors.ts'
import { isFull } from '../storage/file-system.ts'
import { readProblem } from './read-text.ts'

/** Only its owner may read or write it. */
const SECRET_MODE = 0o600

export interface NewFile {
  readonly file: string
  readonly text: string
  /** Of the error if it cannot be written, though there is room. */
  readonly code: ErrorCode
}

/** Makes a file that was not there, whole or not at all, durable on return. @throws FleetstepError `file-occupied`, `disk-full`, or of the given code */
export function createSecretFile({ file, text, code }: NewFile): void {
  // A link is exclusive: whatever is there stays as it is.
  attempt(file, code, () => writeBeside(file, text, (beside) => linkSync(beside, file)))
}

/** Puts a file in the place of another one, whole or not at all, durable on return. */
export function replaceSecretFile({ file, text, code }: NewFile): void {
  attempt(file, code, () => writeBeside(file, text, (beside) => renameSync(beside, file)))
}

/** Durable on return. */
export function removeSecretFile(file: string): void {
  rmSync(file, { force: true })
  syncFolder(dirname(file))
}

/** @returns null if there is none @throws FleetstepError of `code` also if others may read it */
export function readSecretFile(file: string, code: ErrorCode): string | null {
  try {
    const others = statSync(file).mode & 0o077
    if (others !== 0) throw new FleetstepError(code, `${file} can be read by others than its owner: chmod 600 ${file}`)
    return readFileSync(file, 'utf8')
  } catch (cause) {
    if (cause instanceof FleetstepError) throw cause
    if (codeOf(cause) === 'ENOENT') return null
    throw new FleetstepError(code, `cannot read ${file}: ${readProblem(cause)}`, { cause })
  }
}

/** The names in a folder are on the medium: a file that is synced may still have lost its name after a power cut. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** @param put gives the whole file its place: a power cut at the first start would leave an empty key there, and no start after it */
function writeBeside(file: string, text: string, put: (beside: string) => void): void {
  const folder = dirname(file)
  makeFolder(folder)
  // One that stops here leaves it behind, and another process may have its number.
  const beside = `${file}.${process.pid}.new`
  rmSync(beside, { force: true })
  const descriptor = openSync(beside, 'wx', SECRET_MODE)
  try {
    const bytes = Buffer.from(text)
    // A disk that fills up takes the beginning without an error.
    for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done)
    fsyncSync(descriptor)
    put(beside)
  } finally {
    closeSync(descriptor)
    rmSync(beside, { force: true })
  }
  syncFolder(folder)
}

/** The name of each new folder stands in the one above it. */
function makeFolder(folder: string): void {
  const first = mkdirSync(folder, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let made = resolve(folder); made.length >= resolve(first).length; made = dirname(made)) syncFolder(dirname(made))
}

function attempt(file: string, code: ErrorCode, action: () => void): void {
  try {
    action()
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST')
      throw new FleetstepError('file-occupied', `${file} is there already: choose another name`, { cause })
    const advice = isFull(cause) ? 'make room' : 'choose a place that you may write'
    const message = `cannot write ${file}: ${codeOf(cause)}; ${advice}`
    throw new FleetstepError(isFull(cause) ? 'disk-full' : code, message, { cause })
  }
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
}
