import { FleetstepError } from '../base/errors.ts'

/** A value on the command line: JSON if it parses, else text. @throws FleetstepError `usage` */
export function parseValue(text: string): unknown {
  try {
    return parseJson(text)
  } catch (error) {
    if (error instanceof SyntaxError) return text
    throw error
  }
}

/**
 * JSON in which each whole number that JavaScript cannot hold exactly keeps its digits, in the form of the control protocol.
 * @throws SyntaxError; FleetstepError `usage` for a number beyond all that can be held, which would become null on the way
 */
export function parseJson(text: string): unknown {
  // Only of JSON is it known what is a number in it.
  JSON.parse(text)
  return JSON.parse(text.replaceAll(STRING_OR_NUMBER, (word) => (word.startsWith('"') ? word : numberText(word))))
}

const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/g

function numberText(digits: string): string {
  const number = Number(digits)
  if (!Number.isFinite(number)) throw new FleetstepError('usage', `${digits} is too large for a number`)
  return /^-?[0-9]+$/.test(digits) && !Number.isSafeInteger(number) ? `{"$int":"${digits}"}` : digits
}
