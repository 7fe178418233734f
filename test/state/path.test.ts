import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PATH_BYTES_MAX, PATH_SEGMENTS_MAX } from '../../runtime/base/limits.ts'
import { isPath, matchesPattern, pathProblem, patternProblem } from '../../runtime/state/path.ts'

test('segments joined by / are a path', () => {
  for (const path of ['x', 'line1/pump3/speed', 'Küche/温度/🌡', 'a b/c.d/e#f', 'a'.repeat(PATH_BYTES_MAX)])
    assert.equal(pathProblem(path), null, path)
})

test('anything else is none, with a reason', () => {
  const others: [unknown, RegExp][] = [
    [7, /text/],
    [undefined, /text/],
    ['', /empty/],
    ['/a', /empty segment/],
    ['a//b', /empty segment/],
    ['a/', /end/],
    ['/', /segment|end/],
    ['a/*', /\*/],
    ['a\u0000b', /control/],
    ['a\nb', /control/],
    ['a\ud800', /surrogates/],
    ['\udc00a', /surrogates/],
    ['a'.repeat(PATH_BYTES_MAX + 1), /bytes/],
    ['é'.repeat(PATH_BYTES_MAX / 2 + 1), /bytes/],
    [Array.from({ length: PATH_SEGMENTS_MAX + 1 }, () => 'a').join('/'), /segments/],
  ]
  for (const [path, reason] of others) assert.match(pathProblem(path) ?? 'no problem', reason)
  assert.ok(isPath(Array.from({ length: PATH_SEGMENTS_MAX }, () => 'a').join('/')))
})

test('a pattern names points: * one segment, ** at the end all that is below', () => {
  const cases: [string, string, boolean][] = [
    ['a/b', 'a/b', true],
    ['a/b', 'a/c', false],
    ['a/b', 'a', false],
    ['a', 'a/b', false],
    ['a/b', '*/b', true],
    ['a/b', 'a/*', true],
    ['a', 'a/*', false],
    ['a/b/c', 'a/*', false],
    ['a/b/c', 'a/**', true],
    ['a', 'a/**', true],
    ['ab', 'a/**', false],
    ['a/b', '**', true],
    ['a/b/c', '*/b/**', true],
  ]
  for (const [path, pattern, matches] of cases) {
    assert.equal(matchesPattern(path, pattern), matches, `${path} ${pattern}`)
    assert.equal(patternProblem(pattern), null)
  }
})

test('a pattern that no path can match says why', () => {
  for (const [pattern, reason] of [
    ['a/**/b', /^an asterisk stands for a whole segment, and two of them only for the last$/],
    ['a*', /whole segment/],
    ['***', /whole segment/],
    ['', /not empty/],
    ['a/', /\//],
    ['a//*', /empty segment/],
    ['a'.repeat(PATH_BYTES_MAX + 1), /bytes/],
  ] as const)
    assert.match(patternProblem(pattern) ?? 'no problem', reason)
})
