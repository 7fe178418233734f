import * as v from 'valibot'

/** Of an answer what is read of it. It may have more: the gateway can be newer than this program, or older. */
export type Form<T> = v.GenericSchema<unknown, T>

/** @param fields those that are read */
export function recordOf<T>(fields: { readonly [K in keyof T]?: v.GenericSchema }): Form<T> {
  return v.looseObject(fields as v.ObjectEntries) as v.GenericSchema as Form<T>
}

export function isOfForm<T>(form: Form<T>, answer: unknown): answer is T {
  return v.is(form, answer)
}
