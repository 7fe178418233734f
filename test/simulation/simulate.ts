import { parseArgs } from 'node:util'
import { EventLog } from './event-log.ts'
import { genesisOf } from '../support/replica-network.ts'
import { checkAllOrders, SAMPLE_STRIDE } from './exhaustive.ts'
import { runSchedule, type ScheduleResult } from './schedule.ts'

const USAGE = `npm run sim -- --seed N --schedules K [--verbose] [--keep-going]
  --seed N        seed of the first schedule (default 1); the next ones have the seeds behind it
  --schedules K   how many (default 100)
  --verbose       prints the log of each schedule
  --keep-going    goes on after a failure and prints one line for each
npm run sim -- --exhaustive [--full]
  --exhaustive    three nodes with two operations each: every configuration, in a share of the delivery orders
  --full          in all of them, which takes some minutes`

/** Runs schedules until one fails. @returns the exit code: 0, 1 after a failure, 2 for wrong arguments */
export function main(args: readonly string[]): Promise<number> {
  const options = optionsOf(args)
  if (typeof options === 'number') return Promise.resolve(options)
  if (options.exhaustive !== null) return Promise.resolve(exhaust(options.exhaustive))
  const totals = { schedules: 0, failures: 0, operations: 0, conflicts: 0, crashes: 0, simulatedMs: 0 }
  const startedMs = performance.now()
  for (let index = 0; index < options.schedules; index++) {
    const seed = (options.seed + index) >>> 0
    const result = runOne(seed, options.verbose)
    totals.schedules += 1
    if (typeof result === 'string') {
      totals.failures += 1
      report(seed, result, options)
      if (!options.keepGoing) return Promise.resolve(1)
    } else add(totals, result)
  }
  const seconds = (performance.now() - startedMs) / 1000
  console.log(
    `${totals.schedules} schedules, ${totals.failures} failed; ${totals.operations} operations, ${totals.crashes} crashes, ` +
      `${totals.conflicts} conflicts, ${(totals.simulatedMs / 3_600_000).toFixed(1)} hours simulated in ${seconds.toFixed(1)} s`,
  )
  return Promise.resolve(totals.failures > 0 ? 1 : 0)
}

/** @param stride each so-manieth delivery order */
function exhaust(stride: number): number {
  const { configurations, deliveryOrders } = checkAllOrders(genesisOf(4), 2, stride)
  console.log(`${configurations} configurations, ${deliveryOrders} delivery orders, all as the reference`)
  return 0
}

interface Options {
  /** The stride, or null for schedules. */
  readonly exhaustive: number | null
  readonly seed: number
  readonly schedules: number
  readonly verbose: boolean
  readonly keepGoing: boolean
}

/** What went wrong, as text, or the figures. */
function runOne(seed: number, verbose: boolean): ScheduleResult | string {
  const log = verbose ? new EventLog() : null
  try {
    return runSchedule(seed, log)
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  } finally {
    if (log !== null) console.log(log.lines.join('\n'))
  }
}

function report(seed: number, failure: string, { verbose, keepGoing }: Options): void {
  if (keepGoing) {
    console.log(`seed ${seed}: ${failure.split('\n', 1)[0]}`)
    return
  }
  if (!verbose) runOne(seed, true)
  console.log(`\nschedule with seed ${seed} failed: ${failure}`)
  console.log(`repeat with: npm run sim -- --seed ${seed} --schedules 1`)
}

function add(
  totals: Record<'operations' | 'conflicts' | 'crashes' | 'simulatedMs', number>,
  result: ScheduleResult,
): void {
  totals.operations += result.operations
  totals.conflicts += result.conflicts
  totals.crashes += result.crashes
  totals.simulatedMs += result.simulatedMs
}

function optionsOf(args: readonly string[]): Options | number {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seed: { type: 'string', default: '1' },
        schedules: { type: 'string', default: '100' },
        verbose: { type: 'boolean', default: false },
        'keep-going': { type: 'boolean', default: false },
        exhaustive: { type: 'boolean', default: false },
        full: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      console.log(USAGE)
      return 0
    }
    const seed = wholeNumber(values.seed, 'seed')
    const schedules = wholeNumber(values.schedules, 'schedules')
    const exhaustive = values.exhaustive ? (values.full ? 1 : SAMPLE_STRIDE) : null
    return { exhaustive, seed, schedules, verbose: values.verbose, keepGoing: values['keep-going'] }
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
    return 2
  }
}

function wholeNumber(text: string, name: string): number {
  if (!/^[0-9]{1,10}$/.test(text)) throw new Error(`--${name} is a whole number, and not ${text}`)
  return Number(text)
}
