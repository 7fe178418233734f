/**
 * The one error type that users may see. Its message is a single line that says what happened, where, and what to do.
 * A bug is not a FleetstepError: it is an AssertionError from `assert`, and the supervisor restarts the daemon.
 */
export class FleetstepError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'FleetstepError'
    this.code = code
  }

  get exitCode(): number {
    return EXIT_CODES[this.code]
  }
}

/** Stable codes; the number is the exit code of a command that ends with it. Documented in `fleetstep --help`. */
export const EXIT_CODES = {
  usage: 2,
  'config-invalid': 3,
  'profile-invalid': 3,
  'seed-invalid': 3,
  'fleet-invalid': 3,
  'key-invalid': 3,
  'data-directory-foreign': 4,
  'data-directory-damaged': 4,
  'data-directory-locked': 4,
  'data-directory-newer': 4,
  'data-directory-occupied': 4,
  'data-directory-unwritable': 4,
  'file-occupied': 4,
  'disk-full': 5,
  'storage-failed': 5,
  'port-in-use': 6,
  'broker-unreachable': 6,
  'serial-unusable': 6,
  'gpio-unusable': 6,
  'daemon-unreachable': 7,
  'daemon-running': 7,
  'request-invalid': 8,
  'operation-invalid': 8,
  'rules-invalid': 8,
  'operation-refused': 8,
  'path-unknown': 8,
  'limit-reached': 9,
  'message-invalid': 10,
  'export-invalid': 10,
  'identity-unavailable': 11,
  'not-converged': 12,
} as const

export type ErrorCode = keyof typeof EXIT_CODES

/** States an invariant. A failure is a bug, never bad input. */
export function assert(condition: unknown, invariant: string): asserts condition {
  if (!condition) throw new AssertionError(invariant)
}

/** Marks a switch as exhaustive: reaching it is a bug. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`)
}

/** A broken invariant of our own. */
export class AssertionError extends Error {
  constructor(invariant: string) {
    super(`invariant broken: ${invariant}`)
    this.name = 'AssertionError'
  }
}
