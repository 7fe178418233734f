import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memberIdOf } from '../../runtime/base/ids.ts'
import { type Cell, EMPTY_CELL } from '../../runtime/state/cell.ts'
import { execute, type Execution, type Law } from '../../runtime/state/executor.ts'
import { type Join, type Operation, pathsMet, pathsOf, type Write } from '../../runtime/state/operation.ts'
import { priorityOf } from '../../runtime/state/priority.ts'
import { memberPoint, rulesPoint } from '../../runtime/state/reserved-point.ts'
import { type Charter, maySetRules, type Role, ROLES } from '../../runtime/state/role.ts'
import { encodeRules } from '../../runtime/state/rules/rules-codec.ts'
import { RuleTable } from '../../runtime/state/rules/rules.ts'
import type { Value } from '../../runtime/state/value.ts'
import { idOf, operation, set, write, written } from './operations.ts'
import { NODE_A, NODE_B, point, rulesOf } from './rules.ts'

const OPEN: Charter = { hasKeys: false, founders: new Map() }
const KEYED: Charter = { hasKeys: true, founders: new Map() }
const RULES: Value = encodeRules(rulesOf(point('speed', 'Uint8', { maximum: 100 })))
const NEWCOMER = memberIdOf(NODE_B, 7)

/** @returns the outcome, with its code if there is one */
function verdict({ outcome, code }: Execution): string {
  return code === null ? outcome : `${outcome}: ${code}`
}

/** An operation of a member whose join gave it a role. */
function ofRole(role: Role, writes: readonly Write[], charter: Charter, join: Join | null = null): Execution {
  const paths = pathsMet(pathsOf(writes, []), NEWCOMER, join, null)
  const given: Operation = {
    ...operation({ writes }),
    id: { member: NEWCOMER, seq: 1 },
    priority: priorityOf(NEWCOMER, 2),
    join,
    paths,
  }
  const standing = ROLES.indexOf(role)
  const value = standing === 0 ? [2, new Uint8Array()] : [2, new Uint8Array(), null, standing]
  const cells = paths.map((path): Cell => (path === memberPoint(NEWCOMER) ? { value, writer: null } : EMPTY_CELL))
  return execute(given, cells, { charter, rules: null })
}

describe('roles', () => {
  const setting = [set(rulesPoint('pump'), RULES)]
  const cases: readonly (readonly [Role, Charter, write: string, rules: string])[] = [
    ['observer', OPEN, 'void: observer', 'void: observer'],
    ['observer', KEYED, 'void: observer', 'void: observer'],
    ['gateway', OPEN, 'applied', 'applied'],
    ['gateway', KEYED, 'applied', 'void: not-operator'],
    ['operator', OPEN, 'applied', 'applied'],
    ['operator', KEYED, 'applied', 'applied'],
  ]
  for (const [role, charter, changes, rules] of cases) {
    test(`${role} in a fleet ${charter.hasKeys ? 'with' : 'without'} keys: a write is ${changes}, rules are ${rules}`, () => {
      assert.equal(verdict(ofRole(role, [set('pump/speed', 1)], charter)), changes)
      assert.equal(verdict(ofRole(role, setting, charter)), rules)
    })
  }

  test('an observer admits nobody, and takes rules away from no device', () => {
    const join = { member: memberIdOf(NODE_A, 3), tier: 1, key: new Uint8Array() }
    const admitting = ofRole('observer', [], OPEN, join)
    assert.equal(verdict(admitting), 'void: observer')
    assert.deepEqual(
      admitting.after.map(({ value }) => value?.constructor),
      [Array, undefined],
      'nobody is a member by it',
    )
    assert.equal(verdict(ofRole('observer', [write(rulesPoint('pump'), 'delete')], OPEN)), 'void: observer')
    assert.equal(verdict(ofRole('gateway', [write(rulesPoint('pump'), 'delete')], KEYED)), 'void: not-operator')
  })

  test('a founder sets rules in a fleet with keys too, unless the genesis calls it an observer', () => {
    const setsRules = operation({ by: 'A', writes: setting })
    assert.equal(verdict(execute(setsRules, [EMPTY_CELL], { charter: KEYED, rules: null })), 'applied')
    const charter: Charter = { hasKeys: true, founders: new Map([[idOf('A', 1).member, 'observer']]) }
    assert.equal(verdict(execute(setsRules, [EMPTY_CELL], { charter, rules: null })), 'void: observer')
    assert.equal(verdict(execute(operation({ by: 'A' }), [EMPTY_CELL], { charter, rules: null })), 'void: observer')
    assert.equal(verdict(execute(operation({ by: 'B' }), [EMPTY_CELL], { charter, rules: null })), 'applied')
    assert(!maySetRules('observer', true, KEYED))
  })

  test('a join gives the role that it names, and a gateway is what it does not say', () => {
    const join = (role?: 'observer' | 'operator', token?: string): Join => ({
      member: NEWCOMER,
      tier: 2,
      key: new Uint8Array(),
      ...(token === undefined ? {} : { token: token as NonNullable<Join['token']> }),
      ...(role === undefined ? {} : { role }),
    })
    const admitted = (given: Join): Value | undefined => {
      const paths = pathsMet([], idOf('A', 1).member, given, null)
      return execute({ ...operation({ by: 'A', writes: [] }), join: given, paths }, [EMPTY_CELL]).after[0]?.value
    }
    const key = new Uint8Array()
    assert.deepEqual(admitted(join()), [2, key])
    assert.deepEqual(admitted(join(undefined, '0102030405060708')), [2, key, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)])
    assert.deepEqual(admitted(join('observer')), [2, key, null, 1])
    assert.deepEqual(admitted(join('operator', '0102030405060708')), [2, key, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 2])
  })
})

describe('rules in the execution', () => {
  const table = new RuleTable(
    rulesOf(
      point('speed', 'Uint8', { maximum: 100 }),
      point('starts', 'Uint8', { maximum: 5 }),
      point('level', 'Int8', { access: 'R' }),
    ),
  )
  const under = (given: Operation, before: readonly Cell[]): Execution => {
    const law: Law = { charter: OPEN, rules: given.paths.map((path) => (path.startsWith('pump/') ? table : null)) }
    return execute(given, before, law)
  }
  const nothing = [EMPTY_CELL, EMPTY_CELL, EMPTY_CELL]

  test('one write that does not fit makes the whole operation void, and nothing changes', () => {
    const both = operation({ writes: [set('pump/speed', 5), set('pump/level', 5), set('free', 'x')] })
    const execution = under(both, nothing)
    assert.equal(verdict(execution), 'void: read-only')
    assert.match(execution.reason ?? '', /pump\/level can only be read: node a000000000000000 reports it/)
    assert.deepEqual(execution.after, nothing)
    assert.equal(
      verdict(under(operation({ by: 'A', writes: both.writes }), nothing)),
      'applied',
      'the node that has it',
    )
  })

  test('what is void by its rules does not yield, does not clash, and is not looked at for its guards', () => {
    const beaten = [written(5, operation({ by: 'A' }))]
    const execution = under(operation({ by: 'B', writes: [set('pump/speed', 101)] }), beaten)
    assert.deepEqual([verdict(execution), execution.clashes], ['void: range', []])
    assert.equal(verdict(under(operation({ by: 'B', writes: [set('pump/speed', 100)] }), beaten)), 'superseded')
  })

  test('what an add would make is judged where it is executed: beyond the rule it is refused', () => {
    const add = operation({ writes: [write('pump/starts', 'add', 2)] })
    assert.equal(verdict(under(add, [{ value: 3, writer: null }])), 'applied')
    assert.equal(verdict(under(add, [{ value: 4, writer: null }])), 'refused: range')
    assert.equal(
      verdict(under(operation({ writes: [write('pump/starts', 'add', 0.5)] }), [EMPTY_CELL])),
      'refused: type',
    )
    const twice = operation({ writes: [write('pump/starts', 'add', 3), write('pump/starts', 'add', 3)] })
    assert.equal(verdict(under(twice, [EMPTY_CELL])), 'refused: range', 'what its own first write left counts')
  })
})
