const single = new Float32Array(1)
const singleBits = new Uint32Array(single.buffer)

/** The 16 bits of a float (IEEE 754 binary16) that holds `float` exactly, or -1 if none does. `float` fits in 32 bits. */
export function halfOf(float: number): number {
  single[0] = float
  const bits = singleBits[0] as number
  const sign = (bits >>> 16) & 0x8000
  const exponent = ((bits >>> 23) & 0xff) - 127
  const mantissa = bits & 0x7f_ffff
  if (exponent >= -14 && exponent <= 15) {
    return (mantissa & 0x1fff) === 0 ? sign | ((exponent + 15) << 10) | (mantissa >>> 13) : -1
  }
  if (exponent < -24 || exponent > 15) return -1
  // Below 2^-14 a half has no leading one: the mantissa moves right, and must lose nothing by it.
  const shift = -1 - exponent
  const whole = mantissa | 0x80_0000
  return (whole & ((1 << shift) - 1)) === 0 ? sign | (whole >>> shift) : -1
}

/** Source: RFC 8949 appendix D. */
export function floatFromHalf(half: number): number {
  const exponent = (half >> 10) & 31
  const mantissa = half & 0x3ff
  const sign = half & 0x8000 ? -1 : 1
  if (exponent === 0) return sign * mantissa * 2 ** -24
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (mantissa + 1024) * 2 ** (exponent - 25)
}
