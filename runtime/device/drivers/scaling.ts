import type { ResourceProperties } from '../profiles/profile.ts'
import { numberRange, numberTypeOf } from '../../state/rules/value-type.ts'

/**
 * The value of a raw reading: mask, shift (left if positive), base to the power of it, scale, offset, in that order.
 * Whole types are rounded; what a multiplication adds behind the twelfth digit is noise.
 * Source: EdgeX device SDK, transformation of read results.
 */
export function valueOfRaw(properties: ResourceProperties, raw: number | bigint): number | bigint {
  const { base, scale, offset } = properties
  const bits = shifted(masked(raw, properties.mask), properties.shift ?? 0)
  if (base === undefined && scale === undefined && offset === undefined) return fitted(properties, bits)
  const powered = base === undefined || base === 0 ? Number(bits) : base ** Number(bits)
  return fitted(properties, powered * (scale ?? 1) + (offset ?? 0))
}

/** The raw value that stands for `value`: the way back of {@link valueOfRaw}, whole unless `isFloat`. */
export function rawOfValue(
  { base, scale, offset }: ResourceProperties,
  value: number | bigint,
  isFloat: boolean,
): number | bigint {
  if (base === undefined && scale === undefined && offset === undefined && typeof value === 'bigint') return value
  const linear = (Number(value) - (offset ?? 0)) / (scale ?? 1)
  const raw = base === undefined || base === 0 ? linear : Math.log(linear) / Math.log(base)
  return isFloat ? raw : Math.round(withoutNoise(raw))
}

function masked(raw: number | bigint, mask: number | bigint | undefined): number | bigint {
  return mask === undefined || !isWhole(raw) ? raw : BigInt(raw) & BigInt(mask)
}

function shifted(raw: number | bigint, shift: number): number | bigint {
  if (shift === 0 || !isWhole(raw)) return raw
  return shift > 0 ? BigInt(raw) << BigInt(shift) : BigInt(raw) >> BigInt(-shift)
}

function fitted({ valueType }: ResourceProperties, value: number | bigint): number | bigint {
  const type = numberTypeOf(valueType)
  const isWanted = type !== null && numberRange(type).whole
  if (typeof value === 'bigint') {
    const isSmall = value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER)
    return isSmall || !isWanted ? Number(value) : value
  }
  const clean = withoutNoise(value)
  return isWanted ? Math.round(clean) : clean
}

function withoutNoise(value: number): number {
  return Number.isFinite(value) && !Number.isInteger(value) ? Number(value.toPrecision(12)) : value
}

function isWhole(raw: number | bigint): boolean {
  return typeof raw === 'bigint' || Number.isInteger(raw)
}
