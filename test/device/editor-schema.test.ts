import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
// ajv: the most used validator of JSON Schema, which shares no code with what makes ours; MIT.
import { Ajv } from 'ajv'
import { parse } from 'yaml'
import { readProfileText } from '../../runtime/device/profiles/document.ts'
import { EDITOR_SCHEMA_FILE, editorSchemaText } from './editor-schema.ts'
import { profileText } from './profile-text.ts'

const FOLDER = 'device-profiles'
const shipped = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'))

describe('the schema for editors', () => {
  const validate = new Ajv({ strict: false, allErrors: true }).compile(JSON.parse(editorSchemaText()) as object)
  const isValid = (text: string): boolean => validate(parse(text))

  it('is made of the definition in code as it stands: npm run profile-schema', () => {
    assert.equal(readFileSync(EDITOR_SCHEMA_FILE, 'utf8'), editorSchemaText())
  })

  for (const name of shipped) {
    it(`takes ${name}, which names it in its first line`, () => {
      const text = readFileSync(join(FOLDER, name), 'utf8')
      assert.ok(isValid(text), JSON.stringify(validate.errors))
      assert.equal(text.split('\n', 1)[0], '# yaml-language-server: $schema=./profile.schema.json')
    })
  }

  const bool = 'valueType: Bool, readWrite: RW'
  const taken: readonly (readonly [properties: string, attributes: string])[] = [
    [bool, ''],
    [bool, 'driver: somebodyElses, colour: red'],
    [bool, 'driver: gpio, line: 17, drive: settled, dwell: 1s'],
    [
      'valueType: Int64, readWrite: R, maximum: 9007199254740993',
      'driver: modbus, port: bus, primaryTable: INPUT_REGISTERS, startingAddress: 0',
    ],
  ]
  for (const [properties, attributes] of taken) {
    it(`takes { ${properties} } with { ${attributes} }, as the program does`, () => {
      const text = profileText(properties, attributes)
      assert.equal(readProfileText(text).kind, 'accepted')
      assert.ok(isValid(text), JSON.stringify(validate.errors))
    })
  }

  const refused: readonly (readonly [properties: string, attributes: string])[] = [
    [`${bool}, unit: s`, ''],
    ['valueType: Bool', ''],
    ['valueType: Boolean, readWrite: R', ''],
    [`${bool}, minimum: "1"`, ''],
    [`${bool}, optional: { safevalue: true }`, ''],
    [`${bool}, optional: { interval: 10 sec }`, ''],
    [`${bool}, optional: { enum: [] }`, ''],
    [`${bool}, shift: 64`, ''],
    [bool, 'driver: gpio'],
    [bool, 'driver: gpio, line: "17"'],
    [bool, 'driver: gpio, line: 17, pin: 11'],
    [bool, 'driver: gpio, line: 17, bias: up'],
    [bool, 'driver: modbus, port: "usb:0403", primaryTable: COILS, startingAddress: 0'],
    [bool, 'driver: modbus, port: bus, primaryTable: coils, startingAddress: 0'],
    [bool, 'driver: serial, port: bus, dataBits: 9'],
    [bool, 'driver: system, source: cpu'],
  ]
  for (const [properties, attributes] of refused) {
    it(`refuses { ${properties} } with { ${attributes} }, as the program does`, () => {
      const text = profileText(properties, attributes)
      assert.equal(readProfileText(text).kind, 'refused')
      assert.equal(isValid(text), false)
    })
  }
})
