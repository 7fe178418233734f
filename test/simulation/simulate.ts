import { parseArgs } from 'node:util'
import { genesisOf } from '../support/replica-network.ts'
import { EventLog } from './event-log.ts'
import { checkAllOrders, requestUnderRules, type ExhaustiveCounts, SAMPLE_STRIDE } from './exhaustive.ts'
import { checkMembershipOrders, MEMBERSHIP_STRIDE } from './membership-space.ts'
import { commandOf, keepRegression } from './regression.ts'
import { runSchedule, type ScheduleResult } from './schedule.ts'
import { type Focus, FOCUSES } from './swarm.ts'
import { Totals } from './totals.ts'

const USAGE = `npm run sim -- --seed N --schedules K [--focus F] [--tight] [--verbose] [--keep-going]
  --seed N        seed of the first schedule (default 1); the next ones have the seeds behind it
  --schedules K   how many (default 100)
  --focus F       ${FOCUSES.join(', ')}: troubles of this kind come more often (default all)
  --verbose       prints the log of each schedule
  --tight         with a journal, answers, snapshots and lists of a few items, so that each bound is met
  --keep-going    goes on after a failure and prints one line for each
  A failure becomes a file in test/simulation/regressions/, which the tests replay.
npm run sim -- --exhaustive [--full]
  --exhaustive    every configuration of two spaces, in a share of the delivery orders: three nodes with two operations
                  each; and two founders with two each, a join and its newcomer's operation, a retirement and a cut
  --full          in all of the delivery orders, which takes an hour or two`

/** Runs schedules until one fails. @returns the exit code: 0, 1 after a failure, 2 for wrong arguments */
export function main(args: readonly string[]): Promise<number> {
  const options = optionsOf(args)
  if (typeof options === 'number') return Promise.resolve(options)
  if (options.isExhaustive) return Promise.resolve(exhaust(options.isFull))
  const totals = new Totals()
  for (let index = 0; index < options.schedules; index++) {
    const seed = (options.seed + index) >>> 0
    const result = runOne(seed, options)
    if (typeof result !== 'string') totals.add(result)
    else {
      totals.addFailure()
      report(seed, result, options)
      if (!options.keepGoing) return Promise.resolve(1)
    }
  }
  console.log(totals.text())
  return Promise.resolve(totals.failures > 0 ? 1 : 0)
}

function exhaust(isFull: boolean): number {
  const first = checkAllOrders(genesisOf(4), 2, isFull ? 1 : SAMPLE_STRIDE)
  console.log(`first space: ${textOf(first)}`)
  const second = checkMembershipOrders(genesisOf(3), 2, isFull ? 1 : MEMBERSHIP_STRIDE)
  console.log(`second space: ${textOf(second)}`)
  const third = checkAllOrders(genesisOf(4), 2, isFull ? 1 : SAMPLE_STRIDE, requestUnderRules)
  console.log(`third space: ${textOf(third)}`)
  return 0
}

function textOf({ configurations, deliveryOrders }: ExhaustiveCounts): string {
  return `${configurations} configurations, ${deliveryOrders} delivery orders, all as the reference`
}

interface Options {
  readonly isExhaustive: boolean
  readonly isFull: boolean
  readonly seed: number
  readonly schedules: number
  readonly focus: Focus
  readonly isTight: boolean
  readonly verbose: boolean
  readonly keepGoing: boolean
}

/** What went wrong, as text, or the figures. */
function runOne(seed: number, { focus, verbose }: Options): ScheduleResult | string {
  const log = verbose ? new EventLog() : null
  try {
    return runSchedule(seed, focus, log)
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ''}` : String(error)
  } finally {
    if (log !== null) console.log(log.lines.join('\n'))
  }
}

function report(seed: number, failure: string, options: Options): void {
  const [first = ''] = failure.split('\n', 1)
  const { focus, isTight } = options
  // The tests replay what is kept, and with the bounds of the product.
  const file = isTight ? null : keepRegression({ seed, focus, failure: first })
  if (options.keepGoing) {
    console.log(`seed ${seed}: ${first}`)
    return
  }
  if (!options.verbose) runOne(seed, { ...options, verbose: true })
  console.log(`\nschedule with seed ${seed} failed: ${failure}`)
  if (file !== null) console.log(`kept in ${file}`)
  console.log(`repeat with: ${commandOf({ seed, focus })}${isTight ? ' --tight' : ''}`)
}

function optionsOf(args: readonly string[]): Options | number {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seed: { type: 'string', default: '1' },
        schedules: { type: 'string', default: '100' },
        focus: { type: 'string', default: 'all' },
        tight: { type: 'boolean', default: false },
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
    const focus = focusOf(values.focus)
    const { exhaustive: isExhaustive, full: isFull, tight: isTight, verbose } = values
    return { isExhaustive, isFull, isTight, seed, schedules, focus, verbose, keepGoing: values['keep-going'] }
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
    return 2
  }
}

function focusOf(text: string): Focus {
  const focus = FOCUSES.find((known) => known === text)
  if (focus === undefined) throw new Error(`--focus is one of ${FOCUSES.join(', ')}, and not ${text}`)
  return focus
}

function wholeNumber(text: string, name: string): number {
  if (!/^[0-9]{1,10}$/.test(text)) throw new Error(`--${name} is a whole number, and not ${text}`)
  return Number(text)
}
