import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
// fast-check: random rules and values that shrink to the smallest one that fails.
import * as fc from 'fast-check'
import { encodeCbor } from '../../runtime/base/cbor.ts'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { RULES_BYTES_MAX, RULES_PATTERNS_MAX, RULES_POINTS_MAX } from '../../runtime/base/limits.ts'
import type { NodeId } from '../../runtime/base/ids.ts'
import type { Write } from '../../runtime/state/operation.ts'
import { objectionTo, objectionToResult } from '../../runtime/state/rules/judge.ts'
import { areRules, decodeRules, encodeRules, rulesDigest } from '../../runtime/state/rules/rules-codec.ts'
import { type DeviceRules, type PointRule, RuleTable, sameRuling } from '../../runtime/state/rules/rules.ts'
import type { Value } from '../../runtime/state/value.ts'
import { set, write } from './operations.ts'
import { NODE_A, NODE_B, NODE_C, point, rulesOf } from './rules.ts'

const PUMP = new RuleTable(
  rulesOf(
    point('speed', 'Uint8', { minimum: 10, maximum: 100 }),
    point('mode', 'String', { enum: ['auto', 'hand'] }),
    point('name', 'String', { pattern: '[a-z]{1,8}', maxLength: 8 }),
    point('running', 'Bool'),
    point('starts', 'Uint32', { merge: 'counter', maximum: 5 }),
    point('log', 'Int16Array', { merge: 'append', maxLength: 2 }),
    point('level', 'Float32', { access: 'R' }),
    point('alarm', 'Bool', { owner: 'reported' }),
    point('target', 'Int32', { owner: NODE_C }),
    point('probe', 'Int32', { access: 'R', owner: NODE_C }),
    point('channel/*/gain', 'Int8'),
    point('channel/2/gain', 'Bool'),
    point('note/**', 'Any'),
  ),
)

/** @returns the code of the objection, or `fine` */
function judged(change: Write, node: NodeId = NODE_B): string {
  return objectionTo(change, node, PUMP)?.code ?? 'fine'
}

describe('what the rules of a device let through', () => {
  const cases: readonly (readonly [path: string, value: Value, verdict: string])[] = [
    ['speed', 10, 'fine'],
    ['speed', 100, 'fine'],
    ['speed', 9, 'range'],
    ['speed', 101, 'range'],
    ['speed', 10.5, 'type'],
    ['speed', 'fast', 'type'],
    ['mode', 'auto', 'fine'],
    ['mode', 'off', 'enum'],
    ['name', 'pump', 'fine'],
    ['name', 'Pump', 'pattern'],
    ['name', 'muchtoolong', 'length'],
    ['running', true, 'fine'],
    ['running', null, 'type'],
    ['log', [1, 2], 'fine'],
    ['log', [1, 2, 3], 'length'],
    ['log', [40_000], 'range'],
    ['channel/1/gain', 5, 'fine'],
    ['channel/1/gain', true, 'type'],
    ['channel/2/gain', true, 'fine'],
    ['note/a/b', { any: ['thing'] }, 'fine'],
    ['note', 1, 'fine'],
    ['other', 1, 'unknown-point'],
    ['channel/1', 1, 'unknown-point'],
    ['speed/now', 50, 'unknown-point'],
  ]
  for (const [path, value, verdict] of cases) {
    test(`${path} = ${JSON.stringify(value)}: ${verdict}`, () => {
      assert.equal(judged(set(`pump/${path}`, value)), verdict)
    })
  }

  test('what was there before the rules may be taken away, and nothing else be done with it', () => {
    const verdicts = (['delete', 'toggle', 'add', 'append'] as const).map((kind) =>
      judged(write('pump/other', kind, kind === 'add' ? 1 : null)),
    )
    assert.deepEqual(verdicts, ['fine', 'unknown-point', 'unknown-point', 'unknown-point'])
  })

  test('a point that is named like the device is not in its rules', () => {
    assert.equal(judged(set('pump', 1)), 'unknown-point')
  })

  test('what is read only or reported is written by the node that has the device, or by the one that is named', () => {
    assert.deepEqual(
      [NODE_A, NODE_B, NODE_C].map((node) => judged(set('pump/level', 1), node)),
      ['fine', 'read-only', 'read-only'],
    )
    assert.deepEqual(
      [NODE_A, NODE_B].map((node) => judged(set('pump/alarm', true), node)),
      ['fine', 'not-owner'],
    )
    assert.deepEqual(
      [NODE_A, NODE_C].map((node) => judged(set('pump/target', 1), node)),
      ['not-owner', 'fine'],
    )
    assert.deepEqual(
      [NODE_A, NODE_C].map((node) => judged(set('pump/probe', 1), node)),
      ['read-only', 'fine'],
    )
    assert.equal(judged(write('pump/alarm', 'delete')), 'not-owner', 'nor deleted by another')
  })

  test('a kind of write fits the type of its point, and how the profile says that it merges', () => {
    const kinds = ['delete', 'toggle', 'add', 'append'] as const
    const verdicts = (path: string): string[] =>
      kinds.map((kind) => judged(write(path, kind, kind === 'add' || kind === 'append' ? 1 : null)))
    assert.deepEqual(verdicts('pump/running'), ['fine', 'fine', 'type', 'type'])
    assert.deepEqual(verdicts('pump/speed'), ['fine', 'type', 'fine', 'type'])
    assert.deepEqual(verdicts('pump/starts'), ['fine', 'type', 'fine', 'type'])
    assert.deepEqual(verdicts('pump/log'), ['fine', 'type', 'type', 'fine'])
    assert.deepEqual(verdicts('pump/note/x'), ['fine', 'fine', 'fine', 'fine'])
    const strict = new RuleTable(rulesOf(point('a', 'Int8', { merge: 'set' }), point('b', 'Any', { merge: 'counter' })))
    assert.equal(objectionTo(write('pump/a', 'add', 1), NODE_A, strict)?.code, 'merge')
    assert.equal(objectionTo(write('pump/b', 'toggle'), NODE_A, strict)?.code, 'merge')
    assert.equal(objectionTo(write('pump/b', 'add', 1), NODE_A, strict), null)
  })

  test('an element that is appended fits, and so does what add and append make of what they meet', () => {
    assert.equal(judged(write('pump/log', 'append', 'x')), 'type')
    assert.equal(objectionToResult(write('pump/starts', 'add', 1), 5, PUMP), null)
    assert.equal(objectionToResult(write('pump/starts', 'add', 1), 6, PUMP)?.code, 'range')
    assert.equal(objectionToResult(write('pump/log', 'append', 1), [1, 2, 3], PUMP)?.code, 'length')
  })
})

describe('rules that can judge', () => {
  const bad: readonly (readonly [string, DeviceRules])[] = [
    ['two rules', rulesOf(point('a', 'Bool'), point('a', 'Int8'))],
    ['minimum is above', rulesOf(point('a', 'Int8', { minimum: 2, maximum: 1 }))],
    ['only numbers have a range', rulesOf(point('a', 'Bool', { minimum: 2 }))],
    ['finite number', rulesOf(point('a', 'Float64', { minimum: Number.NaN }))],
    ['only text has a pattern', rulesOf(point('a', 'Int8', { pattern: 'x' }))],
    ['can take for ever', rulesOf(point('a', 'String', { pattern: '(a+)+' }))],
    ['enumeration has 1 to', rulesOf(point('a', 'String', { enum: [] }))],
    ['owner is not a node id', rulesOf(point('a', 'Bool', { owner: 'me' as NodeId }))],
    ['type is not known', rulesOf(point('a', 'Int7' as PointRule['valueType']))],
    ['empty segment', rulesOf(point('a//b', 'Bool'))],
    ['no \\*', rulesOf(point('a/**/b', 'Bool'))],
    ['length is not', rulesOf(point('a', 'String', { maxLength: -1 }))],
    ['nobody could write it', { ...rulesOf(point('a', 'Bool', { access: 'R' })), node: null }],
    ['nobody could write it', { ...rulesOf(point('a', 'Bool', { owner: 'reported' })), node: null }],
    ['at most 32 patterns', rulesOf(...many(RULES_PATTERNS_MAX + 1, (index) => `p${index}/*`))],
    ['at most 1024 points', rulesOf(...many(RULES_POINTS_MAX + 1, (index) => `p${index}`))],
    ['split the device', rulesOf(...many(RULES_POINTS_MAX, (index) => `${'long'.repeat(12)}${index}`))],
  ]
  for (const [problem, rules] of bad) {
    test(`are not: ${problem}`, () => {
      assert.throws(
        () => encodeRules(rules),
        (error) => {
          assert(error instanceof FleetstepError)
          assert.equal(error.code, 'rules-invalid')
          assert.match(error.message, new RegExp(problem))
          return true
        },
      )
    })
  }

  test('of 512 points with long names and all that a rule may say fit one operation', () => {
    const points = many(512, (index) => `resource-with-a-name-${index}`).map((one) => ({
      ...one,
      valueType: 'Float32' as const,
      owner: NODE_A,
      minimum: -273.15,
      maximum: 1000.5,
    }))
    assert(encodeRules(rulesOf(...points)).length < RULES_BYTES_MAX)
  })
})

const POINTS = fc.record(
  {
    path: fc.constantFrom('a', 'b', 'c/d', 'c/*', '**'),
    valueType: fc.constantFrom('Int64', 'Float32', 'Uint8Array'),
    access: fc.constantFrom('R', 'W', 'RW'),
    owner: fc.constantFrom('reported', NODE_B),
    merge: fc.constantFrom('set', 'counter', 'append'),
    minimum: fc.constantFrom(-5, 0.25, -(2n ** 60n)),
    maximum: fc.constantFrom(7, 2n ** 60n),
    maxLength: fc.nat({ max: 16_384 }),
    enum: fc.array(fc.oneof(fc.string({ unit: 'grapheme', maxLength: 5 }), fc.integer()), {
      minLength: 1,
      maxLength: 3,
    }),
  },
  { requiredKeys: ['path', 'valueType', 'access'], noNullPrototype: true },
) as fc.Arbitrary<PointRule>
const RULES = fc.uniqueArray(POINTS, { selector: ({ path }) => path, maxLength: 5 }).map((points) => rulesOf(...points))

describe('rules as the state holds them', () => {
  test('are read as they were written, and equal rules have equal bytes in whatever order they were', () => {
    fc.assert(
      fc.property(RULES, (rules) => {
        const bytes = encodeRules(rules)
        const sorted = [...rules.points].sort((left, right) => (left.path < right.path ? -1 : 1))
        assert.deepEqual(decodeRules(bytes), { ...rules, points: sorted })
        const turned = encodeRules({ ...rules, points: rules.points.toReversed() })
        assert.equal(rulesDigest(turned), rulesDigest(bytes))
      }),
      { seed: 1, numRuns: 300 },
    )
  })

  test('have one form: any other bytes are no rules, and none are too hard to read', () => {
    fc.assert(
      fc.property(RULES, fc.nat(), fc.integer({ min: 1, max: 255 }), (rules, at, flip) => {
        const bytes = encodeRules(rules)
        const altered = new Uint8Array(bytes)
        altered[at % bytes.length] = (altered[at % bytes.length] ?? 0) ^ flip
        if (areRules(altered)) assert.deepEqual(encodeRules(decodeRules(altered)), altered)
      }),
      { seed: 2, numRuns: 400 },
    )
    assert(!areRules(new Uint8Array()))
    assert(!areRules(encodeCbor([1, null, 'x', new Uint8Array(8), [['a', 13, 2, null, null, null, null, null, 5]]])))
    assert(!areRules(encodeCbor([1, null, 'x', new Uint8Array(8), [['a', 1, 2, null]]])), 'a field too many')
    assert(!areRules(encodeCbor([1, 7, 'x', new Uint8Array(8), []])), 'another thing for the node')
    assert(
      !areRules(
        encodeCbor([
          1,
          null,
          'x',
          new Uint8Array(8),
          [
            ['b', 1, 2],
            ['a', 1, 2],
          ],
        ]),
      ),
      'not sorted',
    )
    assert(
      areRules(
        encodeCbor([
          1,
          null,
          'x',
          new Uint8Array(8),
          [
            ['a', 1, 2],
            ['b', 1, 2],
          ],
        ]),
      ),
    )
  })
})

test('whether two versions rule alike over a point is what every writer would see', () => {
  const values: Write[] = [0, 7, 8, 2n ** 60n, 0.5, [1], [1, 2, 3], true, 'x'].map((value) => set('pump/a', value))
  const writes = [...values, write('pump/a', 'add', 1), write('pump/a', 'append', 1), write('pump/a', 'toggle')]
  fc.assert(
    fc.property(RULES, RULES, (left, right) => {
      const tables = [new RuleTable(left), new RuleTable(right)] as const
      if (!sameRuling(...tables, 'a')) return
      for (const change of writes)
        for (const node of [NODE_A, NODE_B, NODE_C])
          assert.equal(objectionTo(change, node, tables[0])?.code, objectionTo(change, node, tables[1])?.code)
    }),
    { seed: 3, numRuns: 500 },
  )
  const [one, other] = [5, 6].map(
    (maximum) => new RuleTable(rulesOf(point('a', 'Int8', { maximum }), point('b', 'Int8'))),
  )
  assert(!sameRuling(one!, other!, 'a'))
  assert(sameRuling(one!, other!, 'b'))
  assert(!sameRuling(one!, null, 'b'))
})

function many(count: number, pathOf: (index: number) => string): PointRule[] {
  return Array.from({ length: count }, (_, index) => point(pathOf(index), 'Bool'))
}
