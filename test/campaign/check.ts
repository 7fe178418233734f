import { isDeepStrictEqual } from 'node:util'
import { ACCOUNTS, account, COUNTERS, DEPOSIT } from './load.ts'
import { type Entry, markerOf, type Records } from './records.ts'

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
    ...wrongCounters(standing, state),
    ...wrongAccounts(standing, state),
    ...wrongLists(standing, state),
    ...wrongPoints(standing, state),
    ...wrongInterlock(standing, state),
  ]
}

/** What was told durable stands, or somebody was told why it does not. */
function lostChanges(records: Records, state: State): string[] {
  return records.entries.flatMap((entry) => {
    const { key, answer, job, gateway } = entry
    if (answer?.kind !== 'durable' || state[markerOf(key)] === true || records.isForgiven(entry)) return []
    const fate = records.fateOf(answer.operation, answer.isDraft ? 'draft' : 'operation')
    return fate === null
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
function wrongCounters(standing: readonly Entry[], state: State): string[] {
  return Array.from({ length: COUNTERS }, (_, index) => `sums/sum${index}`).flatMap((path) => {
    const due = standing.reduce((sum, { patch }) => sum + (patch.add?.[path] ?? 0), 0)
    const is = Number(state[path] ?? 0)
    return is === due ? [] : [`${path} is ${is}, and what was added to it is ${due}`]
  })
}

function wrongAccounts(standing: readonly Entry[], state: State): string[] {
  const balances = ACCOUNTS.map((_, index) => Number(state[account(index)] ?? 0))
  const total = balances.reduce((sum, one) => sum + one, 0)
  const due = standing.some(({ job }) => job === 'deposit') ? DEPOSIT : 0
  return [
    ...balances.flatMap((one, index) => (one < 0 ? [`${account(index)} is ${one}: its guard did not hold`] : [])),
    ...(total === due ? [] : [`the accounts hold ${total} together, and ${due} was paid in`]),
  ]
}

function wrongLists(standing: readonly Entry[], state: State): string[] {
  const due = new Map<string, string[]>()
  for (const { patch } of standing)
    for (const [path, item] of Object.entries(patch.append ?? {})) {
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
function wrongPoints(standing: readonly Entry[], state: State): string[] {
  const keys = new Set(standing.map(({ key }) => key))
  const points = Object.entries(state).filter(([path]) => /^(shared|own|twins)\//.test(path))
  return [
    ...points.flatMap(([path, value]) =>
      keys.has(String(value)) ? [] : [`${path} is ${String(value)}, of a change that does not stand`],
    ),
    ...(isDeepStrictEqual(state['twins/left'], state['twins/right']) ? [] : ['the twins differ']),
  ]
}

/** Whoever took it gave it back before the next one took it; so each has given back what it took, but for the holder. */
function wrongInterlock(standing: readonly Entry[], state: State): string[] {
  const balance = new Map<string, number>()
  for (const { gateway, job } of standing) {
    if (job === 'take the interlock') balance.set(gateway, (balance.get(gateway) ?? 0) + 1)
    if (job === 'give the interlock back') balance.set(gateway, (balance.get(gateway) ?? 0) - 1)
  }
  return [...balance].flatMap(([gateway, count]) => {
    const due = state['interlock/holder'] === gateway ? 1 : 0
    return count === due ? [] : [`${gateway} took the interlock ${count - due} times more than it gave it back`]
  })
}
