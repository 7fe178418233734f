import { isNumberType, numberRange, numberTypeOf, type ValueType } from '../../state/rules/value-type.ts'

/**
 * The value that `text` stands for, as in `defaultValue`, `assertion` and on a command line: `true`, `-12`, `0.5`,
 * text as it is, a binary in Base64 (RFC 4648), objects and arrays in JSON.
 * @returns undefined if `text` is no value of that type; its range is not looked at
 */
export function parseValue(type: ValueType, text: string): unknown {
  if (isNumberType(type)) return numberRange(type).whole ? parseInteger(text) : parseFloatText(text)
  switch (type) {
    case 'Bool':
      return text === 'true' ? true : text === 'false' ? false : undefined
    case 'String':
      return text
    case 'Binary':
      return parseBase64(text)
    default:
      return parseJson(text, numberTypeOf(type) !== null)
  }
}

function parseInteger(text: string): number | bigint | undefined {
  if (!/^-?[0-9]{1,20}$/.test(text)) return undefined
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : BigInt(text)
}

function parseFloatText(text: string): number | undefined {
  if (!/^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$/.test(text)) return undefined
  const number = Number(text)
  return Number.isFinite(number) ? number : undefined
}

function parseBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? new Uint8Array(bytes) : undefined
}

function parseJson(text: string, isArray: boolean): unknown {
  try {
    const value: unknown = JSON.parse(text)
    const isWanted = isArray
      ? Array.isArray(value)
      : typeof value === 'object' && value !== null && !Array.isArray(value)
    return isWanted ? value : undefined
  } catch {
    return undefined
  }
}
