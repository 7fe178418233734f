import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PENDING_OPERATIONS_MAX } from '../../runtime/base/limits.ts'
import { until } from '../links/clocks.ts'
import { startBenchBroker } from './bench-broker.ts'
import {
  isBare,
  openSide,
  type SideAnswer,
  type SideCommand,
  type SideJob,
  type Way,
  WAYS,
  type WayName,
} from './mqtt-side.ts'

export { runSide } from './mqtt-side.ts'

interface Options {
  readonly smoke: boolean
  /** This file, bundled. */
  readonly module: string
}

interface Row {
  readonly work: string
  readonly broker: string
  /** Time or rate of ours divided by that of bare messages as mqtt.js sends them if it is told nothing else, in MQTT 3.1.1. */
  readonly ratioToBare: number
  /** The same of bare messages in the version and with the properties that the link uses. */
  readonly ratioToBareMqtt5: number
  readonly oursP50Ms?: number
  readonly bareP50Ms?: number
  readonly bareMqtt5P50Ms?: number
  readonly oursPerS?: number
  readonly barePerS?: number
  readonly bareMqtt5PerS?: number
}

interface Size {
  readonly rounds: number
  /** Messages or operations in each turn of a way. */
  readonly singles: number
  readonly batched: number
}

/** Bare messages in flight, as many as the link has. */
const WINDOW = 64
/** Changes that the other side may lag behind; a gateway whose disk lags by twice as many takes no more. */
const AHEAD = PENDING_OPERATIONS_MAX / 2
/** Changes in one turn of the event loop. */
const BATCHED = 200
/** Rounds of one way before the next one has its turn, so that a busy moment of the machine meets all of them. */
const BLOCK = 25
/** Turns of each way at a rate, for the same reason. */
const TURNS = 6
const OURS = ['in memory', 'on disk'] as const

/**
 * From a change on one gateway to its sight on another, beside bare mqtt.js through the same broker in the same run: both
 * publish with QoS 1 and subscribe with QoS 0, from one process to another. A low ratio is good for a latency, a high one for
 * a rate. A latency is half of a round there and back. All ways have their turns, and their first ones warm them up: a gateway
 * runs for months.
 */
export async function run({ smoke, module }: Options): Promise<{ rows: Row[] }> {
  const size = smoke ? { rounds: 20, singles: 20, batched: 200 } : { rounds: 2000, singles: 5000, batched: 50_000 }
  const { port, name, end } = await startBenchBroker()
  const folder = mkdtempSync(join(tmpdir(), 'fleetstep-bench-'))
  const other = new OtherSide(module, { port, folder: join(folder, 'second'), index: 1 })
  try {
    await other.ready()
    const ways = await openSide({ port, folder: join(folder, 'first'), index: 0 })
    const measured = await measure(ways, other, size)
    await Promise.all(Object.values(ways).map((way) => way.close()))
    return { rows: OURS.flatMap((way) => rowsOf(way, name, measured)) }
  } finally {
    await other.end()
    await end()
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Measured {
  readonly p50Ms: Readonly<Record<WayName, number>>
  readonly singlesPerS: Readonly<Record<WayName, number>>
  readonly batchedPerS: Readonly<Record<WayName, number>>
}

async function measure(ways: Readonly<Record<WayName, Way>>, other: OtherSide, size: Size): Promise<Measured> {
  const p50Ms = await latencies(ways, other, size.rounds)
  const perS = async (operations: number, atOnce: number): Promise<Record<WayName, number>> => {
    const rates = listsByWay()
    for (let turn = 0; turn < TURNS; turn += 1) {
      for (const name of WAYS) {
        await other.order({ kind: 'count', way: name })
        const startedAt = performance.now()
        if (isBare(name)) await sayInWindow(ways[name], other, size.singles)
        else await sayAll(ways[name], other, operations, atOnce)
        const count = isBare(name) ? size.singles : operations
        rates[name].push(count / ((performance.now() - startedAt) / 1000))
      }
    }
    return mediansOf(rates)
  }
  return { p50Ms, singlesPerS: await perS(size.singles, 1), batchedPerS: await perS(size.batched, BATCHED) }
}

/** In turns of a few rounds; the first half of all rounds warms the programs up. */
async function latencies(
  ways: Readonly<Record<WayName, Way>>,
  other: OtherSide,
  rounds: number,
): Promise<Record<WayName, number>> {
  const times = listsByWay()
  for (let done = 0; done < 2 * rounds; done += BLOCK) {
    for (const name of WAYS) {
      await other.order({ kind: 'answer', way: name })
      const way = ways[name]
      for (let round = 1; round <= BLOCK; round += 1) {
        const startedAt = performance.now()
        const answer = new Promise<void>((resolve) => (way.hear = () => resolve()))
        way.say(done + round)
        await answer
        times[name].push((performance.now() - startedAt) / 2)
      }
    }
  }
  return mediansOf(times)
}

function listsByWay(): Record<WayName, number[]> {
  return { bare: [], 'bare MQTT 5': [], 'in memory': [], 'on disk': [] }
}

function mediansOf(figures: Readonly<Record<WayName, readonly number[]>>): Record<WayName, number> {
  const medians = WAYS.map((way) => [way, median(figures[way])] as const)
  return Object.fromEntries(medians) as Record<WayName, number>
}

/** Of the second half. */
function median(figures: readonly number[]): number {
  const warm = figures.slice(figures.length / 2).sort((left, right) => left - right)
  return warm[Math.floor(warm.length / 2)] ?? 0
}

/** As many bare messages in flight as a link has. */
async function sayInWindow(way: Way, other: OtherSide, messages: number): Promise<void> {
  let said = 0
  const next = (): void => {
    if (said === messages) return
    said += 1
    way.say(said, next)
  }
  for (let index = 0; index < WINDOW; index += 1) next()
  await until(() => other.heard === messages, 'all bare messages have arrived', 120_000)
}

async function sayAll(way: Way, other: OtherSide, operations: number, atOnce: number): Promise<void> {
  for (let done = 0; done < operations;) {
    for (let index = 0; index < atOnce && done < operations; index += 1) way.say((done += 1))
    await new Promise((resolve) => setImmediate(resolve))
    // As a bare sender is bounded by its window; a link that is handed more drops frames, and they are asked for again.
    if (done - other.heard > AHEAD) await until(() => done - other.heard <= AHEAD, 'the other has caught up', 120_000)
  }
  await until(() => other.heard === operations, 'the other has all', 120_000)
}

function rowsOf(way: (typeof OURS)[number], broker: string, { p50Ms, singlesPerS, batchedPerS }: Measured): Row[] {
  const rates = (perS: Readonly<Record<WayName, number>>): Omit<Row, 'work' | 'broker'> => ({
    ...ratios(perS),
    oursPerS: Math.round(perS[way]),
    barePerS: Math.round(perS.bare),
    bareMqtt5PerS: Math.round(perS['bare MQTT 5']),
  })
  const ratios = (figures: Readonly<Record<WayName, number>>): Pick<Row, 'ratioToBare' | 'ratioToBareMqtt5'> => ({
    ratioToBare: figures[way] / figures.bare,
    ratioToBareMqtt5: figures[way] / figures['bare MQTT 5'],
  })
  const work = (what: string): Pick<Row, 'work' | 'broker'> => ({ work: `${what}, journal ${way}`, broker })
  return [
    {
      ...work('latency'),
      ...ratios(p50Ms),
      oursP50Ms: p50Ms[way],
      bareP50Ms: p50Ms.bare,
      bareMqtt5P50Ms: p50Ms['bare MQTT 5'],
    },
    { ...work('rate, single operations'), ...rates(singlesPerS) },
    { ...work('rate, operations in batches'), ...rates(batchedPerS) },
  ]
}

/** The process of the second side. */
class OtherSide {
  heard = 0
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  readonly #waiting: (() => void)[] = []
  #isReady = false

  constructor(module: string, job: SideJob) {
    const script = `
      const { runSide } = await import(${JSON.stringify(module)})
      await runSide(${JSON.stringify(job)})`
    const words = ['--input-type=module', '-e', script]
    this.#child = spawn(process.execPath, words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#ended = new Promise((resolve) => this.#child.once('exit', () => resolve()))
    this.#child.on('message', (answer: SideAnswer) => {
      if ('heard' in answer) this.heard = answer.heard
      else {
        this.#isReady = true
        this.#waiting.shift()?.()
      }
    })
  }

  async ready(): Promise<void> {
    await until(() => this.#isReady || this.#child.exitCode !== null, 'the other side is there', 60_000)
    if (!this.#isReady) throw new Error('the process of the other side has ended')
  }

  async order(command: SideCommand): Promise<void> {
    const taken = new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#child.send(command)
    await Promise.race([taken, this.#ended.then(() => Promise.reject(new Error('the other side has ended')))])
    this.heard = 0
  }

  async end(): Promise<void> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000)
    if (this.#child.connected) this.#child.send({ kind: 'close' } satisfies SideCommand)
    await this.#ended
    clearTimeout(timer)
  }
}
