import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Digest } from '../../runtime/base/digest.ts'
import type { NodeId } from '../../runtime/base/ids.ts'
import { rulesOfProfile } from '../../runtime/device/profiles/rules.ts'
import { checkValue } from '../../runtime/device/profiles/value-check.ts'
import { objectionToValue } from '../../runtime/state/rules/judge.ts'
import { decodeRules, encodeRules } from '../../runtime/state/rules/rules-codec.ts'
import { RuleTable } from '../../runtime/state/rules/rules.ts'
import { showValue } from '../../runtime/state/rules/show-value.ts'
import { accepted, problemsOf, profileText, resourceOf } from './profile-text.ts'

const NODE = '0011223344556677' as NodeId
const DIGEST = 'aabbccddeeff0011' as Digest

test('the rules of a profile judge values as the profile does, here and behind the wire', () => {
  const properties = [
    'valueType: Float32, readWrite: RW, units: L/min, minimum: 0, maximum: 60',
    'valueType: Int64, readWrite: RW, minimum: -9007199254740993',
    'valueType: String, readWrite: RW, optional: { enum: [auto, hand] }',
    'valueType: String, readWrite: RW, optional: { pattern: "[a-z]+", maxLength: 3 }',
    'valueType: Uint8Array, readWrite: RW, maximum: 9, optional: { maxLength: 2 }',
    'valueType: Binary, readWrite: RW, mediaType: image/png, optional: { maxLength: 2 }',
    'valueType: Bool, readWrite: RW',
    'valueType: Object, readWrite: RW',
  ]
  const values = [0, -1, 61, 0.5, -(2n ** 53n) - 2n, 'auto', 'abc', 'abcd', [1, 9], [1, 10], [1, 2, 3], true, {}, null]
  for (const text of properties) {
    const { profile } = accepted(profileText(text))
    const resource = resourceOf(text)
    const rules = decodeRules(encodeRules(rulesOfProfile(profile, NODE, DIGEST)))
    assert.deepEqual([rules.node, rules.profile], [NODE, { name: profile.name, digest: DIGEST }])
    for (const value of [...values, new Uint8Array(2), new Uint8Array(3)]) {
      const [one, other] = [objectionToValue(resource.name, value, new RuleTable(rules)), checkValue(resource, value)]
      assert.equal(one === null, other === null, `${text}: ${showValue(value)}: ${one?.reason} / ${other}`)
    }
  }
})

test('a profile says who writes a point: anybody, the gateway that has the device, or one node', () => {
  const ownerOf = (owner: string): string | undefined => {
    const { profile } = accepted(profileText(`valueType: Bool, readWrite: RW, optional: { owner: ${owner} }`))
    return rulesOfProfile(profile, NODE, DIGEST).points[0]?.owner
  }
  assert.deepEqual(['desired', 'reported', `'${NODE}'`].map(ownerOf), ['desired', 'reported', NODE])
  const problems = problemsOf(profileText('valueType: Bool, readWrite: RW, optional: { owner: me }'))
  assert.match(problems.join(), /desired, reported, or a node id/)
})

test('points that the gateway keeps beside the resources get rules of their own', () => {
  const { profile } = accepted(profileText('valueType: Bool, readWrite: RW'))
  const health = { path: 'health/**', valueType: 'Any', access: 'R' } as const
  assert.deepEqual(rulesOfProfile(profile, NODE, DIGEST, [health]).points.at(-1), health)
})
