import { isDeepStrictEqual } from 'node:util'
import { SETPOINT_MAX, VALVE_SAFE } from './device-profile.ts'
import { ACCOUNTS, account, DEPOSIT, FORBIDDEN, JOB_NAMES } from './load.ts'
import { type Entry, INTERLOCK_LOG, markerOf, type Records, takesOf } from './records.ts'
import type { JobReport } from './report.ts'

type State = Readonly<Record<string, unknown>>

/**
 * Decides from the clients' own records whether a fleet that has settled kept what was promised.
 * @param states of all gateways, by name
 * @returns one line for each promise that was broken
 */
export function brokenPromises(records: Records, states: ReadonlyMap<string, State>): string[] {
  const [[first, state] = ['', {}]] = states
  const differing = [...states].filter(([, other]) => !isDeepStrictEqual(other, state))
  const standing = records.entries.filter(({ key }) => state[markerOf(key)] === true)
  return [
    ...records.broken,
    ...differing.map(([name]) => `${name} has another state than ${first}`),
    ...lostChanges(records, state),
    ...unaskedChanges(records, state),
    ...wrongCounters(records, standing, state),
    ...wrongAccounts(records, standing, state),
    ...wrongLists(standing, state),
    ...wrongPoints(records, standing, state),
    ...wrongInterlock(records, standing, state),
    ...wrongLog(state),
    ...wrongDevices(standing, state),
  ]
}

/**
 * What the instruments of a fleet that has settled were told last is what its state says, and safe where it says nothing.
 * @param told by the point of the output
 */
export function wrongOutputs(told: ReadonlyMap<string, number | undefined>, state: State): string[] {
  return [...told].flatMap(([path, last]) => {
    const due = state[path] ?? VALVE_SAFE
    return last === due
      ? []
      : [`the output ${path} was told ${last ?? 'nothing'} last, and ${JSON.stringify(due)} is settled`]
  })
}

/** So few changes may miss a job, or a gateway, by chance. */
const ASKED_MIN = 400

/** What never stands is not tested: a load that does nothing would find nothing. */
export function idleJobs(jobs: Readonly<Record<string, JobReport>>): string[] {
  const asked = Object.values(jobs).reduce((sum, job) => sum + job.asked, 0)
  const forbidden: readonly string[] = Object.values(FORBIDDEN)
  if (asked < ASKED_MIN) return []
  return JOB_NAMES.flatMap((job) => {
    const report = jobs[job]
    if (forbidden.includes(job)) return report === undefined ? [`nobody tried to ${job}`] : []
    return report === undefined || report.standing === 0 ? [`no change of the job ‘${job}’ stands`] : []
  })
}

/** A gateway that takes nothing tests nothing. @param durableBy changes that each was told durable */
export function idleGateways(names: readonly string[], durableBy: ReadonlyMap<string, number>): string[] {
  const all = [...durableBy.values()].reduce((sum, count) => sum + count, 0)
  if (all < ASKED_MIN) return []
  return names.flatMap((name) => (durableBy.has(name) ? [] : [`no change was told durable by ${name}`]))
}

/** What was told durable stands, or somebody was told why it does not. */
function lostChanges(records: Records, state: State): string[] {
  return records.entries.flatMap((entry) => {
    const { key, answer, job, gateway } = entry
    if (answer?.kind !== 'durable' || state[markerOf(key)] === true || records.isForgiven(entry)) return []
    return records.fateOf(entry) === null
      ? [`${key} (${job}) was told durable by ${gateway} as ${answer.operation}, and is gone without a word`]
      : []
  })
}

/** What was refused before it became an operation is nowhere, and every marker was asked for. */
function unaskedChanges({ entries }: Records, state: State): string[] {
  const asked = new Map(entries.map((entry) => [markerOf(entry.key), entry]))
  return Object.keys(state).flatMap((path) => {
    if (!path.startsWith('done/')) return []
    const answer = asked.get(path)?.answer
    if (answer === undefined) return [`${path} was never asked for`]
    // A guard that was false at first may hold once the changes of others have come.
    const isRefused = answer?.kind === 'error' && answer.code !== 'operation-refused'
    return isRefused ? [`${path} stands, although its client was told ${answer.code}`] : []
  })
}

/** Each change that stands is counted once, and no other. */
function wrongCounters(records: Records, standing: readonly Entry[], state: State): string[] {
  const due = new Map<string, number>()
  for (const path of [...Object.keys(state), ...records.archivedSums.keys()])
    if (isCounter(path)) due.set(path, records.archivedSums.get(path) ?? 0)
  for (const { patch } of standing)
    for (const [path, addend] of Object.entries(patch.add ?? {}))
      if (isCounter(path)) due.set(path, (due.get(path) ?? 0) + addend)
  return [...due].flatMap(([path, sum]) => {
    const is = Number(state[path] ?? 0)
    return is === sum ? [] : [`${path} is ${is}, and what was added to it is ${sum}`]
  })
}

function isCounter(path: string): boolean {
  return path.startsWith('sums/') || path.endsWith('/starts')
}

function wrongAccounts(records: Records, standing: readonly Entry[], state: State): string[] {
  const balances = ACCOUNTS.map((_, index) => Number(state[account(index)] ?? 0))
  const total = balances.reduce((sum, one) => sum + one, 0)
  const hasDeposit = standing.some(({ job }) => job === 'deposit') || records.archivedSums.has(account(0))
  const due = hasDeposit ? DEPOSIT : 0
  return [
    ...balances.flatMap((one, index) => (one < 0 ? [`${account(index)} is ${one}: its guard did not hold`] : [])),
    ...(total === due ? [] : [`the accounts hold ${total} together, and ${due} was paid in`]),
  ]
}

function wrongLists(standing: readonly Entry[], state: State): string[] {
  const due = new Map<string, string[]>()
  for (const { patch } of standing)
    for (const [path, item] of Object.entries(patch.append ?? {})) {
      if (path === INTERLOCK_LOG) continue
      const list = due.get(path) ?? []
      list.push(String(item))
      due.set(path, list)
    }
  return [...due].flatMap(([path, items]) => {
    const list: unknown = state[path]
    const held = Array.isArray(list) ? list.map(String) : []
    return isDeepStrictEqual(held.toSorted(), items.toSorted())
      ? []
      : [`${path} holds ${held.join(' ')}, and what was appended is ${items.join(' ')}`]
  })
}

/** What stands at a point is the value of a change that stands, and changes of one operation stand together. */
function wrongPoints(records: Records, standing: readonly Entry[], state: State): string[] {
  const keys = new Set(standing.map(({ key }) => key))
  const points = Object.entries(state).filter(([path]) => /^(shared|own|twins)\//.test(path))
  return [
    ...points.flatMap(([path, value]) =>
      keys.has(String(value)) || records.archivedKeys.has(String(value))
        ? []
        : [`${path} is ${String(value)}, of a change that does not stand`],
    ),
    ...(isDeepStrictEqual(state['twins/left'], state['twins/right']) ? [] : ['the twins differ']),
  ]
}

/** Whoever took it gave it back before the next one took it; so each has given back what it took, but for the holder. */
function wrongInterlock(records: Records, standing: readonly Entry[], state: State): string[] {
  const balance = new Map(records.archivedTakes)
  for (const { gateway, job } of standing) {
    const takes = takesOf(job)
    if (takes !== 0) balance.set(gateway, (balance.get(gateway) ?? 0) + takes)
  }
  return [...balance].flatMap(([gateway, count]) => {
    const due = state['interlock/holder'] === gateway ? 1 : 0
    return count === due ? [] : [`${gateway} took the interlock ${count - due} times more than it gave it back`]
  })
}

/** Whoever holds it gives it back before another one takes it: so the order in which that settled must say. */
function wrongLog(state: State): string[] {
  const list: unknown = state[INTERLOCK_LOG]
  const log = Array.isArray(list) ? list.map(String) : []
  const last = log.at(-1)
  const named = state['interlock/holder']
  const holder = typeof named === 'string' ? named : undefined
  const due = last === undefined ? holder : last.startsWith('take ') ? last.slice('take '.length) : undefined
  const on = Object.keys(state).filter((path) => path.endsWith('/pump') && state[path] === true)
  return [
    ...log.flatMap((line, index) => {
      const before = log[index - 1]
      const isGood =
        before === undefined || (line.startsWith('take') ? before.startsWith('give') : isTakeOf(line, before))
      return isGood ? [] : [`the interlock settled as ‘${before}’ and then ‘${line}’`]
    }),
    ...(holder === due
      ? []
      : [`${holder ?? 'nobody'} holds the interlock, and the last that settled is ‘${last ?? ''}’`]),
    ...(isDeepStrictEqual(on, holder === undefined ? [] : [`${holder}/pump`])
      ? []
      : [`${holder ?? 'nobody'} holds the interlock, and on are: ${on.join(' ')}`]),
  ]
}

function isTakeOf(give: string, take: string): boolean {
  return take === give.replace('give', 'take')
}

/** The profiles hold in the settled state: nothing that they forbid stands. */
function wrongDevices(standing: readonly Entry[], state: State): string[] {
  const forbidden: readonly string[] = Object.values(FORBIDDEN)
  return [
    ...standing.flatMap(({ key, job }) => (forbidden.includes(job) ? [`${key} stands, which was to ${job}`] : [])),
    ...Object.entries(state).flatMap(([path, value]) => {
      const [device = '', point] = path.split('/')
      if (point === 'setpoint' && !(Number(value) >= 0 && Number(value) <= SETPOINT_MAX))
        return [`${path} is ${String(value)}, beyond its span`]
      const isForeign = point === 'serial' && !String(value).startsWith(`${device}/`)
      return isForeign ? [`${path} is ${String(value)}, which another gateway wrote`] : []
    }),
  ]
}
