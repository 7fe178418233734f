import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { GatewayStatus } from '../../runtime/gateway/inspection.ts'
import type { Bag } from './bag.ts'
import type { CampaignFleet } from './campaign-fleet.ts'
import { wrongOutputs } from './check.ts'
import { VALVE } from './device-profile.ts'
import { applyProfile, missingReadings, profilesOf } from './devices.ts'
import type { Load } from './load.ts'
import { FOUNDER, GATEWAYS } from './plan.ts'
import { alarmsSince, logMarks } from './logs.ts'
import type { RoundReport, TrafficReport, TroubleReport } from './report.ts'
import { type Sampler, trafficBetween } from './sampler.ts'
import { type Scene, type Trouble, within } from './trouble.ts'

export interface Round {
  /** From 1. */
  readonly round: number
  readonly scene: Scene
  readonly bag: Bag
  readonly load: Load
  readonly elapsedMs: () => number
  readonly note: (line: string) => void
  /** How long a healed fleet may take until all hold the same. */
  readonly patienceMs: number
  /** How long troubles last at least; some moments more are drawn. */
  readonly troubleMs: number
  readonly sampler: Sampler
}

/** Troubles come one by one, last a while under load, and go; then the load rests until all have settled. */
export async function runRound(round: Round): Promise<RoundReport> {
  const { scene, load, elapsedMs, note, sampler, patienceMs } = round
  const { fleet, records } = scene
  const startMs = elapsedMs()
  const before = sampler.traffic()
  const marks = logMarks(fleet)
  const { drafted, conflicted } = records
  const { length: falls } = fleet.falls
  load.resume()
  const revised = scene.one(GATEWAYS).name
  note(`the operator changes the profile of ${revised}`)
  await applyProfile(fleet, revised, round.round)
  const begun = await beginTroubles(round)
  await endTroubles(round, begun)
  await sleep(1000)
  const healedMs = elapsedMs()
  await load.pause()
  const healed = sampler.traffic()
  await fleet.untilAll(hasAll, 'all hold the same', patienceMs)
  const convergedMs = elapsedMs() - healedMs
  await fleet.untilAll(hasSettled, 'all have settled alike', patienceMs)
  const settledMs = elapsedMs() - healedMs
  const settled = sampler.traffic()
  await untilReadingsAreFresh(fleet, patienceMs)
  await untilOutputsFollow(fleet, patienceMs)
  // A device that its gateway can speak to again is told of in the state too.
  await fleet.untilAll(hasAll, 'all hold the same', patienceMs)
  await fleet.untilAll(hasSettled, 'all have settled alike', patienceMs)
  const unnoticed = await unnoticedOf(begun.map(({ trouble }) => trouble))
  await lookAt(begun)
  for (const { kind, sign, trouble } of begun) {
    note(sign === null ? `struck nothing: ${trouble.what}` : `${trouble.what}: ${sign}`)
    if (sign === null) round.bag.putBack(kind)
  }
  return {
    fromMs: startMs,
    unnoticed,
    troubles: begun.map(reportOf),
    healedMs,
    convergedMs,
    settledMs,
    traffic: trafficBetween(before, settled),
    bytesToConverge: bytesOf(trafficBetween(healed, settled)),
    alarms: alarmsSince(fleet, marks),
    drafted: records.drafted - drafted,
    conflicted: records.conflicted - conflicted,
    falls: fleet.falls.length - falls,
  }
}

/** A trouble of this round. */
interface Begun {
  readonly kind: string
  readonly trouble: Trouble
  readonly fromMs: number
  /** When it is over if it has struck by then. */
  readonly dueMs: number
  untilMs: number
  sign: string | null
}

async function beginTroubles({ scene, bag, elapsedMs, note, troubleMs }: Round): Promise<Begun[]> {
  const { below } = scene
  const begun: Begun[] = []
  for (const [kind, trouble] of bag.draw(scene, 1 + below(3))) {
    note(trouble.what)
    const fromMs = elapsedMs()
    const lastsMs = trouble.lastsMs ?? troubleMs + below(3 * troubleMs)
    begun.push({ kind, trouble, fromMs, dueMs: fromMs + lastsMs, untilMs: 0, sign: null })
    await trouble.begin()
    await sleep(below(2000))
  }
  return begun
}

/**
 * Each ends when its time is over and it has been seen to strike. What needs the operator needs a fleet that can hear him, so the
 * rest is mended before.
 */
async function endTroubles({ elapsedMs, note }: Round, begun: readonly Begun[]): Promise<void> {
  const open = begun.toSorted(
    (left, right) => Number(needsOperator(left)) - Number(needsOperator(right)) || left.dueMs - right.dueMs,
  )
  for (const one of open) {
    const lastMs = one.dueMs + (one.trouble.strikesAtEnd ? 0 : STRIKE_MS)
    while (elapsedMs() < one.dueMs || (one.sign === null && elapsedMs() < lastMs)) {
      await lookAt(open.filter(({ untilMs }) => untilMs === 0))
      await sleep(LOOK_MS)
    }
    await lookAt([one])
    await one.trouble.end()
    one.untilMs = elapsedMs()
    note(`over: ${one.trouble.what}`)
  }
}

/** A sign that was seen once stays; a trouble may have more to say of it later. */
async function lookAt(begun: readonly Begun[]): Promise<void> {
  for (const one of begun) one.sign = (await one.trouble.struck()) ?? one.sign
}

const LOOK_MS = 500

/** How much longer a trouble lasts that nobody has seen to strike: a gateway looks at the room on its disk every ten seconds. */
const STRIKE_MS = 15_000

function reportOf({ kind, trouble: { what, claims, alarms }, fromMs, untilMs, sign }: Begun): TroubleReport {
  return { kind, what, claims, fromMs, untilMs, struck: sign, mayRaise: alarms() }
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

const NOTICE_MS = 60_000

/** Whatever the operator put in force meanwhile is the same everywhere. */
export async function differingProfiles(fleet: CampaignFleet): Promise<string[]> {
  const due = await profilesOf(fleet, FOUNDER)
  const differing: string[] = []
  for (const name of fleet.gateways.keys())
    if (!isDeepStrictEqual(await profilesOf(fleet, name), due)) differing.push(`${name} has other profiles in force`)
  return differing
}

/** Telemetry is told anew and not asked for, so it needs no settling but a moment. */
async function untilReadingsAreFresh(fleet: CampaignFleet, patienceMs: number): Promise<void> {
  for (const deadline = performance.now() + patienceMs; ; await sleep(500)) {
    const missing: string[] = []
    for (const name of fleet.gateways.keys())
      missing.push(...(await missingReadings(fleet, name)).map((path) => `${name} lacks ${path}`))
    if (missing.length === 0) return
    if (performance.now() > deadline) throw new Error(`telemetry is not fresh: ${missing.join(', ')}`)
  }
}

/** What each output was told last, by its point. */
export function outputsOf({ instrument }: CampaignFleet): ReadonlyMap<string, number | undefined> {
  return new Map([[VALVE, instrument?.told.at(-1)]])
}

/** An instrument is asked again with pauses where its terminal was taken. Whoever does not follow in time has broken a promise. */
async function untilOutputsFollow(fleet: CampaignFleet, patienceMs: number): Promise<void> {
  const state = (await fleet.states()).get(FOUNDER) ?? {}
  await within(patienceMs, () => wrongOutputs(outputsOf(fleet), state).length === 0)
}

type InFleet = (status: GatewayStatus, all: ReadonlyMap<string, GatewayStatus>) => boolean

/** The same operations as the others, in one order. */
const hasAll: InFleet = ({ status, drafts, last, vector }, all) => {
  const [first] = all.values()
  const isSame = last.operation === first?.last.operation && isDeepStrictEqual(vector, first.vector)
  return status === 'member' && drafts === 0 && isSame
}

export const hasSettled: InFleet = ({ floor, floorDigest, last }, all) => {
  const [first] = all.values()
  return floor === last.stage && floorDigest === first?.floorDigest
}

function needsOperator({ trouble }: { readonly trouble: Trouble }): boolean {
  return trouble.claims.includes('membership')
}

function bytesOf({ networkBytes, serialBytes }: TrafficReport): number {
  return networkBytes + serialBytes
}
