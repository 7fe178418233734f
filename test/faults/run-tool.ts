import { spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * Runs a system tool to its end and returns what it printed.
 * @param descriptor handed over as the tool's descriptor 3
 * @param accepts exit codes that are no failure
 */
export async function runTool(
  command: string,
  args: readonly string[],
  descriptor: number | null = null,
  accepts: readonly number[] = [0],
): Promise<string> {
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`
  const stdio = ['ignore' as const, 'pipe' as const, 'pipe' as const, ...(descriptor === null ? [] : [descriptor])]
  const child = spawn(command, args, { stdio, env: { ...process.env, PATH: path } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== null && accepts.includes(code)) return output
  throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${output.trim()}`)
}
