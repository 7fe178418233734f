import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readPatch } from '../../runtime/cli/patch.ts'
import { parseValue } from '../../runtime/cli/value-argument.ts'

const BEYOND = { $int: '9007199254740993' }

test('a number on the command line keeps its digits wherever it stands, and text stays text', () => {
  for (const [text, value] of [
    ['5', 5],
    ['-1.5e3', -1500],
    ['9007199254740991', 9_007_199_254_740_991],
    [' 9007199254740993 ', BEYOND],
    ['-9007199254740993', { $int: '-9007199254740993' }],
    ['[1,9007199254740993]', [1, BEYOND]],
    ['{"9007199254740993":{"a":9007199254740993}}', { '9007199254740993': { a: BEYOND } }],
    ['"9007199254740993"', '9007199254740993'],
    ['["\\"9007199254740993","\\\\",9007199254740993]', ['"9007199254740993', '\\', BEYOND]],
    ['open', 'open'],
    ['9007199254740993 l', '9007199254740993 l'],
    ['1e400 l', '1e400 l'],
  ] as const)
    assert.deepEqual(parseValue(text), value)
  assert.deepEqual(readPatch('{"a":9007199254740993}', {}).set, { a: BEYOND })
})

test('a number that nothing can hold is refused, and does not become null', () => {
  for (const text of ['1e400', '[-1e400]', '{"a":1e400}'])
    assert.throws(() => parseValue(text), /^FleetstepError: -?1e400 is too large for a number$/)
  assert.throws(() => readPatch('{"a":1e400}', {}), /1e400 is too large for a number/)
})
