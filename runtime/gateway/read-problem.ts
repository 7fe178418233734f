/** Why a file could not be read, in words for people; the code of the system where it is a rare one. */
export function readProblem(cause: unknown): string {
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
