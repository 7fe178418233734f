import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fraction, seededRandom } from '../../runtime/base/random.ts'
import { alarmsWithoutCause } from './alarms.ts'
import { Bag } from './bag.ts'
import { CampaignFleet } from './campaign-fleet.ts'
import { brokenPromises, idleGateways, idleJobs, wrongOutputs } from './check.ts'
import { growths } from './flat.ts'
import { kindsOf } from './kinds.ts'
import { removeLeftovers } from './leftovers.ts'
import { DEPOSIT, Load } from './load.ts'
import { alarmsSince, logOf } from './logs.ts'
import { watchOver } from './operator.ts'
import { FOUNDER, GATEWAYS } from './plan.ts'
import { INTERLOCK_LOG, Records } from './records.ts'
import { removeReleases } from './releases.ts'
import type { CampaignReport, RoundReport } from './report.ts'
import { differingProfiles, hasSettled, outputsOf, runRound } from './round.ts'
import { Sampler } from './sampler.ts'
import { tidy } from './tidy.ts'
import type { Scene } from './trouble.ts'

export interface CampaignOptions {
  readonly seed: number
  readonly minutes: number
  /** Changes of each gateway. */
  readonly perSecond: number
  /** Of troubles; none for a quiet campaign. */
  readonly kinds: readonly string[]
  /** The state is kept small, and memory and disk have to stay flat. */
  readonly isSoak: boolean
  /** How long a healed fleet may take until all hold the same. */
  readonly patienceMs: number
  /** Where the reports and logs go. */
  readonly out: string
}

/** The library that shows a daemon another time of day, or null. */
export const CLOCK_LIBRARY: string | null =
  ['x86_64', 'aarch64', 'arm']
    .flatMap((machine) =>
      ['gnu', 'gnueabihf'].map((libc) => `/usr/lib/${machine}-linux-${libc}/faketime/libfaketime.so.1`),
    )
    .find((file) => existsSync(file)) ?? null

/** One fleet from its founding to its end. What it had made on this machine is gone when it resolves. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  for (const left of removeLeftovers()) console.log(`left by an earlier campaign, and taken away: ${left}`)
  assertClockIsShown()
  const records = new Records()
  const startedAt = performance.now()
  const elapsedMs = (): number => Math.round(performance.now() - startedAt)
  const note = (line: string): void => console.log(`${(elapsedMs() / 1000).toFixed(1).padStart(7)} s  ${line}`)
  const fleet = await CampaignFleet.found({ records, seed: options.seed, clockLibrary: CLOCK_LIBRARY, note })
  note('ten daemons and an application are one fleet')
  const sampler = new Sampler(fleet, records, options.minutes, elapsedMs)
  const load = new Load({ records, perSecond: options.perSecond, seed: options.seed + 1 })
  const campaign: Campaign = { options, records, fleet, sampler, load, elapsedMs, note, broken: [], rounds: [] }
  const stopListening = leaveWhenTold(fleet)
  try {
    await load.change(fleet.gateway(FOUNDER), 'deposit', { add: { 'accounts/north': DEPOSIT } })
    await underLoad(campaign, async () => await runRounds(campaign))
    const report = await reportOf(campaign)
    for (const line of campaign.broken) note(`BROKEN: ${line}`)
    return report
  } finally {
    sampler.stop()
    for (const name of fleet.known) writeFileSync(join(options.out, `${name}.log`), logOf(fleet.folder, name))
    await fleet.end()
    removeReleases()
    stopListening()
  }
}

interface Campaign {
  readonly options: CampaignOptions
  readonly records: Records
  readonly fleet: CampaignFleet
  readonly sampler: Sampler
  readonly load: Load
  readonly elapsedMs: () => number
  readonly note: (line: string) => void
  readonly broken: string[]
  readonly rounds: RoundReport[]
}

/** Clients and operator go on until `work` is done, or one of them fails; whatever fails is a broken promise. */
async function underLoad({ fleet, load, note, broken }: Campaign, work: () => Promise<void>): Promise<void> {
  let isOver = false
  const noteFailure = (error: unknown): void => {
    broken.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
  const running = [
    load.run([...fleet.gateways.values()], () => isOver).catch(noteFailure),
    watchOver(fleet, () => isOver, note).catch(noteFailure),
  ]
  await work().catch(noteFailure)
  isOver = true
  await Promise.all(running)
}

async function runRounds(campaign: Campaign): Promise<void> {
  const { options, records, fleet, load, broken, rounds, elapsedMs, note } = campaign
  const random = seededRandom(options.seed)
  const below = (limit: number): number => Math.floor(fraction(random) * limit)
  const longMs = (): ReturnType<Scene['longMs']> => longTrouble(options.minutes, elapsedMs())
  const scene: Scene = { fleet, records, load, below, one: (list) => list[below(list.length)]!, longMs }
  const bag = new Bag(options.kinds, below)
  const troubleMs = options.isSoak ? SOAK_TROUBLE_MS : TROUBLE_MS
  const { patienceMs } = options
  // A machine that took all of the time to found the fleet has tested nothing yet.
  const lastBeginMs = options.minutes * 60_000 - ROUND_MS
  while (broken.length === 0 && (rounds.length === 0 || elapsedMs() < lastBeginMs)) {
    const round = await runRound({ ...campaign, round: rounds.length + 1, scene, bag, patienceMs, troubleMs })
    rounds.push(round)
    const { convergedMs, settledMs } = round
    note(`all hold the same ${convergedMs} ms after the last trouble ended, and have settled after ${settledMs} ms`)
    const states = await fleet.states()
    broken.push(
      ...brokenPromises(records, states),
      ...wrongOutputs(outputsOf(fleet), states.get(FOUNDER) ?? {}),
      ...(await differingProfiles(fleet)),
      ...round.unnoticed,
      ...alarmsWithoutCause(alarmsSince(fleet, new Map()), [
        ...rounds.flatMap(({ troubles }) => troubles.flatMap(({ mayRaise }) => mayRaise)),
        ...fleet.fallCauses,
      ]),
    )
    // A list has a bound; what was checked of it need not be kept.
    await load.change(fleet.gateway(FOUNDER), 'clear the log', { delete: [INTERLOCK_LOG] })
    if (!options.isSoak) continue
    await tidy(fleet, records, load)
    // What is appended to a list meanwhile would go with it.
    await fleet.untilAll(hasSettled, 'what was taken out is gone everywhere', patienceMs)
  }
}

/**
 * How long a gateway may stand still: from 20 s to 3 minutes in a campaign of 10 minutes, less in a shorter one, and so that the
 * campaign ends about in time.
 */
export function longTrouble(minutes: number, elapsedMs: number): ReturnType<Scene['longMs']> {
  const leastMs = Math.min(20_000, minutes * 4000)
  const mostMs = minutes < 10 ? minutes * 6000 : 180_000
  return { leastMs, mostMs: Math.max(leastMs, Math.min(mostMs, minutes * 60_000 - elapsedMs - 30_000)) }
}

/** A round takes about as long: none begins that would end much later than the campaign. */
const ROUND_MS = 30_000
const TROUBLE_MS = 3000
const SOAK_TROUBLE_MS = 20_000
/** A heap takes some minutes to its full size; a shorter soak says nothing of memory. */
const SOAK_MINUTES_MIN = 30

async function reportOf(campaign: Campaign): Promise<CampaignReport> {
  const { options, records, fleet, sampler, load, elapsedMs, broken } = campaign
  const { seed, minutes, perSecond, isSoak } = options
  if (isSoak && minutes >= SOAK_MINUTES_MIN) broken.push(...growths(sampler.samples))
  const state = (await fleet.states().catch(() => null))?.get(FOUNDER) ?? {}
  const jobs = records.jobsIn(state)
  if (broken.length === 0) broken.push(...idleJobs(jobs), ...idleGateways(NAMES, records.durableBy))
  const { user, system } = process.cpuUsage()
  return {
    seed,
    commit: commitOf(),
    minutes,
    perSecond,
    elapsedMs: elapsedMs(),
    ...records.answers(),
    typed: load.typed,
    jobs,
    prefixes: records.prefixes,
    rounds: campaign.rounds,
    kinds: kindsOf(campaign.rounds),
    traffic: sampler.traffic(),
    cpu: { gatewaysMs: sampler.cpuMs(), harnessMs: Math.round((user + system) / 1000) },
    samples: sampler.samples,
    alarms: alarmsSince(fleet, new Map()),
    toldByOthers: records.toldByOthers.size,
    falls: fleet.falls,
    broken,
  }
}

const NAMES: readonly string[] = GATEWAYS.map(({ name }) => name)

function commitOf(): string {
  const git = (...words: readonly string[]): string =>
    spawnSync('git', words, { encoding: 'utf8' }).stdout?.trim() ?? ''
  const commit = git('rev-parse', '--short', 'HEAD')
  return commit === '' ? 'unknown' : `${commit}${git('status', '--porcelain') === '' ? '' : '+'}`
}

/** Whoever ends a campaign early gets the machine back as it was. @returns what takes the listeners away */
function leaveWhenTold(fleet: CampaignFleet): () => void {
  const leave = (): void => void fleet.end().finally(() => process.exit(130))
  for (const signal of SIGNALS) process.once(signal, leave)
  return () => {
    for (const signal of SIGNALS) process.off(signal, leave)
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** A library that shows no other time would make troubles of clocks that are none. */
function assertClockIsShown(): void {
  const { stdout } = spawnSync(process.execPath, ['-p', 'Date.now()'], {
    env: { ...process.env, LD_PRELOAD: CLOCK_LIBRARY ?? '', FAKETIME: '-20500d' },
    encoding: 'utf8',
  })
  if (!(Number(stdout) < Date.now() / 10)) throw new Error(`libfaketime shows a daemon ${stdout} and not 1970`)
}
