import assert from 'node:assert/strict'
import { test } from 'node:test'
import { valueText } from '../../runtime/cli/output.ts'
import { parseValue } from '../../runtime/cli/value-argument.ts'

test('no value of another gateway steers the terminal, and each is written as state set reads it', () => {
  for (const value of [
    '\u001b[2Jred',
    'a\u009b31m',
    'bell\u0007',
    'rub\u007fout',
    'pump\u202enepo',
    'a\u2028b',
    ['\u001b]0;x', { '\u009b': 1 }],
  ]) {
    const text = valueText(value)
    assert.doesNotMatch(text, /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u)
    assert.deepEqual(parseValue(text), value)
  }
  for (const [value, text] of [
    ['open', 'open'],
    ['küche 1', 'küche 1'],
    ['a\nb', '"a\\nb"'],
    ['', '""'],
    ['5', '"5"'],
  ] as const)
    assert.equal(valueText(value), text)
})
