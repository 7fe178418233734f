import { setTimeout as sleep } from 'node:timers/promises'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { isRecord } from '../../runtime/gateway/control-protocol.ts'
import { fraction, type Random, seededRandom } from '../../runtime/base/random.ts'
import type { GatewayProcess } from './gateway-process.ts'
import { runCli } from '../support/program.ts'
import { SETPOINT_MAX, VALVE, VALVE_MAX } from './device-profile.ts'
import { GATEWAYS } from './plan.ts'
import { type Answer, type Entry, INTERLOCK_LOG, markerOf, type Patch, type Records } from './records.ts'

const COUNTERS = 3
export const ACCOUNTS = ['north', 'south', 'east'] as const
/** Nothing is in the accounts before the first deposit, and nothing but transfers goes between them. */
export const DEPOSIT = 1000
const CONTESTED = 5

/** Jobs that the profiles of the devices forbid, on every gateway: nothing of them may ever stand. */
export const FORBIDDEN = {
  foreign: 'write what another gateway owns',
  beyond: 'set a device beyond its span',
  unknown: 'set what a device does not have',
} as const

/** Whoever has taken it gives it back when it is drawn to take it again: one of all gateways alone can give it back. */
const TAKE = 'take the interlock'
const GIVE = 'give the interlock back'

/** One change of this many goes by the command line, as a person would type it. */
const TYPED_OF = 40

/** What one client does with its gateway: each job draws one patch. */
const JOBS: Readonly<Record<string, (draw: Draw) => Patch>> = {
  'set a point that all set': ({ key, below }) => ({ set: { [`shared/point${below(CONTESTED)}`]: key } }),
  'set an own point': ({ gateway, key, below }) => ({ set: { [`own/${gateway}/point${below(8)}`]: key } }),
  'delete a point that all set': ({ below }) => ({ delete: [`shared/point${below(CONTESTED)}`] }),
  toggle: ({ below }) => ({ toggle: [`lamps/lamp${below(3)}`] }),
  add: ({ below }) => ({ add: { [`sums/sum${below(COUNTERS)}`]: 1 + below(9) } }),
  append: ({ gateway, key, number }) => ({ append: { [`lists/${gateway}/${Math.floor(number / 100)}`]: key } }),
  'set two points alike': ({ key }) => ({ set: { 'twins/left': key, 'twins/right': key } }),
  transfer: ({ below }) => {
    const from = below(ACCOUNTS.length)
    const to = (from + 1 + below(ACCOUNTS.length - 1)) % ACCOUNTS.length
    const amount = 1 + below(20)
    return {
      expect: [[account(from), '>=', amount]],
      add: { [account(from)]: -amount, [account(to)]: amount },
    }
  },
  [TAKE]: ({ gateway }) => ({
    expect: [['interlock/holder', 'exists', false]],
    set: { 'interlock/holder': gateway, [`${gateway}/pump`]: true },
    append: { [INTERLOCK_LOG]: `take ${gateway}` },
  }),
  [GIVE]: ({ gateway }) => ({
    expect: [['interlock/holder', '==', gateway]],
    set: { [`${gateway}/pump`]: false },
    delete: ['interlock/holder'],
    append: { [INTERLOCK_LOG]: `give ${gateway}` },
  }),
  'set the device of any gateway': ({ below }) => ({ set: { [`${anyOf(below)}/setpoint`]: below(SETPOINT_MAX) } }),
  'move the valve': ({ below }) => ({ set: { [VALVE]: 1 + below(VALVE_MAX) } }),
  'count a start of any device': ({ below }) => ({ add: { [`${anyOf(below)}/starts`]: 1 } }),
  'write what is its own': ({ gateway, key }) => ({ set: { [`${gateway}/serial`]: key } }),
  [FORBIDDEN.foreign]: ({ gateway, key, below }) => {
    const others = GATEWAYS.filter(({ name }) => name !== gateway)
    return { set: { [`${others[below(others.length)]?.name ?? ''}/serial`]: key } }
  },
  [FORBIDDEN.beyond]: ({ below }) => ({ set: { [`${anyOf(below)}/setpoint`]: SETPOINT_MAX + 1 + below(9) } }),
  [FORBIDDEN.unknown]: ({ below, key }) => ({ set: { [`${anyOf(below)}/nothing`]: key } }),
}

function anyOf(below: (limit: number) => number): string {
  return GATEWAYS[below(GATEWAYS.length)]?.name ?? ''
}

export const JOB_NAMES: readonly string[] = Object.keys(JOBS)

interface Draw {
  readonly gateway: string
  readonly key: string
  readonly number: number
  /** A whole number from 0, below the limit. */
  readonly below: (limit: number) => number
}

/** Changes of all kinds, from one client at each gateway, at random moments. */
export class Load {
  readonly #records: Records
  readonly #perSecond: number
  readonly #random: Random
  readonly #startedAt = performance.now()
  readonly #numbers = new Map<string, number>()
  /** Gateways that took the interlock, as far as their clients were told. */
  readonly #holders = new Set<string>()
  /** Changes that went by the command line. */
  typed = 0
  #isPaused = true
  #underWay = 0

  constructor(options: { readonly records: Records; readonly perSecond: number; readonly seed: number }) {
    this.#records = options.records
    this.#perSecond = options.perSecond
    this.#random = seededRandom(options.seed)
  }

  /** Each client goes on until `isOver`. */
  async run(gateways: readonly GatewayProcess[], isOver: () => boolean): Promise<void> {
    await Promise.all(gateways.map(async (gateway) => await this.#client(gateway, isOver)))
  }

  resume(): void {
    this.#isPaused = false
  }

  /** Resolves once nothing is under way any more. */
  async pause(): Promise<void> {
    this.#isPaused = true
    while (this.#underWay > 0) await sleep(20)
  }

  /** One change outside of the draw. */
  async change(gateway: GatewayProcess, job: string, patch: Patch): Promise<Entry> {
    const number = (this.#numbers.get(gateway.name) ?? 0) + 1
    this.#numbers.set(gateway.name, number)
    return await this.#send(gateway, `${gateway.name}/${number}`, job, patch)
  }

  async #client(gateway: GatewayProcess, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await sleep((-Math.log(1 - fraction(this.#random)) * 1000) / this.#perSecond)
      if (this.#isPaused || !gateway.isRunning) continue
      const number = (this.#numbers.get(gateway.name) ?? 0) + 1
      this.#numbers.set(gateway.name, number)
      const key = `${gateway.name}/${number}`
      const below = (limit: number): number => Math.floor(fraction(this.#random) * limit)
      const drawn = JOB_NAMES[below(JOB_NAMES.length)] ?? ''
      const job = drawn === TAKE && this.#holders.has(gateway.name) ? GIVE : drawn
      const patch = JOBS[job]?.({ gateway: gateway.name, key, number, below })
      if (patch !== undefined) await this.#send(gateway, key, job, patch)
    }
  }

  async #send(gateway: GatewayProcess, key: string, job: string, patch: Patch): Promise<Entry> {
    const marked = { ...patch, set: { ...patch.set, [markerOf(key)]: true } }
    const sentAtMs = Math.round(performance.now() - this.#startedAt)
    const watch = this.#records.watchOf(gateway.name)
    const entry: Entry = { key, gateway: gateway.name, job, patch, sentAtMs, watch, answer: null }
    this.#records.entries.push(entry)
    this.#underWay += 1
    try {
      const isTyped = isTypable(marked) && fraction(this.#random) * TYPED_OF < 1
      entry.answer = isTyped ? await typed(gateway, marked) : await answerTo(gateway.call('state.patch', { ...marked }))
      if (isTyped) this.typed += 1
      this.#records.noteAnswer(entry)
      if (entry.answer.kind === 'durable' && job === TAKE) this.#holders.add(gateway.name)
      if (entry.answer.kind !== 'unknown' && job === GIVE) this.#holders.delete(gateway.name)
    } finally {
      this.#underWay -= 1
    }
    return entry
  }
}

export function isMarker(path: string): boolean {
  return path.startsWith('done/')
}

export function account(index: number): string {
  return `accounts/${ACCOUNTS[index] ?? ''}`
}

/** Words that say this on the command line: it has none for a point that is not there. */
function isTypable({ expect = [] }: Patch): boolean {
  return expect.every(([, comparison]) => comparison !== 'exists')
}

async function typed(gateway: GatewayProcess, patch: Patch): Promise<Answer> {
  const words = [
    ...pairsOf('--set', patch.set),
    ...pairsOf('--add', patch.add),
    ...pairsOf('--append', patch.append),
    ...(patch.toggle ?? []).flatMap((path) => ['--toggle', path]),
    ...(patch.delete ?? []).flatMap((path) => ['--rm', path]),
    ...(patch.expect ?? []).flatMap(([path, comparison, value]) => [
      '--expect',
      `${path}${comparison === '==' ? '=' : comparison}${String(value)}`,
    ]),
  ]
  const { lines, code } = await runCli(['--json', '--socket', gateway.socket, 'state', 'patch', ...words])
  const printed: unknown = JSON.parse(lines.join('\n') || 'null')
  if (!isRecord(printed)) throw new Error(`state patch printed ${lines.join(' ')} and ended with ${code}`)
  const { error } = printed
  return isRecord(error) ? answerOfCode(String(error['code'])) : answerOf(printed)
}

function pairsOf(option: string, values: Readonly<Record<string, unknown>> = {}): string[] {
  return Object.entries(values).flatMap(([path, value]) => [option, `${path}=${String(value)}`])
}

async function answerTo(call: Promise<unknown>): Promise<Answer> {
  try {
    return answerOf(await call)
  } catch (error) {
    if (!(error instanceof FleetstepError)) throw error
    return answerOfCode(error.code)
  }
}

function answerOf(result: unknown): Answer {
  if (!isRecord(result)) throw new Error('a change was answered with nothing')
  return { kind: 'durable', operation: String(result['operation']), isDraft: result['draft'] === true }
}

/** A full disk keeps the change until there is room: it may come yet. */
function answerOfCode(code: string): Answer {
  const isOpen = code === 'daemon-unreachable' || code === 'disk-full' || code === 'storage-failed'
  return isOpen ? { kind: 'unknown' } : { kind: 'error', code }
}
