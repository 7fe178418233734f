import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { profileDifferences } from '../../runtime/device/profiles/difference.ts'
import { accepted, profileText } from './profile-text.ts'

const head = "apiVersion: '1'\nname: t\n"
const differ = (before: string, after: string): unknown =>
  profileDifferences(accepted(before).profile, accepted(after).profile)

describe('the difference of two profiles', () => {
  it('is nothing for the same one, however it is written', () => {
    const text = profileText('valueType: Uint8, readWrite: RW, maximum: 9')
    assert.deepEqual(differ(text, `# comment\n${text}labels: []\n`), [])
  })

  it('names each field by the point that it is of', () => {
    const before = profileText('valueType: Uint8, readWrite: RW, maximum: 9, units: s, optional: { enum: [1, 2] }')
    const after = profileText('valueType: Uint8, readWrite: RW, maximum: 8, minimum: 1, optional: { enum: [1] }')
    assert.deepEqual(differ(before, after), [
      { what: 'point.properties.units', before: 's', after: undefined },
      { what: 'point.properties.maximum', before: 9, after: 8 },
      { what: 'point.properties.optional.enum', before: [1, 2], after: [1] },
      { what: 'point.properties.minimum', before: undefined, after: 1 },
    ])
  })

  it('follows a point by its name, wherever it stands', () => {
    const point = (name: string): string => `  - { name: ${name}, properties: { valueType: Bool, readWrite: RW } }\n`
    const before = `${head}deviceResources:\n${point('a')}${point('b')}`
    const after = `${head}deviceResources:\n${point('c')}${point('b')}`
    const properties = { valueType: 'Bool', readWrite: 'RW', optional: {} }
    const whole = (name: string): unknown => ({ name, isHidden: false, tags: {}, attributes: {}, properties })
    assert.deepEqual(differ(before, after), [
      { what: 'a', before: whole('a'), after: undefined },
      { what: 'c', before: undefined, after: whole('c') },
    ])
    const swapped = `${head}deviceResources:\n${point('b')}${point('a')}`
    assert.deepEqual(differ(before, swapped), [])
  })

  it('tells of the head and of commands', () => {
    const point = 'deviceResources:\n  - { name: p, properties: { valueType: Bool, readWrite: RW } }\n'
    const command = 'deviceCommands:\n  - { name: go, readWrite: R, resourceOperations: [{ deviceResource: p }] }\n'
    assert.deepEqual(
      differ(`${head}model: A\n${point}${command}`, `${head}model: B\n${point}${command.replace(': R,', ': RW,')}`),
      [
        { what: 'model', before: 'A', after: 'B' },
        { what: 'deviceCommands.go.readWrite', before: 'R', after: 'RW' },
      ],
    )
  })

  it('is there exactly when the hashes differ', () => {
    const profile = fc
      .record({ maximum: fc.integer({ min: 7, max: 9 }), units: fc.constantFrom('s', 'min'), hidden: fc.boolean() })
      .map(({ maximum, units, hidden }) =>
        accepted(
          profileText(`valueType: Uint8, readWrite: RW, maximum: ${maximum}, units: ${units}`).replace(
            'attributes: {  }',
            `isHidden: ${hidden}`,
          ),
        ),
      )
    fc.assert(
      fc.property(profile, profile, (one, other) => {
        const differences = profileDifferences(one.profile, other.profile)
        assert.equal(differences.length === 0, one.hash === other.hash)
      }),
      { numRuns: 60 },
    )
  })
})
