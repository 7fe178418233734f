import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { PROFILE_BYTES_MAX } from '../../runtime/base/limits.ts'
import { readProfileText } from '../../runtime/device/profiles/document.ts'
import { parseInterval } from '../../runtime/device/profiles/interval.ts'
import { loadProfile } from '../../runtime/device/profiles/load.ts'
import { accepted, problemsOf, profileText, refusedAtMark } from './profile-text.ts'

/** Tests run at the root of the repository. */
const SHIPPED = 'device-profiles'

describe('a profile', () => {
  it('is read with its defaults filled in', () => {
    const { profile, warnings } = accepted(profileText('valueType: Uint8, readWrite: RW'))
    assert.deepEqual(warnings, [])
    assert.deepEqual(profile, {
      apiVersion: '1',
      name: 'test',
      labels: [],
      deviceResources: [
        {
          name: 'point',
          isHidden: false,
          tags: {},
          attributes: {},
          properties: { valueType: 'Uint8', readWrite: 'RW', optional: {} },
        },
      ],
      deviceCommands: [],
    })
  })

  it('keeps whole numbers beyond 2^53 exactly', () => {
    const { profile } = accepted(profileText('valueType: Int64, readWrite: RW, maximum: 9007199254740993, minimum: 3'))
    assert.equal(profile.deviceResources[0]?.properties.maximum, 9007199254740993n)
    assert.equal(profile.deviceResources[0]?.properties.minimum, 3)
  })

  it('has a hash of what it says, not of how it is written', () => {
    const one = accepted(profileText('valueType: Uint8, readWrite: RW, maximum: 9'))
    const two = accepted(`# moved\n${profileText('maximum: 0x9, readWrite: RW, valueType: "Uint8"')}labels: []\n`)
    const three = accepted(profileText('valueType: Uint8, readWrite: RW, maximum: 8'))
    assert.equal(one.hash, two.hash)
    assert.notEqual(one.hash, three.hash)
    assert.equal(one.hash, 'd49709fe83c7be51')
  })

  it('may warn and still be taken: an unusual unit, an unknown driver', () => {
    const text = profileText('valueType: Uint8, readWrite: RW, units: furlong', 'driver: modem')
    const { warnings } = accepted(text)
    assert.deepEqual(
      warnings.map(({ line, column, message }) => `${line}:${column} ${message.split(' ').slice(0, 2).join(' ')}`),
      [
        `6:${columnOf(text, 6, 'furlong')} deviceResources[0].properties.units "furlong"`,
        `5:${columnOf(text, 5, 'modem')} deviceResources[0].attributes.driver "modem"`,
      ],
    )
  })
})

describe('a bad profile is refused with line and column', () => {
  const form: readonly (readonly [title: string, text: string, problem: RegExp])[] = [
    [
      'an unknown key',
      profileText('valueType: Uint8, readWrite: R, ^unit: s'),
      /^.*unit is unknown; properties has valueType, /,
    ],
    [
      'a missing key',
      profileText('valueType: Uint8').replace('properties', '^properties'),
      /^deviceResources\[0\]\.properties\.readWrite is missing/,
    ],
    ['a wrong word', profileText('valueType: Uint8, readWrite: ^RO'), /^.*must be one of R, W, RW, but is "RO"$/],
    [
      'a number in quotes',
      profileText('valueType: Uint8, readWrite: R, minimum: ^"1"'),
      /^.*without quotes, but is "1"$/,
    ],
    [
      'a default without quotes',
      profileText('valueType: Uint8, readWrite: RW, defaultValue: ^1'),
      /^.*put it into quotes, but is 1$/,
    ],
    [
      'yes for true',
      profileText('valueType: Bool, readWrite: R').replace('attributes: {  }', 'isHidden: ^yes'),
      /^.*true or false, but is "yes"$/,
    ],
    [
      'an old version',
      profileText('valueType: Bool, readWrite: R').replace("'1'", '^v3'),
      /^apiVersion must be "1", but is "v3"$/,
    ],
    [
      'a name with a space',
      profileText('valueType: Bool, readWrite: R').replace('point', '^my point'),
      /^.*of the characters A-Z/,
    ],
    [
      'no resources',
      "apiVersion: '1'\nname: x\n^deviceResources: []\n",
      /^deviceResources must be a list of at least one resource/,
    ],
    ['a list where a map is due', '^- 1\n- 2\n', /^must be a map with the fields of a profile, but is a list of 2$/],
    ['nothing at all', '^', /^must be a map with the fields of a profile, but is null$/],
    ['a tab for indentation', 'name: x\n^\tlabels: 1\n', /^.*[Tt]ab/],
    ['a bracket that is not closed', 'name: [a, b\n^labels: x\n', /^/],
    ['a key that is there twice', 'name: a\n^name: b\n', /^.*unique/],
    ['an alias without an anchor', '^name: *nobody\n', /^.*nobody/],
    ['two documents', `${profileText('valueType: Bool, readWrite: R')}^---\nname: b\n`, /^starts a second document/],
    [
      'a bad interval',
      profileText('valueType: Bool, readWrite: R, optional: { interval: ^10 sec }'),
      /^.*such as 500ms/,
    ],
    ['a short interval', profileText('valueType: Bool, readWrite: R, optional: { interval: ^5ms }'), /at least 100ms/],
    [
      'a bad pattern',
      profileText('valueType: String, readWrite: R, optional: { pattern: ^"(a+)+" }'),
      /^.*repeats a group/,
    ],
  ]
  const meaning: readonly (readonly [title: string, properties: string, problem: RegExp, attributes?: string])[] = [
    [
      'a range beyond its type',
      'valueType: Uint8, readWrite: R, maximum: ^256',
      /from 0 to 255, what Uint8 can hold, but is 256$/,
    ],
    ['a fraction as bound of a whole type', 'valueType: Uint8, readWrite: R, maximum: 2.5', /must be a whole number/],
    ['a range upside down', 'valueType: Uint8, readWrite: R, minimum: 9, maximum: 3', /is 9, above the maximum 3/],
    ['a range without meaning', 'valueType: String, readWrite: R, minimum: 1', /has no meaning for String/],
    [
      'a default out of range',
      'valueType: Uint8, readWrite: RW, maximum: 9, defaultValue: "10"',
      /must be from 0 to 9/,
    ],
    [
      'a default of another type',
      'valueType: Bool, readWrite: RW, defaultValue: "on"',
      /"on" is no value of type Bool/,
    ],
    ['an assertion of another type', 'valueType: Int8, readWrite: R, assertion: OK', /"OK" is no value of type Int8/],
    [
      'an enum value of another type',
      'valueType: String, readWrite: RW, optional: { enum: [a, 1] }',
      /enum\[1\] must be text/,
    ],
    ['an enum value twice', 'valueType: String, readWrite: RW, optional: { enum: [a, a] }', /"a" is listed twice/],
    ['an enum of Bool', 'valueType: Bool, readWrite: RW, optional: { enum: [1] }', /enum/],
    [
      'a default that is not in the enum',
      'valueType: String, readWrite: RW, defaultValue: c, optional: { enum: [a] }',
      /one of "a"/,
    ],
    ['a safe value out of range', 'valueType: Uint8, readWrite: RW, optional: { safeValue: 300 }', /from 0 to 255/],
    ['a safe value of an input', 'valueType: Uint8, readWrite: R, optional: { safeValue: 3 }', /this one is R/],
    ['a scale that would lose fractions', 'valueType: Int16, readWrite: R, scale: 0.1', /use valueType Float32/],
    ['binary without a media type', 'valueType: Binary, readWrite: R', /mediaType is missing/],
    ['a counter of text', 'valueType: String, readWrite: RW, optional: { merge: counter }', /counter needs a number/],
    ['an append to a number', 'valueType: Int8, readWrite: RW, optional: { merge: append }', /append needs an array/],
    ['an owner that cannot be', 'valueType: Int8, readWrite: R, optional: { owner: desired }', /cannot be desired/],
    [
      'a threshold for text',
      'valueType: String, readWrite: R, optional: { onChangeThreshold: 1 }',
      /it is for numbers/,
    ],
    [
      'an unknown system source',
      'valueType: Int8, readWrite: R',
      /must be one of load1, /,
      'driver: system, source: ^load',
    ],
    ['a system source that is set', 'valueType: Int8, readWrite: RW', /must be R/, 'driver: system, source: load1'],
    ['a system source as text', 'valueType: String, readWrite: R', /must be a number/, 'driver: system, source: load1'],
    [
      'a system source in a foreign unit',
      'valueType: Int8, readWrite: R, units: Cel',
      /one of s, min, h, d/,
      'driver: system, source: uptime',
    ],
    [
      'a relative path of a disk',
      'valueType: Int8, readWrite: R',
      /absolute path/,
      'driver: system, source: diskFree, path: a',
    ],
  ]
  for (const [title, text, problem] of form) it(title, () => refusedAtMark(text, problem))
  for (const [title, properties, problem, attributes] of meaning) {
    it(title, () => {
      const text = profileText(properties, attributes)
      if (text.includes('^')) refusedAtMark(text, problem)
      else assert.match(problemsOf(text)[0] ?? '', problem)
    })
  }

  it('a name used twice', () => {
    const text = `${profileText('valueType: Bool, readWrite: R')}  - { name: point, properties: { valueType: Bool, readWrite: R } }\n`
    assert.deepEqual(problemsOf(text), ['7:13 deviceResources[1].name "point" is used twice; names are unique'])
  })

  it('a command that names no resource, or sets one that is read only', () => {
    const command = (name: string) =>
      `${profileText('valueType: Bool, readWrite: R')}deviceCommands:\n  - { name: c, readWrite: RW, resourceOperations: [{ deviceResource: ${name} }] }\n`
    assert.match(problemsOf(command('other'))[0] ?? '', /^8:\d+ .*names "other", but there is no such device resource$/)
    assert.match(problemsOf(command('point'))[0] ?? '', /is R, but the command c is RW/)
  })

  it('all problems at once, in the order of the text', () => {
    const problems = problemsOf(profileText('valueType: Uint8, readWrite: R, minimum: -1, maximum: 256, assertion: x'))
    assert.deepEqual(
      problems.map((problem) => problem.split(' ')[1]?.split('.').at(-1)),
      ['minimum', 'maximum', 'assertion'],
    )
  })

  it('in a moment however deep it is nested', () => {
    for (const deep of ['['.repeat(20_000), '- '.repeat(20_000), '{a: '.repeat(20_000), '? '.repeat(20_000)]) {
      assert.match(problemsOf(deep)[0] ?? '', /nested deeper than/)
    }
  })

  it('however far its aliases would unfold', () => {
    const rows = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    for (let row = 1; row < 9; row++) rows.push(`a${row}: &a${row} [${`*a${row - 1}, `.repeat(10)}]`)
    assert.match(problemsOf(rows.join('\n'))[0] ?? '', /alias/)
  })
})

describe('a profile file', () => {
  it('that is good is loaded', (context) => {
    const file = write(context, profileText('valueType: Uint8, readWrite: RW'))
    assert.equal(loadProfile(file).profile.name, 'test')
  })

  it('that is bad is refused in one line with file, line, column and what to do', (context) => {
    const file = write(context, profileText('valueType: Uint8, readWrite: RO, minimum: -1'))
    assert.deepEqual(
      messageOf(file),
      `${file}:6:48: deviceResources[0].properties.readWrite must be one of R, W, RW, but is "RO"; ` +
        'correct the profile there',
    )
  })

  it('that is missing, no file, too large or no text is refused', (context) => {
    const file = write(context, '')
    assert.match(messageOf(`${file}.missing`), /there is no such file/)
    const directory = `${file}.d`
    mkdirSync(directory)
    assert.match(messageOf(directory), /is no file/)
    writeFileSync(file, Buffer.alloc(PROFILE_BYTES_MAX + 1, 0x20))
    assert.match(messageOf(file), /at most 262144/)
    writeFileSync(file, Buffer.from([0xff, 0xfe, 0x41]))
    assert.match(messageOf(file), /no UTF-8 text/)
  })

  it('of any garbage is refused with a FleetstepError and nothing else', (context) => {
    const file = write(context, '')
    const lines = readFileSync(join(SHIPPED, 'generic-linux.yaml'), 'utf8').split('\n')
    const piece = fc.oneof(
      fc.constantFrom(
        ...lines,
        ' ',
        ':',
        '-',
        '?',
        '[',
        ']',
        '{',
        '}',
        '!',
        '&',
        '*',
        '#',
        '|',
        '>',
        "'",
        '"',
        '%',
        '@',
        ',',
        '\n',
        '\t',
        '<<: *a',
        '&a ',
        '!!binary ',
        '---\n',
        '.nan',
        '0x',
        '~',
        '__proto__: 1',
      ),
      fc.string({ maxLength: 8 }),
      fc.string({ unit: 'binary', maxLength: 4 }),
    )
    const garbage = fc.array(piece, { maxLength: 40 }).chain((pieces) => {
      return fc.constantFrom('', ' ', '\n').map((separator) => pieces.join(separator))
    })
    fc.assert(
      fc.property(garbage, (text) => {
        writeFileSync(file, text)
        assert.match(messageOf(file), /^\S+: ./)
      }),
      { numRuns: 500 },
    )
  })

  it('that is a shipped one with any line spoilt is read or refused, never anything else', (context) => {
    const file = write(context, '')
    const lines = readFileSync(join(SHIPPED, 'generic-linux.yaml'), 'utf8').split('\n')
    let refused = 0
    fc.assert(
      fc.property(fc.nat(lines.length - 1), fc.nat(60), fc.string({ maxLength: 3 }), (row, column, spoil) => {
        const line = lines[row] ?? ''
        writeFileSync(file, lines.with(row, line.slice(0, column) + spoil + line.slice(column + 1)).join('\n'))
        if (outcomeOf(file) !== null) refused += 1
      }),
      { numRuns: 300 },
    )
    assert.ok(refused > 50, `only ${refused} were refused`)
  })
})

describe('an interval', () => {
  it('is a whole number with its unit', () => {
    assert.deepEqual(['500ms', '10s', '5m', '1h'].map(parseInterval), [500, 10_000, 300_000, 3_600_000])
  })

  it('is nothing else', () => {
    assert.deepEqual(['', '10', 's', '1.5s', '-1s', '1h30m', ' 1s', '1d'].map(parseInterval), Array(8).fill(null))
  })
})

it('reading a text says everything by its result, for any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const reading = readProfileText(text)
      assert.ok(reading.kind === 'accepted' || reading.problems.length > 0)
    }),
  )
})

function columnOf(text: string, line: number, word: string): number {
  return (text.split('\n')[line - 1]?.indexOf(word) ?? -1) + 1
}

function write(context: TestContext, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'fleetstep-profile-'))
  context.after(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'profile.yaml')
  writeFileSync(file, text)
  return file
}

/** Null if the file was loaded, else the one line of the refusal. Any other error fails the test. */
function outcomeOf(file: string): string | null {
  try {
    loadProfile(file)
    return null
  } catch (error) {
    assert.ok(error instanceof FleetstepError, String(error))
    assert.equal(error.code, 'profile-invalid')
    assert.doesNotMatch(error.message, /\n|\r|\t/)
    return error.message
  }
}

function messageOf(file: string): string {
  const outcome = outcomeOf(file)
  assert.ok(outcome !== null, 'the file was loaded')
  return outcome
}
