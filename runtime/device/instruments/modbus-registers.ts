import { unreachable } from '../../base/errors.ts'
import { registersOf } from '../profiles/attribute-checks.ts'
import type { ModbusBinding, RawType } from '../profiles/attributes.ts'

export type RegisterTable = ModbusBinding['primaryTable']

export interface RegisterOrder {
  /** The bytes of each register are swapped. */
  readonly isByteSwap: boolean
  /** The registers of one value are in the opposite order: the lowest first. */
  readonly isWordSwap: boolean
}

export function isBitTable(table: RegisterTable): boolean {
  return table === 'COILS' || table === 'DISCRETES_INPUT'
}

export function isFloatType(type: RawType): boolean {
  return type === 'Float32' || type === 'Float64'
}

/**
 * The number in `registers`, the highest first as Modbus has them unless the order says otherwise.
 * Source: MODBUS Application Protocol V1.1b3, section 4.2 (big-endian).
 */
export function decodeRegisters(registers: readonly number[], type: RawType, order: RegisterOrder): number | bigint {
  const view = new DataView(new ArrayBuffer(registers.length * 2))
  const ordered = order.isWordSwap ? registers.toReversed() : registers
  for (const [index, register] of ordered.entries()) view.setUint16(index * 2, register, order.isByteSwap)
  switch (type) {
    case 'Int16':
      return view.getInt16(0)
    case 'Uint16':
      return view.getUint16(0)
    case 'Int32':
      return view.getInt32(0)
    case 'Uint32':
      return view.getUint32(0)
    case 'Int64':
      return view.getBigInt64(0)
    case 'Uint64':
      return view.getBigUint64(0)
    case 'Float32':
      return shortest(view.getFloat32(0))
    case 'Float64':
      return view.getFloat64(0)
    default:
      return unreachable(type)
  }
}

/** The registers that hold `value`, or null if the type cannot. */
export function encodeRegisters(value: number | bigint, type: RawType, order: RegisterOrder): number[] | null {
  const count = registersOf(type)
  const view = new DataView(new ArrayBuffer(count * 2))
  if (isFloatType(type)) {
    if (count === 2) view.setFloat32(0, Number(value))
    else view.setFloat64(0, Number(value))
  } else {
    const bits = BigInt(count * 16)
    const isSigned = type.startsWith('Int')
    const whole = BigInt(value)
    const minimum = isSigned ? -(1n << (bits - 1n)) : 0n
    const maximum = isSigned ? (1n << (bits - 1n)) - 1n : (1n << bits) - 1n
    if (whole < minimum || whole > maximum) return null
    for (let index = 0; index < count; index++) {
      view.setUint16(index * 2, Number((whole >> BigInt((count - 1 - index) * 16)) & 0xffffn))
    }
  }
  const registers = Array.from({ length: count }, (_, index) => view.getUint16(index * 2, order.isByteSwap))
  return order.isWordSwap ? registers.toReversed() : registers
}

/** The shortest decimal number that is this one in 32 bits: 0.1, not 0.10000000149011612. */
function shortest(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return short
  }
  return value
}
