import { setTimeout as sleep } from 'node:timers/promises'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { isRecord } from '../../runtime/gateway/control-protocol.ts'
import { fraction, type Random, seededRandom } from '../../runtime/base/random.ts'
import type { GatewayProcess } from './gateway-process.ts'
import { type Answer, type Entry, markerOf, type Patch, type Records } from './records.ts'

export const COUNTERS = 3
export const ACCOUNTS = ['north', 'south', 'east'] as const
/** Nothing is in the accounts before the first deposit, and nothing but transfers goes between them. */
export const DEPOSIT = 1000
const CONTESTED = 5

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
  'take the interlock': ({ gateway }) => ({
    expect: [['interlock/holder', 'exists', false]],
    set: { 'interlock/holder': gateway },
  }),
  'give the interlock back': ({ gateway }) => ({
    expect: [['interlock/holder', '==', gateway]],
    delete: ['interlock/holder'],
  }),
}

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
      const names = Object.keys(JOBS)
      const job = names[below(names.length)] ?? ''
      const patch = JOBS[job]?.({ gateway: gateway.name, key, number, below })
      if (patch !== undefined) await this.#send(gateway, key, job, patch)
    }
  }

  async #send(gateway: GatewayProcess, key: string, job: string, patch: Patch): Promise<Entry> {
    const marked = { ...patch, set: { ...patch.set, [markerOf(key)]: true } }
    const sentAtMs = Math.round(performance.now() - this.#startedAt)
    const entry: Entry = { key, gateway: gateway.name, job, patch, sentAtMs, answer: null }
    this.#records.entries.push(entry)
    this.#underWay += 1
    try {
      entry.answer = await answerTo(gateway.call('state.patch', { ...marked }))
    } finally {
      this.#underWay -= 1
    }
    return entry
  }
}

export function account(index: number): string {
  return `accounts/${ACCOUNTS[index] ?? ''}`
}

async function answerTo(call: Promise<unknown>): Promise<Answer> {
  try {
    const result = await call
    if (!isRecord(result)) throw new Error('a change was answered with nothing')
    return { kind: 'durable', operation: String(result['operation']), isDraft: result['draft'] === true }
  } catch (error) {
    if (!(error instanceof FleetstepError)) throw error
    // A full disk keeps the change until there is room: it may come yet.
    const isOpen = error.code === 'daemon-unreachable' || error.code === 'disk-full' || error.code === 'storage-failed'
    return isOpen ? { kind: 'unknown' } : { kind: 'error', code: error.code }
  }
}
