import { parseExactJson } from '../gateway/exact-json.ts'

/** A value on the command line: JSON if it parses, else text. @throws FleetstepError `usage` */
export function parseValue(text: string): unknown {
  try {
    return parseExactJson(text, 'usage')
  } catch (error) {
    if (error instanceof SyntaxError) return text
    throw error
  }
}
