import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { alarmsWithoutCause, isExplained } from './alarms.ts'
import { INSTRUMENTED } from './device-profile.ts'
import { guardCauses } from './guard-causes.ts'
import { othernessIn, restoreAlarms } from './identity-troubles.ts'
import { alarmsIn, type LoggedAlarm } from './logs.ts'

const NODE = '0a00000000000001'
const OTHER = '0a00000000000002'

describe('the causes of alarms', () => {
  it('lets a restored gateway say so itself, and others name its member', () => {
    const raised = [
      alarm('a', 'regressed', null),
      alarm('b', 'untrue-announcement', NODE),
      alarm('c', 'late-operation', NODE),
    ]
    assert.deepEqual(alarmsWithoutCause(raised, restoreAlarms('a', NODE)), [])
  })

  for (const [what, raised] of [
    ['names a member to which nothing was done', alarm('b', 'untrue-announcement', OTHER)],
    ['names nobody where a member is at fault', alarm('b', 'identity-used-twice', null)],
    ['comes from a gateway that was not restored', alarm('b', 'regressed', null)],
    ['is of another kind', alarm('b', 'second-key', NODE)],
  ] as const)
    it(`finds an alarm that ${what}`, () => {
      const found = alarmsWithoutCause([raised], restoreAlarms('a', NODE))
      assert.equal(found.length, 1)
      assert.match(
        found[0] ?? '',
        new RegExp(`raised ${raised.name} about ${raised.about ?? 'nobody'} without a cause`),
      )
    })

  it('finds any alarm where there was no trouble, and an injected one that nobody noticed by its name', () => {
    assert.equal(alarmsWithoutCause([alarm('a', 'regressed', null)], []).length, 1)
    const noticed = [alarm('b', 'newer-release', null), alarm('b', 'untrue-announcement', OTHER)]
    assert.equal(
      noticed.some((one) => isExplained(one, restoreAlarms('a', NODE))),
      false,
    )
  })

  it('reads from a log who is named, and leaves a line that is not whole yet', () => {
    const line = `{"level":50,"alarm":{"name":"untrue-announcement","member":"${NODE}.2","reason":"r"},"msg":"m"}`
    assert.deepEqual(alarmsIn('b', `${line}\n{"level":30,"msg":"x"}\n${line.slice(0, -8)}`), [
      { gateway: 'b', name: 'untrue-announcement', about: NODE, message: 'm' },
    ])
  })

  it('wants a cause for what the guard of outputs says, which only whoever killed its gateway is', () => {
    const line = 'fleetstep: the gateway is gone: at their safe values are valve'
    const said = alarmsIn(INSTRUMENTED, `{"level":30,"msg":"the gateway is gone"}\n${line}\n`)
    assert.deepEqual(said, [{ gateway: INSTRUMENTED, name: 'output-guard', about: null, message: line }])
    assert.deepEqual(alarmsWithoutCause(said, guardCauses(INSTRUMENTED)), [])
    assert.equal(alarmsWithoutCause(said, []).length, 1)
    assert.equal(alarmsWithoutCause(alarmsIn('gateway-9', line), guardCauses(INSTRUMENTED)).length, 1)
    assert.deepEqual(guardCauses('gateway-9'), [])
  })

  it('takes a clone for noticed only when it says whose card it has', () => {
    const log = `{"level":40,"msg":"this is not node ${NODE}: its identity is kept in identity.json.other"}`
    assert.match(othernessIn(log, NODE) ?? '', /kept in/)
    assert.equal(othernessIn(log, OTHER), null)
  })
})

function alarm(gateway: string, name: string, about: string | null): LoggedAlarm {
  return { gateway, name, about, message: 'm' }
}
