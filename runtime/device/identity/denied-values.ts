/**
 * Why `value` tells no machine from another, or null if it may. Values are in lower case.
 * A fleet in which two nodes take such a value would have two members that speak as one.
 */
export function denialReason(value: string): string | null {
  const known = DENIED.get(value)
  if (known !== undefined) return `"${value}" is ${known}`
  const digits = value.replace(/[^0-9a-z]/g, '')
  if (digits.length < SHORTEST_VALUE_LENGTH) return `"${value}" is too short to tell machines apart`
  if (/^(.)\1*$/.test(digits)) return `"${value}" repeats one digit: the field was never programmed`
  if (COUNTING.some((row) => row.startsWith(digits))) return `"${value}" counts up: the field was never programmed`
  return null
}

/** Serial numbers of less digits are numbers of a small series. */
const SHORTEST_VALUE_LENGTH = 4

const COUNTING: readonly string[] = [
  '0123456789abcdef',
  '123456789abcdef0',
  '01234567890123456789',
  '12345678901234567890',
]

const PLACEHOLDER = 'a placeholder of the firmware'

/** Constants that are seen on many machines. */
const DENIED: ReadonlyMap<string, string> = new Map([
  ['c3d9b8674f4b94f6', 'carried by a whole family of Rockchip boards'],
  ['03000200-0400-0500-0006-000700080009', 'carried by many mainboards whose maker never set it'],
  ['12345678-1234-5678-90ab-cddeefaabbcc', 'carried by many mainboards whose maker never set it'],
  ['00020003-0004-0005-0006-000700080009', 'carried by many mainboards whose maker never set it'],
  ['00:11:22:33:44:55', 'an example address'],
  ['00:90:4c:11:22:33', 'the address of Broadcom chips without their own'],
  ['00:0a:35:00:01:22', 'the address of Xilinx boards without their own'],
  ['uninitialized', 'what systemd writes before the first boot'],
  ['to be filled by o.e.m.', PLACEHOLDER],
  ['default string', PLACEHOLDER],
  ['system serial number', PLACEHOLDER],
  ['not specified', PLACEHOLDER],
  ['not applicable', PLACEHOLDER],
  ['not settable', PLACEHOLDER],
  ['not present', PLACEHOLDER],
  ['not available', PLACEHOLDER],
  ['none', PLACEHOLDER],
  ['n/a', PLACEHOLDER],
  ['null', PLACEHOLDER],
  ['unknown', PLACEHOLDER],
  ['invalid', PLACEHOLDER],
  ['empty', PLACEHOLDER],
  ['oem', PLACEHOLDER],
])
