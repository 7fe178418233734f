/** Major types of RFC 8949 section 3.1: the upper three bits of an item's first byte. Tags (6) are not used. */
export const MAJOR_UINT = 0
export const MAJOR_NEGATIVE = 1
export const MAJOR_BYTES = 2
export const MAJOR_TEXT = 3
export const MAJOR_LIST = 4
export const MAJOR_MAP = 5
export const MAJOR_SIMPLE = 7

/** Whole first bytes of the simple values and floats, section 3.3. */
export const FALSE = 0xf4
export const TRUE = 0xf5
export const NULL = 0xf6
export const FLOAT_16 = 0xf9
export const FLOAT_32 = 0xfa
export const FLOAT_64 = 0xfb
