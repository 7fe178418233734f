import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as limits from '../../runtime/base/limits.ts'

const PROJECT = fileURLToPath(new URL('../../', import.meta.url))
const DOCUMENT = readFileSync(`${PROJECT}runtime/sync/README.md`, 'utf8')

test('every file that the protocol document names is there', () => {
  const named = [...DOCUMENT.matchAll(/`([a-z-]+\/)?([a-z-]+(?:\.test)?\.(?:ts|cddl))`/g)]
  assert.ok(named.length > 40)
  for (const [, folder = '', file = ''] of named) {
    const places = ['runtime/sync/', 'runtime/', 'test/sync/', 'test/', 'test/vectors/', 'test/simulation/'].map(
      (place) => place + folder + file,
    )
    assert.ok(
      places.some((place) => existsSync(PROJECT + place)),
      `${folder}${file}`,
    )
  }
})

test('every claim of the method from 1 to 18 stands in the table, with its files and its tests', () => {
  const rows = DOCUMENT.slice(DOCUMENT.indexOf('## The claims')).split('\n')
  const claims = new Set<number>()
  for (const row of rows) {
    const [, numbers, what, files, tests] = row.split('|').map((cell) => cell.trim())
    if (numbers === undefined || !/^\d/.test(numbers)) continue
    assert.ok(what && files?.includes('.ts`') && tests?.includes('.test.ts`'), row)
    for (const number of numbers.split(',')) claims.add(Number(number))
  }
  assert.deepEqual(
    [...claims].toSorted((left, right) => left - right),
    Array.from({ length: 18 }, (_, index) => index + 1),
  )
})

test('every kind of message stands in a sequence diagram', () => {
  const diagrams = [...DOCUMENT.matchAll(/^```\n(.*?)^```$/gms)].map(([, text = '']) => text).join('')
  const table = DOCUMENT.slice(DOCUMENT.indexOf('## Messages'), DOCUMENT.indexOf('## Signatures'))
  const kinds = [...table.matchAll(/^\| \d +\| ([a-z ]+?) +\|/gm)].map(([, kind = '']) => kind)
  assert.equal(kinds.length, 10)
  for (const kind of kinds) assert.match(diagrams, new RegExp(`\\|<?-+ ${kind}(e?s)?\\b.*-+>?`), kind)
})

test('every limit that the rooms sync and state know is named in the protocol document', () => {
  const files = ['state', 'sync'].flatMap((room) =>
    readdirSync(`${PROJECT}runtime/${room}`, { recursive: true, encoding: 'utf8' }).map((file) => `${room}/${file}`),
  )
  const imports = files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [
      ...readFileSync(`${PROJECT}runtime/${file}`, 'utf8').matchAll(/import \{([^}]*)\} from '[^']*base\/limits\.ts'/g),
    ])
  const known = new Set(imports.flatMap(([, names = '']) => names.match(/[A-Z][A-Z_]+/g) ?? []))
  assert.ok(known.size > 80)
  const document = new Set(DOCUMENT.match(/\b[A-Z]+(?:_[A-Z]+)+\b/g))
  assert.deepEqual(
    [...known].filter((name) => !document.has(name)),
    [],
  )
})

test('every limit that the protocol document names is there', () => {
  const named = [...DOCUMENT.matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g)].map(([name]) => name)
  assert.ok(named.length > 10)
  for (const name of named) assert.ok(name in limits, name)
})
