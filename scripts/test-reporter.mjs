import { inspect } from 'node:util'

/**
 * Runs inside the process of the tests and hands what node's runner says to scripts/test.mjs, which prints it.
 * @param {AsyncIterable<{ type: string, data: Record<string, any> }>} source
 */
export default async function* reportToParent(source) {
  for await (const { type, data } of source) {
    const { name, nesting, file, line, skip, todo, message, details } = data
    const failure = type === 'test:fail' ? describe(details?.error) : undefined
    const kind = details?.type ?? 'test'
    process.send?.({
      type,
      name,
      nesting,
      file,
      line,
      skip,
      todo,
      message,
      kind,
      failure,
      durationMs: details?.duration_ms,
    })
    yield ''
  }
}

/** @param {{ failureType?: string, cause?: unknown, message?: string } | undefined} error */
function describe(error) {
  const cause = error?.cause ?? error
  const text = typeof cause === 'string' ? cause : inspect(cause, { depth: 6 })
  return { type: error?.failureType ?? 'unknown', text }
}
