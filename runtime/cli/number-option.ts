import { FleetstepError } from '../base/errors.ts'

/** @throws FleetstepError `usage` */
export function wholeNumber(
  option: string,
  text: string | undefined,
  { from, to, otherwise }: { readonly from: number; readonly to: number; readonly otherwise: number },
): number {
  if (text === undefined) return otherwise
  const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (number >= from && number <= to) return number
  throw new FleetstepError('usage', `${option} ${text} is no whole number from ${from} to ${to}`)
}
