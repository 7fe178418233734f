import * as v from 'valibot'
import type { Remark } from '../device/profiles/document.ts'
import type { Enforcement } from '../gateway/fleet-profiles.ts'
import type { JsonDifference } from '../gateway/profile-json.ts'
import { type Form, recordOf } from './answer-form.ts'
import { table, valueText } from './output.ts'

export const enforcementSchema: Form<Enforcement> = v.union([
  recordOf<Extract<Enforcement, { kind: 'refused' }>>({ kind: v.literal('refused'), reason: v.string() }),
  recordOf<Extract<Enforcement, { kind: 'in-state' }>>({ kind: v.literal('in-state'), isSettled: v.boolean() }),
])

export const differenceSchema: Form<JsonDifference> = recordOf<JsonDifference>({ what: v.string() })

/** Places in a file, as compilers and editors have them. */
export function remarksText(file: string, remarks: readonly Remark[], kind: 'error' | 'warning'): string {
  return remarks.map(({ line, column, message }) => `${file}:${line}:${column}: ${kind}: ${message}`).join('\n')
}

/** One line for each difference: what is new, gone, or has another value. */
export function differencesText(differences: readonly JsonDifference[]): string {
  return table(differences.map((difference) => [markOf(difference), difference.what, changeText(difference)]))
}

export function enforcementText(fleet: Enforcement): string {
  if (fleet.kind === 'refused') return `only this gateway judges by it: ${fleet.reason}`
  return `all members judge by it${fleet.isSettled ? '' : '; not settled yet'}`
}

function markOf({ before, after }: JsonDifference): string {
  if (before === undefined) return '+'
  return after === undefined ? '-' : '~'
}

function changeText({ before, after }: JsonDifference): string {
  if (before !== undefined && after !== undefined) return `${valueText(before)} → ${valueText(after)}`
  const only = before ?? after
  // A whole point that is new or gone is told by its name; what it says stands in the file.
  return typeof only === 'object' && only !== null && 'properties' in only ? 'the whole point' : valueText(only)
}
