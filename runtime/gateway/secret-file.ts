import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { FleetstepError, type ErrorCode } from '../base/errors.ts'
import { readProblem } from './read-problem.ts'

/** Only its owner may read or write it. */
const SECRET_MODE = 0o600

export interface NewFile {
  readonly file: string
  readonly text: string
  /** Of the error if it cannot be written. */
  readonly code: ErrorCode
}

/** Makes a file that was not there, durable on return. @throws FleetstepError `file-occupied`, or of the given code */
export function createSecretFile({ file, text, code }: NewFile): void {
  attempt(file, code, () => {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    // Exclusive: whatever is there stays as it is.
    writeDurably(file, openSync(file, 'wx', SECRET_MODE), text)
  })
}

/** Puts a file in the place of another one, whole or not at all: written beside, synced, renamed. */
export function replaceSecretFile({ file, text, code }: NewFile): void {
  attempt(file, code, () => {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    const beside = `${file}.new`
    writeDurably(beside, openSync(beside, 'w', SECRET_MODE), text)
    renameSync(beside, file)
  })
}

export function removeSecretFile(file: string): void {
  rmSync(file, { force: true })
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

/** All of it, or nothing is there: a disk that fills up takes the beginning without an error. */
function writeDurably(file: string, descriptor: number, text: string): void {
  const bytes = Buffer.from(text)
  try {
    for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done)
    fsyncSync(descriptor)
  } catch (error) {
    removeSecretFile(file)
    throw error
  } finally {
    closeSync(descriptor)
  }
}

function attempt(file: string, code: ErrorCode, action: () => void): void {
  try {
    action()
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST')
      throw new FleetstepError('file-occupied', `${file} is there already: choose another name`, { cause })
    throw new FleetstepError(code, `cannot write ${file}: ${codeOf(cause)}; choose a place that you may write`, {
      cause,
    })
  }
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
}
