/**
 * A value on the command line: JSON if it parses, else text. A whole number that JavaScript cannot hold exactly keeps its
 * digits in the form of the control protocol.
 */
export function parseValue(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    const isInexact = typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)
    return isInexact && /^-?[0-9]+$/.test(text.trim()) ? { $int: text.trim() } : value
  } catch {
    return text
  }
}
