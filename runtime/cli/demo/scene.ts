import { setTimeout as pause } from 'node:timers/promises'
import { DEMO_PAUSE_MS } from '../../base/limits.ts'
import { FleetstepError } from '../../base/errors.ts'
import { allUp, type DemoFleet, lackOfEquality, type Sight } from './demo-fleet.ts'
import type { DemoGateway } from './demo-gateway.ts'
import { Ledger, type LedgerEntry } from './ledger.ts'
import type { NamedReading } from './compare.ts'
import type { StepFacts, Teller } from './teller.ts'
import { type Lack, type Patience, until } from './until.ts'

/** What every chapter of the story works with. */
export class Scene {
  readonly fleet: DemoFleet
  readonly ledger: Ledger = new Ledger()
  readonly #teller: Teller
  readonly #patience: Patience
  readonly #pauseMs: number
  #steps = 0

  /** @param isWatched a person reads: there are pauses after the steps */
  constructor(fleet: DemoFleet, teller: Teller, patience: Patience, isWatched: boolean) {
    this.fleet = fleet
    this.#teller = teller
    this.#patience = patience
    this.#pauseMs = isWatched ? DEMO_PAUSE_MS : 0
  }

  get patience(): Patience {
    return this.#patience
  }

  async tell(text: string, facts: StepFacts = {}): Promise<void> {
    this.#steps += 1
    this.#teller.step(this.#steps, text, facts)
    if (this.#pauseMs > 0) await pause(this.#pauseMs, undefined, { signal: this.#patience.signal })
  }

  /** @returns how long it took, in ms. @throws FleetstepError `not-converged`, with the step that it belongs to */
  async until(check: (sights: readonly Sight[]) => Lack): Promise<number> {
    try {
      return await until(async () => check(await this.look()), this.#patience)
    } catch (error) {
      if (!(error instanceof FleetstepError) || error.code !== 'not-converged') throw error
      throw new FleetstepError('not-converged', `after step ${this.#steps}: ${error.message}`, { cause: error })
    }
  }

  /** Waits until all replicas show the same state, order, outcomes and conflicts. @returns how long it took, in ms */
  async untilEqual(settledFrom: number | null = null): Promise<number> {
    return await this.until((sights) => lackOfEquality(sights, settledFrom))
  }

  async look(): Promise<readonly Sight[]> {
    const sights = await this.fleet.look()
    const replicas = allUp(sights)
    if (typeof replicas !== 'string') this.ledger.note(replicas)
    return sights
  }

  /** @throws FleetstepError `daemon-unreachable` */
  async replicas(): Promise<NamedReading[]> {
    const replicas = allUp(await this.look())
    if (typeof replicas !== 'string') return replicas
    throw new FleetstepError('daemon-unreachable', `${replicas} is down: its log stands beside its config`)
  }

  async set(gateway: DemoGateway, path: string, value: unknown): Promise<LedgerEntry> {
    const answer = await gateway.call('state.set', { path, value })
    return this.ledger.enter(gateway.name, `${path} = ${JSON.stringify(value)}`, answer)
  }

  async add(gateway: DemoGateway, path: string, amount: number): Promise<LedgerEntry> {
    const answer = await gateway.call('state.patch', { add: { [path]: amount } })
    return this.ledger.enter(gateway.name, `${path} + ${amount}`, answer)
  }

  async cutOff(gateway: DemoGateway): Promise<void> {
    await gateway.call('link.close', { name: LINK })
    await this.until((sights) => {
      const sight = sights.find((candidate) => candidate.gateway === gateway)
      return sight?.reading?.link === 'cut off' ? null : `${gateway.name} is not cut off`
    })
  }

  async reconnect(gateway: DemoGateway): Promise<void> {
    await gateway.call('link.open', { name: LINK })
  }
}

/** Name of the one link that a config without another name has. */
const LINK = 'mqtt'
