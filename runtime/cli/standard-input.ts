import { FleetstepError } from '../base/errors.ts'
import { CONTROL_LINE_BYTES_MAX } from '../base/limits.ts'
import { decodeText, readProblem } from '../gateway/read-text.ts'

/** @throws FleetstepError `request-invalid` for more than a request can hold, `usage` for what is not UTF-8 */
export async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > CONTROL_LINE_BYTES_MAX) {
      throw new FleetstepError(
        'request-invalid',
        `standard input holds more than ${CONTROL_LINE_BYTES_MAX} bytes: make several smaller patches`,
      )
    }
    chunks.push(chunk)
  }
  try {
    return decodeText(Buffer.concat(chunks))
  } catch (cause) {
    throw new FleetstepError('usage', `standard input cannot be read: ${readProblem(cause)}`, { cause })
  }
}
