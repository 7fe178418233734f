import type { Command } from 'commander'
import { isRecord } from '../gateway/control-protocol.ts'

/** Options that every command has. */
export interface GlobalOptions {
  readonly json?: true
  readonly gateway?: string
  readonly socket?: string
}

export function globalOptions(command: Command): GlobalOptions {
  return command.optsWithGlobals<GlobalOptions>()
}

/** The result of a command: one JSON line for programs, or text for people. */
export function print(command: Command, result: unknown, describe: () => string): void {
  printLine(globalOptions(command).json === true ? JSON.stringify(result ?? null) : describe())
}

/** Nothing is printed for an empty text. */
export function printLine(text: string): void {
  if (text !== '') process.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
}

/** For people, about what they did not ask for; programs read standard output. */
export function note(text: string): void {
  process.stderr.write(`fleetstep: ${text}\n`)
}

/** Columns that are as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[], indent: string = ''): string {
  const widths: number[] = []
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length)
  return rows
    .map((row) => `${indent}${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .join('\n')
}

/** As people write it: text without quotes unless it is ambiguous, numbers beyond 2^53 as digits, the rest as JSON. */
export function valueText(value: unknown): string {
  if (value === undefined) return '(none)'
  if (typeof value === 'string') return isPlain(value) ? value : jsonText(value)
  if (isRecord(value) && typeof value['$int'] === 'string' && Object.keys(value).length === 1) return value['$int']
  return jsonText(value)
}

/** A value comes from any gateway: what would steer a terminal, or turn the order of what is read, stands there as its number. */
function jsonText(value: unknown): string {
  return JSON.stringify(value).replaceAll(STEERING, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

const STEERING = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu

/** Text that `state set` would read back as this same text. */
function isPlain(text: string): boolean {
  if (text === '' || text === '(none)' || text !== text.trim() || text.includes('"') || text.search(STEERING) >= 0)
    return false
  try {
    JSON.parse(text)
    return false
  } catch {
    return true
  }
}
