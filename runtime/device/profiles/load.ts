import { readFileSync, statSync } from 'node:fs'
import { FleetstepError } from '../../base/errors.ts'
import { PROFILE_BYTES_MAX } from '../../base/limits.ts'
import { type LoadedProfile, type ProfileReading, readProfileText } from './document.ts'

/** A profile file as it was read, well or not. */
export interface ProfileFile {
  readonly file: string
  readonly text: string
  readonly reading: ProfileReading
}

/**
 * Reads a device profile from a YAML file and checks it whole.
 * @throws FleetstepError `profile-invalid` with file, line, column and what to do
 */
export function loadProfile(file: string): LoadedProfile {
  return acceptedProfile(readProfileFile(file))
}

/** @throws FleetstepError `profile-invalid` if the file cannot be read at all */
export function readProfileFile(file: string): ProfileFile {
  const text = readText(file)
  return { file, text, reading: readProfileText(text) }
}

/** @throws FleetstepError `profile-invalid` with file, line and column of the first problem, and how many more there are */
export function acceptedProfile({ file, reading }: ProfileFile): LoadedProfile {
  if (reading.kind === 'accepted') return reading.profile
  const [first, ...others] = reading.problems
  const more = others.length === 0 ? '' : ` (and ${others.length} more: fleetstep profile validate ${file})`
  throw new FleetstepError(
    'profile-invalid',
    `${file}:${first?.line}:${first?.column}: ${first?.message}; correct the profile there${more}`,
  )
}

function readText(file: string): string {
  let bytes: Buffer
  try {
    const { size } = statRegular(file)
    if (size > PROFILE_BYTES_MAX) throw tooLarge(file, size)
    bytes = readFileSync(file)
  } catch (error) {
    if (error instanceof FleetstepError) throw error
    throw new FleetstepError('profile-invalid', unreadable(file, error), { cause: error })
  }
  // It may have grown since it was measured.
  if (bytes.length > PROFILE_BYTES_MAX) throw tooLarge(file, bytes.length)
  const text = decode(bytes)
  if (text === null) throw new FleetstepError('profile-invalid', `${file}:1:1: is no UTF-8 text; save it as UTF-8`)
  return text
}

/** A directory or a pipe would fail late or wait for ever. */
function statRegular(file: string): { size: number } {
  const stat = statSync(file)
  if (stat.isFile()) return stat
  throw new FleetstepError('profile-invalid', `${file}: is no file; name the YAML file of a device profile`)
}

function tooLarge(file: string, size: number): FleetstepError {
  return new FleetstepError(
    'profile-invalid',
    `${file}: has ${size} bytes, and a device profile at most ${PROFILE_BYTES_MAX}; split it or name the right file`,
  )
}

function unreadable(file: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  if (code === 'ENOENT') return `${file}: there is no such file; name the YAML file of a device profile`
  if (code === 'EACCES') return `${file}: may not be read; give this user the right to read it`
  return `${file}: could not be read (${code}); check the file and its disk`
}

function decode(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}
