import { writeFileSync } from 'node:fs'
import { EDITOR_SCHEMA_FILE, editorSchemaText } from './editor-schema.ts'

export function main(): void {
  writeFileSync(EDITOR_SCHEMA_FILE, editorSchemaText())
  console.log(`${EDITOR_SCHEMA_FILE} is written`)
}
