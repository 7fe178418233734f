/** A code block of a document whose command is named in the comment before it. */
export interface CommandBlock {
  readonly setting: 'alone' | 'beside'
  readonly command: string
  readonly expected: readonly string[]
}

/** @throws Error if a comment names a command and no code block follows it, which would be tested by nobody */
export function commandBlocks(markdown: string): CommandBlock[] {
  const marks = [...markdown.matchAll(/^<!-- (run|beside): (.+?) -->\n/gm)]
  return marks.map((mark) => {
    const [whole, word, command = ''] = mark
    const block = /^\n*```\w*\n(.*?)\n```$/ms.exec(markdown.slice(mark.index + whole.length))
    if (block === null || block.index !== 0) throw new Error(`no code block follows ${whole}`)
    return { setting: word === 'run' ? 'alone' : 'beside', command, expected: (block[1] ?? '').split('\n') }
  })
}

/**
 * Looks for the expected lines in what was printed, one right after the other unless a line of `…` stands between; what
 * comes before the first and after the last is free, since npm adds its own.
 * @returns the first expected line that was not found, or null
 */
export function firstMismatch(expected: readonly string[], printed: readonly string[]): string | null {
  const runs = splitAt(expected, (line) => line.trim() === '…')
  let from = 0
  for (const run of runs) {
    const { at, reached } = findRun(run, printed, from)
    if (at === null) return run[reached] ?? null
    from = at + run.length
  }
  return null
}

function splitAt(lines: readonly string[], isBorder: (line: string) => boolean): string[][] {
  const runs: string[][] = [[]]
  for (const line of lines) {
    if (isBorder(line)) runs.push([])
    else runs.at(-1)?.push(line)
  }
  return runs.filter((run) => run.length > 0)
}

/** `reached` is how far the best attempt came. */
function findRun(
  run: readonly string[],
  printed: readonly string[],
  from: number,
): { at: number | null; reached: number } {
  const patterns = run.map(patternOf)
  let reached = 0
  for (let at = from; at + run.length <= printed.length; at += 1) {
    const wrong = patterns.findIndex((pattern, index) => !pattern.test(printed[at + index] ?? ''))
    if (wrong < 0) return { at, reached: run.length }
    reached = Math.max(reached, wrong)
  }
  return { at: null, reached }
}

function patternOf(line: string): RegExp {
  const parts = line
    .trimEnd()
    .split('…')
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
  return new RegExp(`^${parts.join('.*')}\\s*$`)
}
