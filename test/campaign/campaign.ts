import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { seededRandom } from '../../runtime/base/random.ts'
import type { GatewayStatus } from '../../runtime/gateway/inspection.ts'
import { obstacleToLoopDisks } from '../faults/loop-disk.ts'
import { findProgram } from '../support/system-programs.ts'
import { CampaignFleet } from './campaign-fleet.ts'
import { brokenPromises } from './check.ts'
import { applyProfile, missingReadings, profilesOf } from './devices.ts'
import { DEPOSIT, Load } from './load.ts'
import { logOf } from './logs.ts'
import { watchOver } from './operator.ts'
import { FOUNDER, GATEWAYS } from './plan.ts'
import { INTERLOCK_LOG, Records } from './records.ts'
import { type CampaignReport, type RoundReport, Sampler } from './report.ts'
import { reportPage } from './report-page.ts'
import type { Scene, Trouble } from './trouble.ts'
import { TROUBLES } from './troubles.ts'
import { alarmsWithoutCause } from './alarms.ts'

const USAGE = `npm run campaign -- [--seed N] [--minutes M] [--only KIND[,KIND]] [--per-second R] [--out DIRECTORY]
  --seed N        another draw of troubles and load (default 1)
  --minutes M     how long (default 5)
  --only KINDS    troubles of these kinds alone: ${Object.keys(TROUBLES).join(', ')}
  --per-second R  changes of each gateway (default 2)
  --out DIRECTORY where report.json and report.html go (default .cache/campaign/seed-N)`

/** @returns the exit code: 0, 1 if a promise was broken, 2 for wrong arguments */
export async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '5' },
      only: { type: 'string' },
      'per-second': { type: 'string', default: '2' },
      out: { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  const kinds = values.only?.split(',') ?? Object.keys(TROUBLES)
  const unknown = kinds.find((kind) => TROUBLES[kind] === undefined)
  if (values.help === true || unknown !== undefined) {
    console.error(unknown === undefined ? USAGE : `there is no trouble ${unknown}\n${USAGE}`)
    return values.help === true ? 0 : 2
  }
  const obstacle = obstacleToCampaign()
  if (obstacle !== null) {
    console.error(`Not tested: ${obstacle}.`)
    return process.env['CI'] === 'true' ? 1 : 0
  }
  const seed = Number(values.seed)
  const out = values.out ?? join('.cache', 'campaign', `seed-${seed}`)
  const report = await runCampaign({
    seed,
    minutes: Number(values.minutes),
    perSecond: Number(values['per-second']),
    kinds,
    out,
  })
  mkdirSync(out, { recursive: true })
  writeFileSync(join(out, 'report.json'), `${JSON.stringify(report, null, 2)}\n`)
  writeFileSync(join(out, 'report.html'), reportPage(report))
  console.log(textOf(report, out))
  return report.broken.length === 0 ? 0 : 1
}

/** Why no campaign can be run here, or null. */
export function obstacleToCampaign(): string | null {
  const missing = ['mosquitto', 'nats-server', 'socat', 'mosquitto_sub', 'ip', 'mkfs.ext4'].find(
    (program) => findProgram(program) === null,
  )
  return missing === undefined ? obstacleToLoopDisks() : `${missing} is missing`
}

interface CampaignOptions {
  readonly seed: number
  readonly minutes: number
  readonly perSecond: number
  readonly kinds: readonly string[]
  /** Where the reports go. */
  readonly out: string
}

export async function runCampaign({ seed, minutes, perSecond, kinds, out }: CampaignOptions): Promise<CampaignReport> {
  const startedAt = performance.now()
  const elapsedMs = (): number => Math.round(performance.now() - startedAt)
  const note = (line: string): void => console.log(`${(elapsedMs() / 1000).toFixed(1).padStart(7)} s  ${line}`)
  const random = seededRandom(seed)
  const records = new Records()
  const clockLibrary = CLOCK_LIBRARIES.find((file) => existsSync(file)) ?? null
  const fleet = await CampaignFleet.found({ records, seed, clockLibrary, note })
  let isOver = false
  const broken: string[] = []
  const rounds: RoundReport[] = []
  const sampler = new Sampler(fleet, elapsedMs)
  try {
    note('ten gateways are one fleet')
    const load = new Load({ records, perSecond, seed: seed + 1 })
    await load.change(fleet.gateway(FOUNDER), 'deposit', { add: { 'accounts/north': DEPOSIT } })
    const running = Promise.all([
      load.run([...fleet.gateways.values()], () => isOver),
      watchOver(fleet, () => isOver, note),
    ])
    const below = (limit: number): number => Math.floor((random.uint32() / 2 ** 32) * limit)
    const scene: Scene = { fleet, records, load, below, one: (list) => list[below(list.length)]! }
    const bag = new Bag(kinds, below)
    const endMs = minutes * 60_000
    while (broken.length === 0 && elapsedMs() < endMs) {
      const round = await runRound({ round: rounds.length + 1, scene, bag, load, elapsedMs, note, sampler })
      rounds.push(round)
      note(
        `all ${fleet.gateways.size} hold the same ${round.convergedMs} ms after the last trouble ended, settled after ${round.settledMs} ms`,
      )
      broken.push(
        ...brokenPromises(records, await fleet.states()),
        ...(await differingProfiles(fleet)),
        ...round.unnoticed,
        ...alarmsWithoutCause(fleet, rounds),
      )
      // A list has a bound; what was checked of it need not be kept.
      await load.change(fleet.gateway(FOUNDER), 'clear the log', { delete: [INTERLOCK_LOG] })
    }
    isOver = true
    await running
  } catch (error) {
    broken.push(error instanceof Error ? error.message : String(error))
  } finally {
    isOver = true
    sampler.stop()
    keepLogs(fleet, out)
    await fleet.end()
  }
  for (const line of broken) note(`BROKEN: ${line}`)
  return reportOf()

  function reportOf(): CampaignReport {
    return {
      seed,
      minutes,
      elapsedMs: elapsedMs(),
      operations: records.entries.length,
      durable: records.entries.filter(({ answer }) => answer?.kind === 'durable').length,
      unknown: records.entries.filter(({ answer }) => answer?.kind === 'unknown').length,
      rounds,
      samples: sampler.samples,
      falls: fleet.falls,
      broken,
    }
  }
}

interface Round {
  /** From 1. */
  readonly round: number
  readonly scene: Scene
  readonly bag: Bag
  readonly load: Load
  readonly elapsedMs: () => number
  readonly note: (line: string) => void
  readonly sampler: Sampler
}

/** Troubles come one by one, last a while under load, and go; then the load rests until all have settled. */
async function runRound({ round, scene, bag, load, elapsedMs, note, sampler }: Round): Promise<RoundReport> {
  const { fleet, below } = scene
  load.resume()
  const revised = scene.one(GATEWAYS).name
  note(`the operator changes the profile of ${revised}`)
  await applyProfile(fleet, revised, round)
  const begun: { readonly kind: string; readonly trouble: Trouble; readonly fromMs: number; untilMs: number }[] = []
  for (const [kind, trouble] of bag.draw(scene, 1 + below(3))) {
    note(trouble.what)
    begun.push({ kind, trouble, fromMs: elapsedMs(), untilMs: 0 })
    await trouble.begin()
    await sleep(below(2000))
  }
  await sleep(3000 + below(9000))
  // What needs the operator needs a fleet that can hear him, so the rest is mended before.
  for (const one of begun.toSorted((left, right) => Number(needsOperator(left)) - Number(needsOperator(right)))) {
    await one.trouble.end()
    one.untilMs = elapsedMs()
    note(`over: ${one.trouble.what}`)
  }
  await sleep(1000)
  const healedMs = elapsedMs()
  await load.pause()
  const bytesBefore = sampler.bytesSent()
  await fleet.untilAll(hasAll, 'all hold the same', CONVERGENCE_MS_MAX)
  const convergedMs = elapsedMs() - healedMs
  await fleet.untilAll(hasSettled, 'all have settled alike', CONVERGENCE_MS_MAX)
  const settledMs = elapsedMs() - healedMs
  await untilReadingsAreFresh(fleet)
  const unnoticed = await unnoticedOf(begun.map(({ trouble }) => trouble))
  return {
    unnoticed,
    troubles: begun.map(({ kind, trouble, fromMs, untilMs }) => ({ kind, what: trouble.what, fromMs, untilMs })),
    healedMs,
    convergedMs,
    settledMs,
    bytesToConverge: sampler.bytesSent() - bytesBefore,
  }
}

/** What must have been noticed may take a moment, as a broker that lets go of a client. */
async function unnoticedOf(troubles: readonly Trouble[]): Promise<string[]> {
  const unnoticed: string[] = []
  for (const { what, unnoticed: look } of troubles) {
    let problem = await look()
    for (const deadline = performance.now() + NOTICE_MS; problem !== null && performance.now() < deadline;) {
      await sleep(500)
      problem = await look()
    }
    if (problem !== null) unnoticed.push(`${what}: ${problem}`)
  }
  return unnoticed
}

const NOTICE_MS = 20_000

/** Whatever the operator put in force meanwhile is the same everywhere. */
async function differingProfiles(fleet: CampaignFleet): Promise<string[]> {
  const due = await profilesOf(fleet, FOUNDER)
  const differing: string[] = []
  for (const name of fleet.gateways.keys())
    if (!isDeepStrictEqual(await profilesOf(fleet, name), due)) differing.push(`${name} has other profiles in force`)
  return differing
}

/** Telemetry is told anew and not asked for, so it needs no settling but a moment. */
async function untilReadingsAreFresh(fleet: CampaignFleet): Promise<void> {
  for (const deadline = performance.now() + CONVERGENCE_MS_MAX; ; await sleep(500)) {
    const missing: string[] = []
    for (const name of fleet.gateways.keys())
      missing.push(...(await missingReadings(fleet, name)).map((path) => `${name} lacks ${path}`))
    if (missing.length === 0) return
    if (performance.now() > deadline) throw new Error(`telemetry is not fresh: ${missing.join(', ')}`)
  }
}

type InFleet = (status: GatewayStatus, all: ReadonlyMap<string, GatewayStatus>) => boolean

/** The same operations as the others, in one order. */
const hasAll: InFleet = ({ status, drafts, last, vector }, all) => {
  const [first] = all.values()
  const isSame = last.operation === first?.last.operation && isDeepStrictEqual(vector, first.vector)
  return status === 'member' && drafts === 0 && isSame
}

const hasSettled: InFleet = ({ floor, floorDigest, last }, all) => {
  const [first] = all.values()
  return floor === last.stage && floorDigest === first?.floorDigest
}

function needsOperator({ trouble }: { readonly trouble: Trouble }): boolean {
  return trouble.claims.includes('membership')
}

/** What two machines loaded with all of this take at most; a fleet that needs more has stopped. */
const CONVERGENCE_MS_MAX = 60_000

const CLOCK_LIBRARIES: readonly string[] = ['x86_64', 'aarch64', 'arm'].flatMap((machine) =>
  ['gnu', 'gnueabihf'].map((libc) => `/usr/lib/${machine}-linux-${libc}/faketime/libfaketime.so.1`),
)

/** Every kind comes before any comes again. */
class Bag {
  readonly #kinds: readonly string[]
  readonly #below: (limit: number) => number
  #rest: string[] = []

  constructor(kinds: readonly string[], below: (limit: number) => number) {
    this.#kinds = kinds
    this.#below = below
  }

  draw(scene: Scene, count: number): readonly (readonly [string, Trouble])[] {
    const drawn: (readonly [string, Trouble])[] = []
    const claimed = new Set<string>()
    while (drawn.length < count) {
      if (this.#rest.length === 0) this.#rest = [...this.#kinds]
      const kind = this.#rest.splice(this.#below(this.#rest.length), 1)[0] ?? ''
      const trouble = TROUBLES[kind]?.(scene)
      if (trouble === undefined) continue
      if (trouble.claims.some((claim) => claimed.has(claim))) {
        this.#rest.push(kind)
        break
      }
      for (const claim of trouble.claims) claimed.add(claim)
      drawn.push([kind, trouble])
    }
    return drawn
  }
}

/** What the gateways have logged, for whoever looks for the cause. */
function keepLogs(fleet: CampaignFleet, out: string): void {
  mkdirSync(out, { recursive: true })
  for (const name of fleet.known) writeFileSync(join(out, `${name}.log`), logOf(fleet.folder, name))
}

function textOf(report: CampaignReport, out: string): string {
  const { rounds, operations, durable, unknown, broken, falls, seed, minutes } = report
  return [
    `${rounds.length} rounds, ${rounds.flatMap(({ troubles }) => troubles).length} troubles, ${operations} changes: ${durable} told durable, ${unknown} without an answer`,
    `after a trouble all held the same within ${spanOf(rounds.map((round) => round.convergedMs))}, and had settled within ${spanOf(rounds.map((round) => round.settledMs))}`,
    `${falls.length} daemons ended by themselves`,
    broken.length === 0
      ? 'no promise was broken'
      : `${broken.length} promises broken; repeat with npm run campaign -- --seed ${seed} --minutes ${minutes}`,
    `report: ${join(out, 'report.html')}`,
  ].join('\n')
}

function spanOf(spansMs: readonly number[]): string {
  const mean = spansMs.reduce((sum, one) => sum + one, 0) / Math.max(1, spansMs.length)
  return `${Math.round(mean)} ms on average, ${Math.max(0, ...spansMs)} ms at most`
}
