import { closeSync, openSync, readSync } from 'node:fs'

/** What a file or a pipe holds, which people have written. @throws Error that {@link readProblem} has words for */
export function readText(file: string, bytesMax: number): string {
  const bytes = Buffer.alloc(bytesMax + 1)
  const descriptor = openSync(file, 'r')
  try {
    // A device or a pipe does not say how much is to come, and may never end.
    let length = 0
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(descriptor, bytes, length, bytes.length - length, null)
    if (length > bytesMax) throw new TextProblem(`it has more than ${bytesMax} bytes`)
    return decodeText(bytes.subarray(0, length))
  } finally {
    closeSync(descriptor)
  }
}

/** Signs that are not UTF-8 would be taken for others: a label for that of another node. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new TextProblem('it is not UTF-8: save it as UTF-8')
  }
}

/** Why a file could not be read, in words for people; the code of the system where it is a rare one. */
export function readProblem(cause: unknown): string {
  if (cause instanceof TextProblem) return cause.message
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  switch (code) {
    case 'ENOENT':
      return 'there is no such file'
    case 'EISDIR':
      return 'it is a folder'
    case 'EACCES':
    case 'EPERM':
      return 'this user may not read it'
    default:
      return code
  }
}

class TextProblem extends Error {}
