import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { GatewayStatus } from '../../runtime/gateway/inspection.ts'
import type { Bag } from './bag.ts'
import type { CampaignFleet } from './campaign-fleet.ts'
import { applyProfile, missingReadings, profilesOf } from './devices.ts'
import type { Load } from './load.ts'
import { FOUNDER, GATEWAYS } from './plan.ts'
import type { RoundReport, TrafficReport } from './report.ts'
import { type Sampler, trafficBetween } from './sampler.ts'
import type { Scene, Trouble } from './trouble.ts'

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
export async function runRound({
  round,
  scene,
  bag,
  load,
  elapsedMs,
  note,
  sampler,
  patienceMs,
  troubleMs,
}: Round): Promise<RoundReport> {
  const { fleet, below } = scene
  const startMs = elapsedMs()
  const before = sampler.traffic()
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
  await sleep(troubleMs + below(3 * troubleMs))
  // What needs the operator needs a fleet that can hear him, so the rest is mended before.
  for (const one of begun.toSorted((left, right) => Number(needsOperator(left)) - Number(needsOperator(right)))) {
    await one.trouble.end()
    one.untilMs = elapsedMs()
    note(`over: ${one.trouble.what}`)
  }
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
  const unnoticed = await unnoticedOf(begun.map(({ trouble }) => trouble))
  return {
    fromMs: startMs,
    unnoticed,
    troubles: begun.map(({ kind, trouble: { what, claims }, fromMs, untilMs }) => ({
      kind,
      what,
      claims,
      fromMs,
      untilMs,
    })),
    healedMs,
    convergedMs,
    settledMs,
    traffic: trafficBetween(before, settled),
    bytesToConverge: bytesOf(trafficBetween(healed, settled)),
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

function bytesOf({ networkBytes, serialBytes }: TrafficReport): number {
  return networkBytes + serialBytes
}
