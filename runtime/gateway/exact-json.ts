import { FleetstepError } from '../base/errors.ts'

/**
 * JSON in which each whole number that JavaScript cannot hold exactly keeps its digits, in the form of the control protocol.
 * @param code of the error for a number beyond all that can be held, which would become null on the way
 * @throws SyntaxError; FleetstepError
 */
export function parseExactJson(text: string, code: 'usage' | 'request-invalid'): unknown {
  // Only of JSON is it known what is a number in it.
  JSON.parse(text)
  return JSON.parse(text.replaceAll(STRING_OR_NUMBER, (word) => (word.startsWith('"') ? word : numberText(word, code))))
}

const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/g

function numberText(digits: string, code: 'usage' | 'request-invalid'): string {
  const number = Number(digits)
  if (!Number.isFinite(number)) throw new FleetstepError(code, `${digits.slice(0, 40)} is too large for a number`)
  return /^-?[0-9]+$/.test(digits) && !Number.isSafeInteger(number) ? `{"$int":"${digits}"}` : digits
}
