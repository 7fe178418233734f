import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { checkReading, checkSet, checkValue } from '../../runtime/device/profiles/value-check.ts'
import { patternProblem, compilePattern } from '../../runtime/state/rules/pattern.ts'
import { parseValue } from '../../runtime/device/profiles/value-text.ts'
import { NUMBER_TYPES, numberRange } from '../../runtime/state/rules/value-type.ts'
import { resourceOf } from './profile-text.ts'

describe('a value', () => {
  const good: readonly (readonly [properties: string, value: unknown])[] = [
    ['valueType: Bool', true],
    ['valueType: Int8', -128],
    ['valueType: Uint8', 255],
    ['valueType: Uint8', 255n],
    ['valueType: Int64', -(2n ** 63n)],
    ['valueType: Uint64', 2n ** 64n - 1n],
    ['valueType: Int64', Number.MAX_SAFE_INTEGER],
    ['valueType: Float32', 0.1],
    ['valueType: Float64', -1e300],
    ['valueType: Float32, minimum: 5, maximum: 35', 5],
    ['valueType: Float32, minimum: 5, maximum: 35', 35],
    ['valueType: Int64, minimum: 9007199254740993', 9007199254740993n],
    ['valueType: String', ''],
    ['valueType: String, optional: { enum: [auto, manual] }', 'manual'],
    ['valueType: Uint16, optional: { enum: [10, 20] }', 20],
    ['valueType: Int64, optional: { enum: [10, 9007199254740993] }', 9007199254740993n],
    ['valueType: String, optional: { maxLength: 2 }', '🌱🌱'],
    ['valueType: String, optional: { pattern: "[a-z]+-[0-9]{2}" }', 'cell-07'],
    ['valueType: Binary, mediaType: application/cbor, optional: { maxLength: 2 }', new Uint8Array(2)],
    ['valueType: Object', { any: ['thing'] }],
    ['valueType: Int16Array, minimum: 0, optional: { maxLength: 3 }', [0, 1, 32_767]],
    ['valueType: Float64Array', []],
  ]
  for (const [properties, value] of good) {
    it(`is taken: ${show(value)} for { ${properties} }`, () => {
      assert.equal(checkValue(resourceOf(`readWrite: RW, ${properties}`), value), null)
    })
  }

  const bad: readonly (readonly [properties: string, value: unknown, reason: RegExp])[] = [
    ['valueType: Bool', 'true', /^must be true or false \(Bool\), but is "true"$/],
    ['valueType: Bool', 1, /Bool/],
    ['valueType: Int8', 128, /^must be from -128 to 127 \(Int8\), but is 128$/],
    ['valueType: Uint8', -1, /from 0 to 255/],
    ['valueType: Uint8', 256n, /from 0 to 255/],
    ['valueType: Int32', 3.5, /^must be a whole number \(Int32\), but is 3.5$/],
    ['valueType: Int32', '3', /but is "3"/],
    ['valueType: Int32', Number.NaN, /whole number/],
    ['valueType: Int64', 2 ** 53, /beyond 2\^53/],
    ['valueType: Int64', 2n ** 63n, /must be from/],
    ['valueType: Uint64', -1n, /must be from 0/],
    ['valueType: Float32', 1e39, /must be from/],
    ['valueType: Float64', Number.POSITIVE_INFINITY, /finite/],
    ['valueType: Float64', 1n, /bigint/],
    [
      'valueType: Float32, units: Cel, minimum: 5, maximum: 35',
      35.1,
      /^must be from 5 to 35 Cel \(Float32\), but is 35.1$/,
    ],
    ['valueType: String', null, /but is null/],
    ['valueType: String', '\ud800', /surrogate/],
    ['valueType: String, optional: { enum: [auto, manual] }', 'of', /^must be one of "auto", "manual", but is "of"$/],
    ['valueType: Uint16, optional: { enum: [10, 20] }', 15, /one of 10, 20/],
    ['valueType: String, optional: { maxLength: 2 }', 'abc', /at most 2 characters, but has 3/],
    ['valueType: String, optional: { pattern: "[a-z]+-[0-9]{2}" }', 'x cell-07', /must match the pattern/],
    ['valueType: String, optional: { pattern: "a|b" }', 'ab', /must match the pattern/],
    [
      'valueType: String, optional: { pattern: ".*" }',
      'x'.repeat(257),
      /at most 256 characters, since it has a pattern/,
    ],
    ['valueType: Binary, mediaType: a/b', 'bytes', /must be bytes/],
    ['valueType: Binary, mediaType: a/b, optional: { maxLength: 2 }', new Uint8Array(3), /at most 2 bytes/],
    ['valueType: Object', [], /must be an object/],
    ['valueType: Object', null, /must be an object/],
    ['valueType: Object', new Uint8Array(1), /must be an object/],
    ['valueType: Int16Array', [1, 2.5], /^element 1 must be a whole number/],
    ['valueType: Int16Array, maximum: 5', [6], /^element 0 must be from/],
    ['valueType: Int16Array, optional: { maxLength: 1 }', [1, 2], /at most 1 elements/],
    ['valueType: Uint8Array', new Uint8Array(2), /must be a list of numbers/],
    // oxlint-disable-next-line no-sparse-arrays -- a hole is what is looked at
    ['valueType: Uint8Array', [1, , 3], /^element 1 must be a whole number/],
  ]
  for (const [properties, value, reason] of bad) {
    it(`is refused: ${show(value)} for { ${properties} }`, () => {
      assert.match(checkValue(resourceOf(`readWrite: RW, ${properties}`), value) ?? 'it was taken', reason)
    })
  }

  it('is judged by access too: nobody sets what is read only, no device reports what is write only', () => {
    const readOnly = resourceOf('valueType: Uint8, readWrite: R')
    const writeOnly = resourceOf('valueType: Uint8, readWrite: W')
    assert.match(checkSet(readOnly, 1) ?? '', /can only be read/)
    assert.equal(checkReading(readOnly, 1), null)
    assert.match(checkReading(writeOnly, 1) ?? '', /can only be set/)
    assert.equal(checkSet(writeOnly, 1), null)
    assert.match(checkSet(writeOnly, 256) ?? '', /from 0 to 255/)
    assert.match(checkReading(readOnly, 256) ?? '', /from 0 to 255/)
  })

  it('of a number type is taken exactly within the range of the type', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...NUMBER_TYPES.filter((type) => numberRange(type).whole)),
        fc.bigInt(-(2n ** 65n), 2n ** 65n),
        (type, value) => {
          const { minimum, maximum } = numberRange(type)
          const verdict = checkValue(resourceOf(`readWrite: RW, valueType: ${type}`), value)
          assert.equal(verdict === null, value >= minimum && value <= maximum)
        },
      ),
    )
  })

  it('of any kind whatever is judged in one line and without an exception', () => {
    const resources = ['Bool', 'Int8', 'Uint64', 'Float32', 'String', 'Object', 'Int32Array'].map((type) =>
      resourceOf(`readWrite: RW, valueType: ${type}`),
    )
    fc.assert(
      fc.property(
        fc.constantFrom(...resources),
        fc.anything({ withBigInt: true, withTypedArray: true }),
        (one, value) => {
          const verdict = checkValue(one, value)
          if (verdict !== null) assert.doesNotMatch(verdict, /\n/)
        },
      ),
    )
  })
})

describe('a pattern', () => {
  const taken = [
    '[A-Za-z0-9_-]+',
    'auto|manual|off|service',
    '[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}',
    '([0-9a-f]{2}:){5}[0-9a-f]{2}',
    '(?:ab)*',
    '(?<line>[0-9]+)-\\w+',
    '\\(.*\\)',
    '[\\]+*]{2}',
    '[a-z]+@[a-z]+\\.com',
    'opc\\.tcp://[a-z0-9.]{1,64}:[0-9]{1,5}/[a-z]{0,64}',
    '\\\\p[\\\\p]',
    '[a-z]{256}',
    '',
  ]
  for (const pattern of taken) it(`is taken: ${pattern}`, () => assert.equal(patternProblem(pattern), null))

  const refused: readonly (readonly [string, RegExp])[] = [
    ['(a+)+', /repeats a group/],
    ['((a)|b)*', /repeats a group/],
    ['(a?){1,9}', /repeats a group/],
    ['(?:a|a)*?', /repeats a group/],
    ['.*.*.*', /too many parts/],
    ['a?'.repeat(30), /too many parts/],
    ['(a{0,9}){30}', /too many parts/],
    ['(?:a?){16}[a-z]{200}', /too much behind/],
    ['(?:a|a){16}b{8}', /too much behind/],
    ['[a-z]*[a-z]*[a-z]{85}', /too much behind/],
    ['(?:[a-z]{1000}){1000}', /too much behind/],
    ['\\p{L}+', /property of Unicode/],
    ['[^\\]\\P{L}]', /property of Unicode/],
    ['(?<x>a)|(?<x>b)', /alike|no regular expression/],
    ['(a)\\1', /refers back/],
    ['(?<x>a)\\k<x>', /refers back/],
    ['(?=a)b', /looks around/],
    ['(?<!a)b', /looks around/],
    ['[', /no regular expression/],
    ['a)|(?:b', /no regular expression/],
    ['a'.repeat(257), /at most 256/],
  ]
  for (const [pattern, reason] of refused) {
    it(`is refused: ${pattern.slice(0, 40)}`, () => assert.match(patternProblem(pattern) ?? 'it was taken', reason))
  }

  it('that is taken judges the longest text in a bounded time, also for a member who sends nothing else', () => {
    for (const pattern of ['a*a*b', 'a?'.repeat(16) + 'b', '(?:a|a){2}[a-z]*[a-f]{1,60}b', '(?:a?){16}a{7}']) {
      assert.equal(patternProblem(pattern), null)
      const startedAt = performance.now()
      for (let time = 0; time < 500; time++) assert.equal(compilePattern(pattern).test('a'.repeat(256)), false)
      // Half a second, and the slowest machine is no hundred times slower; one that tries all ways takes years.
      assert.ok(performance.now() - startedAt < 60_000, `${pattern} took a minute`)
    }
  })
})

describe('the text of a value', () => {
  it('is read by the type', () => {
    assert.equal(parseValue('Bool', 'true'), true)
    assert.equal(parseValue('Int64', '9007199254740993'), 9007199254740993n)
    assert.equal(parseValue('Uint8', '12'), 12)
    assert.equal(parseValue('Float32', '-1.5e3'), -1500)
    assert.equal(parseValue('String', ' as it is '), ' as it is ')
    assert.deepEqual(parseValue('Binary', 'AQI='), new Uint8Array([1, 2]))
    assert.deepEqual(parseValue('Object', '{"a":1}'), { a: 1 })
    assert.deepEqual(parseValue('Int8Array', '[1,2]'), [1, 2])
  })

  it('is none where the type has no such value', () => {
    for (const [type, text] of [
      ['Bool', 'yes'],
      ['Int8', '1.0'],
      ['Int8', ''],
      ['Float32', '0x10'],
      ['Float64', '1e999'],
      ['Binary', '*'],
      ['Object', '[]'],
      ['Object', 'null'],
      ['Int8Array', '{}'],
      ['Object', '{'],
    ] as const) {
      assert.equal(parseValue(type, text), undefined, `${type} ${text}`)
    }
  })
})

function show(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`
  const text = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value))
  return text.slice(0, 40)
}
