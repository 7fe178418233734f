import { existsSync, readFileSync } from 'node:fs'
import { inProject } from '../project.mjs'
import { DURABILITY } from './durability.mjs'
import { EXCHANGE } from './exchange.mjs'
import { EXECUTION } from './execution.mjs'
import { FLOOR } from './floor.mjs'
import { LIVES } from './lives.mjs'
import { MEMBERSHIP } from './membership.mjs'
import { RULES } from './rules.mjs'
import { TELEMETRY } from './telemetry.mjs'
import { TRUST } from './trust.mjs'

/**
 * One rule of the protocol, switched off: `from`, which stands once in `file`, becomes `to`. `noticedBy` is the smallest
 * file of tests that must fail then.
 * @typedef {{
 *   readonly name: string,
 *   readonly file: string,
 *   readonly from: string,
 *   readonly to: string,
 *   readonly noticedBy: string,
 * }} Mutation
 */

/** @type {readonly Mutation[]} */
export const MUTATIONS = [
  ...EXECUTION,
  ...DURABILITY,
  ...LIVES,
  ...MEMBERSHIP,
  ...FLOOR,
  ...EXCHANGE,
  ...RULES,
  ...TRUST,
  ...TELEMETRY,
]

/** Null if the mutation still applies, else one line that says why not. */
export function problemOf(/** @type {Mutation} */ { name, file, from, to, noticedBy }) {
  if (!existsSync(inProject(file))) return `${name}: there is no ${file}`
  if (!existsSync(inProject(noticedBy))) return `${name}: there is no ${noticedBy}`
  const count = readFileSync(inProject(file), 'utf8').split(from).length - 1
  if (count !== 1) return `${name}: the text to replace stands ${count} times in ${file}: ${from}`
  if (from === to) return `${name}: it changes nothing`
  return MUTATIONS.some((other) => other.name === name && other.from !== from) ? `${name}: is a name used twice` : null
}

export function mutated(/** @type {string} */ source, /** @type {Mutation} */ { from, to }) {
  return source.replace(from, () => to)
}
