import type { Command } from 'commander'
import { makeSafe } from '../../gateway/devices/safe-outputs.ts'
import { systemClock } from '../../gateway/system-clock.ts'

/** Not for people: the guard of the outputs becomes this when its gateway is gone (`gateway/devices/output-guard.ts`). */
export function configure(command: Command): void {
  command.argument('<outputs...>').action(async (words: readonly string[]) => {
    const outcomes = [...(await makeSafe(words, systemClock))]
    const safe = outcomes.flatMap(([name, problem]) => (problem === null ? [name] : []))
    const open = outcomes.flatMap(([name, problem]) => (problem === null ? [] : [`${name} is not: ${problem}`]))
    const all = [...(safe.length === 0 ? [] : [`at their safe values are ${safe.join(', ')}`]), ...open]
    process.stderr.write(`fleetstep: the gateway is gone: ${all.join('; ')}\n`)
    process.exit(open.length === 0 ? 0 : 1)
  })
}
