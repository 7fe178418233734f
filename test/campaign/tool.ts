import { spawnSync } from 'node:child_process'

/** Runs a tool to its end. @throws Error with what it said, unless it ends with 0 */
export function runTool(command: string, words: readonly string[], input: string | Uint8Array = ''): string {
  const { status, stdout, stderr, error } = spawnSync(command, words, { input, encoding: 'utf8' })
  if (status === 0) return stdout
  throw new Error(`${command} ${words.join(' ')}: ${error?.message ?? stderr}`)
}
