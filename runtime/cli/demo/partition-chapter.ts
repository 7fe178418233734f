import { FleetstepError } from '../../base/errors.ts'
import type { NamedReading } from './compare.ts'
import type { DemoGateway } from './demo-gateway.ts'
import type { LedgerEntry } from './ledger.ts'
import type { ConflictEntry } from './reading.ts'
import type { Scene } from './scene.ts'

/** The fleet meets, and a change goes round. */
export async function meetingChapter(scene: Scene): Promise<void> {
  const [first] = scene.fleet.gateways
  const tookMs = await scene.until((sights) => {
    for (const { gateway, reading } of sights) {
      if (reading === null) return `${gateway.name} is down`
      if (reading.link !== 'up') return `${gateway.name} is not connected to the broker`
      if (reading.heard < reading.others) return `${gateway.name} hears ${reading.heard} of ${reading.others} others`
    }
    return null
  })
  await scene.untilEqual()
  await scene.tell(`Three gateways are up, and each hears the two others (${Math.round(tookMs)} ms).`, { tookMs })
  const value = (await currentNumber(scene, SETPOINT)) === 20 ? 19 : 20
  const seen = await seenEverywhere(scene, first, SETPOINT, value)
  const others = seen.filter(({ name }) => name !== first.name)
  await scene.tell(
    `${first.name} sets ${SETPOINT} to ${value}. ` +
      `Seen ${others.map(({ name, tookMs: ms }) => `on ${name} after ${ms.toFixed(1)} ms`).join(', ')}.`,
    { seenMs: Object.fromEntries(others.map(({ name, tookMs: ms }) => [name, ms])) },
  )
}

/** One gateway is cut off, both sides go on, and both come together again. */
export async function partitionChapter(scene: Scene): Promise<void> {
  const [first, second, third] = scene.fleet.gateways
  const visitsBefore = await currentNumber(scene, VISITS)
  const setpointBefore = await currentNumber(scene, SETPOINT)
  await scene.cutOff(third)
  await scene.tell(`${third.name} is cut off from the others: its link is closed. It goes on by itself.`)
  const winner = setpointBefore + 1
  const loser = setpointBefore + 4
  const [, yielding] = await Promise.all([scene.set(first, SETPOINT, winner), scene.set(third, SETPOINT, loser)])
  await scene.tell(
    `Both sides change the same point, and neither sees the other: ` +
      `${first.name} sets ${SETPOINT} to ${winner}, ${third.name} to ${loser}.`,
  )
  const lamp = (await currentValue(scene, LAMP)) !== true
  const door = (await currentValue(scene, DOOR)) === 'open' ? 'shut' : 'open'
  await Promise.all([scene.set(second, LAMP, lamp), scene.set(third, DOOR, door)])
  await Promise.all([scene.add(first, VISITS, 2), scene.add(third, VISITS, 3)])
  await scene.tell(
    `Both sides change points of their own, and add to one counter: ${second.name} sets ${LAMP} to ${lamp}, ` +
      `${third.name} sets ${DOOR} to ${door}; ${VISITS} gets 2 more on ${first.name} and 3 more on ${third.name}.`,
  )
  await scene.reconnect(third)
  const tookMs = await scene.untilEqual()
  const replicas = await scene.replicas()
  await scene.tell(
    `${third.name} is reconnected. ${Math.round(tookMs)} ms later all three have the same state, order and conflicts.`,
    { tookMs },
  )
  await tellOfConflict(scene, replicas, { winner, yielding, loser })
  const expected = { [LAMP]: lamp, [DOOR]: door, [VISITS]: visitsBefore + 5 }
  for (const [path, value] of Object.entries(expected)) assertEverywhere(replicas, path, value)
  await scene.tell(
    `Nothing else had to yield: ${LAMP} is ${lamp}, ${DOOR} is ${door}, ` +
      `and ${VISITS} has both sums: ${visitsBefore} + 2 + 3 = ${visitsBefore + 5}.`,
  )
}

/** @throws FleetstepError `not-converged` */
export function assertEverywhere(replicas: readonly NamedReading[], path: string, value: unknown): void {
  for (const { name, reading } of replicas) {
    if (reading.state[path] === value) continue
    const found = JSON.stringify(reading.state[path])
    throw new FleetstepError('not-converged', `${path} should be ${JSON.stringify(value)} and is ${found} on ${name}`)
  }
}

/** The number at `path` on the first gateway; 0 if there is none. */
export async function currentNumber(scene: Scene, path: string): Promise<number> {
  const value = await currentValue(scene, path)
  return typeof value === 'number' ? value : 0
}

export async function currentValue(scene: Scene, path: string): Promise<unknown> {
  const reading = await scene.fleet.gateways[0].read()
  return reading?.state[path]
}

const SETPOINT = 'hall/setpoint'
export const LAMP = 'hall/lamp'
export const VISITS = 'hall/visits'
const DOOR = 'dock/door'

interface Contest {
  readonly winner: number
  readonly loser: number
  readonly yielding: LedgerEntry
}

async function tellOfConflict(scene: Scene, replicas: readonly NamedReading[], contest: Contest): Promise<void> {
  assertEverywhere(replicas, SETPOINT, contest.winner)
  const conflict = conflictOf(replicas, contest.yielding)
  const { fleet } = scene
  await scene.tell(
    `The change of higher priority stands: ${SETPOINT} is ${contest.winner}. The one that had to yield is listed as a ` +
      `conflict on each gateway, with its value: ${fleet.shortOperation(conflict.loser.operation)} wanted ` +
      `${JSON.stringify(conflict.loser.value)}, ${fleet.shortOperation(conflict.winner.operation)} stands.`,
    { conflict },
  )
}

function conflictOf(replicas: readonly NamedReading[], { operation }: LedgerEntry): ConflictEntry {
  for (const { name, reading } of replicas) {
    const conflict = reading.conflicts.find(({ loser }) => loser.operation === operation)
    if (conflict === undefined)
      throw new FleetstepError('not-converged', `${name} does not list ${operation}, which yielded`)
    if (name === replicas.at(-1)?.name) return conflict
  }
  throw new FleetstepError('not-converged', 'there is no replica')
}

/** Makes a change and waits until each gateway has executed it. */
async function seenEverywhere(
  scene: Scene,
  issuer: DemoGateway,
  path: string,
  value: number,
): Promise<{ name: string; tookMs: number }[]> {
  const seenAtMs = new Map<string, number>()
  const { gateways } = scene.fleet
  const stops = gateways.map((gateway) =>
    gateway.onChange((changed, after) => {
      if (changed === path && after === value && !seenAtMs.has(gateway.name))
        seenAtMs.set(gateway.name, performance.now())
    }),
  )
  const startedMs = performance.now()
  await scene.set(issuer, path, value)
  await scene.until(() => {
    const missing = gateways.find(({ name }) => !seenAtMs.has(name))
    return missing === undefined ? null : `${missing.name} has not seen ${path} = ${value}`
  })
  for (const stop of stops) stop()
  return [...seenAtMs].map(([name, atMs]) => ({ name, tookMs: atMs - startedMs })).sort(byName)
}

function byName(left: { name: string }, right: { name: string }): number {
  return left.name < right.name ? -1 : 1
}
