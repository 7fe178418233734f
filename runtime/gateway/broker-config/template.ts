import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert } from '../../base/errors.ts'
import { shippedFolder } from '../shipped-files.ts'

/** A file of `scripts/broker` with its `{{places}}` filled; an empty value takes its whole line away. */
export function fillTemplate(name: string, values: Readonly<Record<string, string>>): string {
  const template = readFileSync(join(shippedFolder('scripts/broker'), name), 'utf8')
  const used = new Set<string>()
  const filled = template.replaceAll(/\{\{([a-zA-Z]+)\}\}(\n?)/g, (_place, key: string, lineEnd: string) => {
    const value = values[key]
    assert(value !== undefined, `the template ${name} is given ${key}`)
    used.add(key)
    return value === '' ? '' : value + lineEnd
  })
  assert(
    Object.keys(values).every((key) => used.has(key)),
    `the template ${name} has a place for each value`,
  )
  return filled
}
