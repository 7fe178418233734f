import { isRecord } from '../gateway/control-protocol.ts'

/** Whether an answer has what is read of it. It may have more: the gateway can be newer than this program, or older. */
export type Form<T> = (data: unknown) => data is T

export const isText: Form<string> = (data) => typeof data === 'string'
export const isNumber: Form<number> = (data) => typeof data === 'number'
export const isTruth: Form<boolean> = (data) => typeof data === 'boolean'

export function orNull<T>(form: Form<T>): Form<T | null> {
  return (data): data is T | null => data === null || form(data)
}

export function orAbsent<T>(form: Form<T>): Form<T | undefined> {
  return (data): data is T | undefined => data === undefined || form(data)
}

export function oneOf<T extends string>(words: readonly T[]): Form<T> {
  return (data): data is T => words.some((word) => word === data)
}

export function listOf<T>(form: Form<T>): Form<readonly T[]> {
  return (data): data is readonly T[] => Array.isArray(data) && data.every(form)
}

export function mapOf<T>(form: Form<T>): Form<Readonly<Record<string, T>>> {
  return (data): data is Readonly<Record<string, T>> => isRecord(data) && Object.values(data).every(form)
}

/** @param fields those that are read */
export function recordOf<T>(fields: { readonly [K in keyof T]?: (data: unknown) => boolean }): Form<T> {
  const checks = Object.entries<((data: unknown) => boolean) | undefined>(fields)
  return (data): data is T => isRecord(data) && checks.every(([key, form]) => form?.(data[key]) === true)
}
