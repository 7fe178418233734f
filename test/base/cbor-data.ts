import fc from 'fast-check'
import type { CborData } from '../../runtime/base/cbor.ts'

/** Names that objects have anyway, and that a careless codec confuses with its own. */
const key = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.constantFrom('constructor', 'toJSON', 'length', 'toString', 'hasOwnProperty', 'then', '0', '10', ''),
  fc.string({ unit: fc.constantFrom('\uFEFF', 'a'), minLength: 64, maxLength: 70 }),
)

/** Everything that is exchanged: finite numbers, whole ones in their one form, byte strings, nesting. */
export const cborData: fc.Arbitrary<CborData> = fc.letrec<{ data: CborData }>((tie) => ({
  data: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (number === 0 ? 0 : number)),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
    fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.string({ unit: fc.constantFrom('\uFEFF', 'a', 'é'), maxLength: 100 }),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('data'), { maxLength: 6 }),
    fc.dictionary(key, tie('data'), { maxKeys: 6, noNullPrototype: true }),
  ),
})).data

/** The decoders differ in what is a bigint; what they say must not differ. */
export function comparable(value: unknown): unknown {
  return mapped(value, (leaf) => {
    if (typeof leaf === 'bigint') return `whole ${leaf}`
    return typeof leaf === 'number' && Number.isInteger(leaf) ? `whole ${BigInt(leaf)}` : leaf
  })
}

/** A copy with each leaf changed, and byte strings of one class. */
export function mapped(value: unknown, change: (leaf: unknown) => unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: [...value] }
  if (Array.isArray(value)) return value.map((child) => mapped(child, change))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, mapped(child, change)]))
  }
  return change(value)
}
