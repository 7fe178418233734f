/** Read only, write only, both. */
export const ACCESSES = ['R', 'W', 'RW'] as const
export type Access = (typeof ACCESSES)[number]

export const NUMBER_TYPES = [
  'Int8',
  'Int16',
  'Int32',
  'Int64',
  'Uint8',
  'Uint16',
  'Uint32',
  'Uint64',
  'Float32',
  'Float64',
] as const
export type NumberType = (typeof NUMBER_TYPES)[number]
export type ArrayType = `${NumberType}Array`
export type ValueType = 'Bool' | 'String' | 'Binary' | 'Object' | NumberType | ArrayType

export const VALUE_TYPES: readonly ValueType[] = [
  'Bool',
  ...NUMBER_TYPES,
  'String',
  'Binary',
  'Object',
  ...NUMBER_TYPES.map((type): ArrayType => `${type}Array`),
]

export function isReadable(access: Access): boolean {
  return access !== 'W'
}

export function isWritable(access: Access): boolean {
  return access !== 'R'
}

/** Inclusive; `whole` types hold no fractions. */
export interface NumberRange {
  readonly whole: boolean
  readonly minimum: number | bigint
  readonly maximum: number | bigint
}

export function numberRange(type: NumberType): NumberRange {
  return RANGES[type]
}

export function isNumberType(type: ValueType): type is NumberType {
  return type in RANGES
}

/** The type of an array's elements, or null if `type` is no array. */
export function elementType(type: ValueType): NumberType | null {
  return NUMBER_TYPES.find((one): boolean => arrayOf(one) === type) ?? null
}

/** The number type that a range, a scale and a threshold of `type` speak of: its own or its elements'. */
export function numberTypeOf(type: ValueType): NumberType | null {
  return isNumberType(type) ? type : elementType(type)
}

/** Largest finite number of 32 bits (IEEE 754 binary32). */
const FLOAT32_MAX = 3.4028234663852886e38

const RANGES: Readonly<Record<NumberType, NumberRange>> = {
  Int8: { whole: true, minimum: -128, maximum: 127 },
  Int16: { whole: true, minimum: -32_768, maximum: 32_767 },
  Int32: { whole: true, minimum: -2_147_483_648, maximum: 2_147_483_647 },
  Int64: { whole: true, minimum: -(2n ** 63n), maximum: 2n ** 63n - 1n },
  Uint8: { whole: true, minimum: 0, maximum: 255 },
  Uint16: { whole: true, minimum: 0, maximum: 65_535 },
  Uint32: { whole: true, minimum: 0, maximum: 4_294_967_295 },
  Uint64: { whole: true, minimum: 0, maximum: 2n ** 64n - 1n },
  Float32: { whole: false, minimum: -FLOAT32_MAX, maximum: FLOAT32_MAX },
  Float64: { whole: false, minimum: -Number.MAX_VALUE, maximum: Number.MAX_VALUE },
}

function arrayOf(type: NumberType): ArrayType {
  return `${type}Array`
}
