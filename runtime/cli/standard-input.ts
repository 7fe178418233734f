import { FleetstepError } from '../base/errors.ts'
import { CONTROL_LINE_BYTES_MAX } from '../base/limits.ts'

/** @throws FleetstepError `request-invalid` for more than a request can hold */
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
  return Buffer.concat(chunks).toString('utf8')
}
