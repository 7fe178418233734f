import { ANNOUNCE_INTERVAL_MAX_MS, ANNOUNCE_INTERVAL_MEMBERS } from '../../runtime/base/limits.ts'
import { anyOf, ScaleFleet, type ScaleNode, spread, type Traffic } from './scale-fleet.ts'

export interface ScaleJob {
  readonly members: number
  /** Length of the phases in which traffic and CPU time are counted. */
  readonly windowMs: number
  readonly isVerbose: boolean
}

/** Figures by the names of `scale.bench.ts`. */
export type ScaleFigures = Readonly<Record<string, number>>

const START_MS = 10_000
/** Members that have issued something before anything is measured. */
const ISSUERS_MAX = 20
/** Members that listen while all are idle. */
const SAMPLE = 50
const ACTIVE_SHARE = 0.01
/** Each active member changes a point at this interval. */
const CHANGE_INTERVAL_MS = 10_000
/** Changes of which each is settled before the next one. */
const SETTLED_CHANGES = 4
const PATIENCE_MS = 3_600_000

/** A fleet from its start to its rest, with one change, one change that many have not heard, and steady work of 1 %. */
export function measureScale({ members, windowMs, isVerbose }: ScaleJob): ScaleFigures {
  const before = heapKb()
  const fleet = new ScaleFleet(members)
  const say = (phase: string): void => {
    if (isVerbose)
      console.error(members, phase, Math.round(fleet.now), Math.round(cpuMs()), JSON.stringify([...fleet.byKind]))
  }
  for (const node of fleet.nodes) fleet.at(spread(fleet, START_MS), () => node.start())
  fleet.run(2 * START_MS)
  say('started')
  // So that version vectors name many members.
  for (const [index, node] of fleet.nodes.slice(0, ISSUERS_MAX).entries()) {
    fleet.at(fleet.now + spread(fleet, START_MS), () => node.set(`node${index}/state`, index))
  }
  fleet.run(fleet.now + START_MS)
  mustHold(fleet, () => fleet.nodes.every((node) => node.get(`node0/state`) === 0 && node.floor > 0))
  say('issued')
  const change = measureChange(fleet, 'change', () => false)
  say('change')
  const loss = measureChange(fleet, 'loss', () => fleet.random.uint32() % 10 === 0)
  say('loss')
  const settled = measureSettling(fleet)
  say('settled')
  const active = measureActive(fleet, windowMs)
  say('active')
  const memoryKb = (heapKb() - before) / members
  fleet.listeners = fleet.nodes.filter((_, index) => index % Math.ceil(members / SAMPLE) === 0)
  // Until the intervals have grown to their longest.
  const intervalMs = ANNOUNCE_INTERVAL_MAX_MS * Math.max(1, members / ANNOUNCE_INTERVAL_MEMBERS)
  fleet.run(fleet.now + 2 * intervalMs)
  say('rest')
  const idle = measureIdle(fleet, intervalMs)
  say('idle')
  return { ...change, ...loss, ...settled, ...active, ...idle, memoryKb }
}

function measureIdle(fleet: ScaleFleet, windowMs: number): ScaleFigures {
  const before = fleet.traffic
  const cpu = cpuMs()
  fleet.run(fleet.now + windowMs)
  return {
    ...rates('idle', since(before, fleet), windowMs),
    idleCpu: perNode(fleet.listeners.length, cpuMs() - cpu, windowMs),
  }
}

/** One member changes one point; who loses it must find out. */
function measureChange(fleet: ScaleFleet, name: 'change' | 'loss', loses: (node: ScaleNode) => boolean): ScaleFigures {
  const path = `line1/${name}`
  const start = fleet.now
  const before = fleet.traffic
  fleet.loses = loses
  anyOf(fleet).set(path, 1)
  fleet.run(start + 10)
  fleet.loses = () => false
  mustHold(fleet, () => fleet.nodes.every((node) => node.get(path) === 1))
  const heardMs = fleet.now - start
  const heard = since(before, fleet)
  return {
    [`${name}Ms`]: heardMs,
    [`${name}Kb`]: heard.bytes / 1000,
  }
}

/** From a change until nobody can order anything before it: on average, since it goes by when the last of all announces. */
function measureSettling(fleet: ScaleFleet): ScaleFigures {
  const start = fleet.now
  for (let change = 1; change <= SETTLED_CHANGES; change += 1) {
    const issuer = anyOf(fleet)
    issuer.set('line1/settled', change)
    const { stage } = issuer.replica.inspect(fleet.now).last
    mustHold(fleet, () => fleet.nodes.every(({ floor }) => floor >= stage))
  }
  return { settledMs: (fleet.now - start) / SETTLED_CHANGES }
}

function measureActive(fleet: ScaleFleet, windowMs: number): ScaleFigures {
  const before = fleet.traffic
  const cpu = cpuMs()
  const start = fleet.now
  const active = fleet.nodes.slice(0, Math.ceil(ACTIVE_SHARE * fleet.nodes.length))
  let changes = 0
  for (const [index, node] of active.entries()) {
    for (let at = start + spread(fleet, CHANGE_INTERVAL_MS); at < start + windowMs; at += CHANGE_INTERVAL_MS) {
      changes += 1
      fleet.at(at, () => node.set(`node${index}/state`, fleet.now))
    }
  }
  fleet.run(start + windowMs)
  const figures = {
    ...rates('active', since(before, fleet), windowMs),
    activeCpu: perNode(fleet.nodes.length, cpuMs() - cpu, windowMs),
    activeChanges: changes,
  }
  const values = (node: ScaleNode): string => JSON.stringify(active.map((_, index) => node.get(`node${index}/state`)))
  mustHold(fleet, () => new Set(fleet.nodes.map(values)).size === 1)
  return figures
}

function rates(name: 'idle' | 'active', traffic: Traffic, ms: number): ScaleFigures {
  return { [`${name}BytesPerS`]: (1000 * traffic.bytes) / ms, [`${name}FramesPerS`]: (1000 * traffic.frames) / ms }
}

/** Lets time pass in steps until the condition holds, and fails if it never does. */
function mustHold(fleet: ScaleFleet, holds: () => boolean): void {
  for (const end = fleet.now + PATIENCE_MS; !holds();) {
    if (fleet.now > end) throw new Error(`${fleet.nodes.length} members have not come to rest`)
    fleet.run(fleet.now + 20)
  }
}

function since(before: Traffic, { traffic }: ScaleFleet): Traffic {
  return { frames: traffic.frames - before.frames, bytes: traffic.bytes - before.bytes }
}

/** Microseconds of CPU time for each node and second. */
function perNode(nodes: number, cpu: number, windowMs: number): number {
  return (1e6 * cpu) / windowMs / nodes
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function heapKb(): number {
  for (let round = 0; round < 2; round++) (globalThis as { gc?: () => void }).gc?.()
  return process.memoryUsage().heapUsed / 1000
}
