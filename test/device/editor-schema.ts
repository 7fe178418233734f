// @valibot/to-json-schema: by the authors of valibot; turns its schemas into JSON Schema draft-07, which editors read; MIT.
import { toJsonSchema } from '@valibot/to-json-schema'
import { DRIVER_ATTRIBUTES, DRIVERS } from '../../runtime/device/profiles/attributes.ts'
import { PROFILE } from '../../runtime/device/profiles/schema.ts'
import type { Schema } from '../../runtime/device/profiles/schema-words.ts'

type JsonSchema = ReturnType<typeof toJsonSchema>

/** Where it is shipped; each profile beside it names it in its first line. */
export const EDITOR_SCHEMA_FILE = 'device-profiles/profile.schema.json'

/** What {@link EDITOR_SCHEMA_FILE} holds: the form of a profile for editors, made of the definition in code. */
export function editorSchemaText(): string {
  return `${JSON.stringify(editorSchema(), null, 1)}\n`
}

/** What is checked by a function alone has no JSON form, so the schema lets through more than the program does. */
function editorSchema(): JsonSchema {
  const { $schema, ...schema } = convert(PROFILE)
  const attributes = at(schema, 'deviceResources', 'items', 'attributes')
  attributes.properties = { driver: { type: 'string', examples: [...DRIVERS] } }
  attributes.allOf = DRIVERS.map((driver) => ({
    if: { type: 'object', required: ['driver'], properties: { driver: { const: driver } } },
    // oxlint-disable-next-line unicorn/no-thenable -- a word of JSON Schema
    then: withoutDialect(convert(DRIVER_ATTRIBUTES[driver])),
  }))
  return {
    ...($schema !== undefined && { $schema }),
    title: 'Fleetstep device profile',
    description: 'One type of device: its points and what they are wired to. README.md beside this file explains it.',
    ...schema,
  }
}

function convert(schema: Schema<unknown>): JsonSchema {
  return toJsonSchema(schema, { typeMode: 'output', errorMode: 'ignore' })
}

function withoutDialect({ $schema: _dialect, ...rest }: JsonSchema): JsonSchema {
  return rest
}

function at(schema: JsonSchema, ...steps: readonly string[]): JsonSchema {
  let found: JsonSchema['not'] = schema
  for (const step of steps) {
    if (typeof found !== 'object') break
    found = step === 'items' && !Array.isArray(found.items) ? found.items : found.properties?.[step]
  }
  if (typeof found !== 'object') throw new Error(`the schema has no ${steps.join('.')}`)
  return found
}
