import { isDigest } from '../base/digest.ts'
import { FleetstepError } from '../base/errors.ts'
import { formatOperationId } from '../base/ids.ts'
import { COMPARISONS, type Comparison } from '../state/operation.ts'
import type { Change } from '../sync/output.ts'
import { conflictToJson } from './conflict-json.ts'
import { epochFromJson, epochToJson } from './epoch-file.ts'
import type { EpochChange } from './fleet-access.ts'
import { isRecord, valueFromJson, valueToJson } from './control-protocol.ts'
import type { ControlHandler } from './control-server.ts'
import { enforceFor, fleetProfiles } from './fleet-profiles.ts'
import type { Gateway } from './gateway.ts'
import type { MirrorPart } from './mirror-part.ts'
import { statusOf } from './inspection.ts'
import { journalEventsOf } from './journal-watch.ts'
import { correctMisfits, defaultValueAt, misfitsOf } from './profile-misfits.ts'
import { profileOffers, takeOffers } from './profile-offers.ts'
import type { ProfilePart } from './profile-part.ts'
import type { Receipt } from './receipt.ts'
import type { Transaction } from './state-access.ts'
import type { View } from './watchers.ts'

type Params = Readonly<Record<string, unknown>>
type Stream = Parameters<ControlHandler>[2]
type Method = (gateway: Gateway, params: Params, stream: Stream, profile: ProfilePart | null) => unknown
type Mirror = Pick<MirrorPart, 'status'>

/** What a daemon answers; the table in `runtime/gateway/README.md` describes each. */
export function controlHandler(
  gateway: Gateway,
  profile: ProfilePart | null = null,
  mirror: Mirror | null = null,
): ControlHandler {
  return (method, params, stream) => {
    if (method === 'status') return statusOf(gateway, profile?.status() ?? null, mirror?.status() ?? null)
    const answer = METHODS.get(method)
    if (answer === undefined) throw new FleetstepError('request-invalid', `there is no method ${method}`)
    return answer(gateway, params, stream, profile)
  }
}

const METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  ['state.get', (gateway, params) => getState(gateway, params)],
  ['state.set', async (gateway, params) => await answerDurable(gateway, setState(gateway, params))],
  [
    'state.delete',
    async (gateway, params) => await answerDurable(gateway, gateway.state.delete(textOf(params, 'path'))),
  ],
  [
    'state.patch',
    async (gateway, params) =>
      await answerDurable(
        gateway,
        gateway.state.transaction((change) => describePatch(change, params)),
      ),
  ],
  [
    'state.show',
    (gateway, params) =>
      params['device'] === undefined ? gateway.points() : gateway.pointsOf(textOf(params, 'device')),
  ],
  ['state.watch', watchState],
  ['telemetry.list', (gateway, params) => listTelemetry(gateway, params)],
  ['journal.list', (gateway) => gateway.inspect().journal()],
  ['journal.watch', watchJournal],
  ['conflict.list', (gateway) => gateway.conflicts.list().map(conflictToJson)],
  [
    'conflict.reapply',
    async (gateway, params) => await answerDurable(gateway, gateway.conflicts.reapply(textOf(params, 'id'))),
  ],
  ['conflict.dismiss', (gateway, params) => gateway.conflicts.dismiss(textOf(params, 'id'))],
  ['epoch.propose', (gateway, params) => epochToJson(gateway.epochs.propose(epochChangeOf(params)))],
  [
    'epoch.take',
    async (gateway, params) => {
      await gateway.epochs.take(epochFromJson(params['epoch'], 'what was handed over'))
      return gateway.inspect().epoch
    },
  ],
  ['profile.list', (gateway) => fleetProfiles(gateway)],
  ['profile.get', (_gateway, _params, _stream, profile) => ownProfile(profile).report()],
  ['profile.apply', (_gateway, _params, _stream, profile) => ownProfile(profile).apply()],
  [
    'profile.enforce',
    async (gateway, params) => {
      const [device, node, text] = [textOf(params, 'device'), textOf(params, 'node'), textOf(params, 'text')]
      return await answerDurable(gateway, enforceFor(gateway, device, node, text))
    },
  ],
  [
    'profile.remove',
    async (gateway, params) =>
      await answerDurable(gateway, gateway.profiles.remove(deviceWithProfile(gateway, textOf(params, 'device')))),
  ],
  ['profile.offers', (gateway) => profileOffers(gateway)],
  [
    'profile.take-offers',
    (gateway, params) => takeOffers(gateway, params['device'] === undefined ? null : textOf(params, 'device')),
  ],
  ['profile.misfits', listMisfits],
  ['link.list', (gateway) => gateway.links()],
  ['link.open', (gateway, params) => gateway.openLink(textOf(params, 'name'))],
  ['link.close', async (gateway, params) => await gateway.closeLink(textOf(params, 'name'))],
])

function listMisfits(gateway: Gateway, params: Params): unknown {
  const device = deviceWithProfile(gateway, params['device'] === undefined ? gateway.device : textOf(params, 'device'))
  return params['correct'] === true ? correctMisfits(gateway, device) : misfitsOf(gateway, device)
}

function deviceWithProfile(gateway: Gateway, device: string): string {
  if (gateway.profiles.list().some((one) => one.device === device)) return device
  throw new FleetstepError(
    'path-unknown',
    `no profile is in force for ${device}: fleetstep profile list shows which are`,
  )
}

function setState(gateway: Gateway, params: Params): Receipt {
  const path = textOf(params, 'path')
  if (params['value'] !== undefined) return gateway.state.set(path, valueFromJson(params['value']))
  const value = defaultValueAt(gateway, path)
  if (value !== undefined) return gateway.state.set(path, value)
  throw new FleetstepError(
    'request-invalid',
    `name a value for ${path}: the profile of this gateway has no defaultValue for it`,
  )
}

function ownProfile(profile: ProfilePart | null): ProfilePart {
  if (profile !== null) return profile
  throw new FleetstepError(
    'path-unknown',
    'this gateway has no profile: name one in its config, as profile: generic-linux',
  )
}

function getState(gateway: Gateway, params: Params): unknown {
  const path = params['path'] === undefined ? '' : textOf(params, 'path')
  const view = viewOf(params['settled'] === true)
  const entries = gateway.state.entries(path, view)
  if (path !== '' && entries.length === 0) {
    const what = view === 'settled' ? 'nothing settled' : 'nothing'
    throw new FleetstepError('path-unknown', `there is ${what} at ${path}: fleetstep state get lists all points`)
  }
  return Object.fromEntries(entries.map(([name, value]) => [name, valueToJson(value)]))
}

function listTelemetry(gateway: Gateway, params: Params): unknown {
  const path = params['path'] === undefined ? '' : textOf(params, 'path')
  const readings = gateway.telemetry.list(path)
  return readings.map((reading) => ({ ...reading, value: valueToJson(reading.value) }))
}

/**
 * Answers when the change is on the disk: what a command has confirmed survives the power cut.
 * @throws FleetstepError `disk-full` when it turns out that there is no room; `operation-refused`
 */
async function answerDurable(gateway: Gateway, receipt: Receipt): Promise<unknown> {
  await durableOrFull(gateway, receipt)
  if (receipt.outcome !== 'applied') {
    throw new FleetstepError(
      'operation-refused',
      `the change was ${receipt.outcome}: ${receipt.reason ?? 'a change of higher priority stands'}`,
    )
  }
  return {
    operation: formatOperationId(receipt.id),
    stage: receipt.stage,
    outcome: receipt.outcome,
    settled: receipt.isSettled,
    draft: receipt.isDraft,
  }
}

async function durableOrFull(gateway: Gateway, receipt: Receipt): Promise<void> {
  let stop: () => void = () => undefined
  const full = new Promise<never>((_resolve, reject) => {
    stop = gateway.observeStorage((problem) => {
      if (problem === null) return
      if (problem.code !== 'disk-full') return reject(problem)
      const message = `${problem.message}; this change is in the state already and is stored as soon as there is room`
      reject(new FleetstepError(problem.code, message, { cause: problem }))
    })
  })
  try {
    await Promise.race([receipt.durable, full])
  } finally {
    stop()
  }
}

/** {"set": {path: value}, "delete": [path], "toggle": [path], "add": {path: number}, "append": {path: item}, "expect": [[path, comparison, value]]} */
function describePatch(change: Transaction, params: Params): void {
  for (const [path, value] of fieldsOf(params, 'set')) change.set(path, valueFromJson(value))
  for (const path of listOf(params, 'delete')) change.delete(asText(path, 'delete'))
  for (const path of listOf(params, 'toggle')) change.toggle(asText(path, 'toggle'))
  for (const [path, amount] of fieldsOf(params, 'add')) change.add(path, asNumber(valueFromJson(amount)))
  for (const [path, item] of fieldsOf(params, 'append')) change.append(path, valueFromJson(item))
  for (const guard of listOf(params, 'expect')) {
    if (!Array.isArray(guard) || guard.length !== 3)
      throw new FleetstepError('request-invalid', 'expect holds [path, comparison, value]')
    change.expect(asText(guard[0], 'expect'), valueFromJson(guard[2]), asComparison(guard[1]))
  }
}

function watchState(gateway: Gateway, params: Params, stream: Stream): unknown {
  const pattern = params['pattern'] === undefined ? '**' : textOf(params, 'pattern')
  const view = viewOf(params['settled'] === true)
  const stop = gateway.state.watch(pattern, (change) => stream.emit(changeToJson(change)), view)
  stream.onEnd(stop)
  return { pattern, view }
}

function watchJournal(gateway: Gateway, _params: Params, stream: Parameters<ControlHandler>[2]): unknown {
  const stop = gateway.observe((output) => {
    for (const event of journalEventsOf(output)) stream.emit(event)
  })
  stream.onEnd(stop)
  return { floor: gateway.inspect().floor }
}

function epochChangeOf(params: Params): EpochChange {
  const names = (name: string): string[] => listOf(params, name).map((one) => asText(one, name))
  const revoke = names('revoke').map((token) => {
    if (isDigest(token)) return token
    throw new FleetstepError('request-invalid', `${token} is no token: fleetstep fleet members shows them`)
  })
  return { retire: names('retire'), replace: names('replace'), revoke, force: names('force') }
}

function viewOf(isSettled: boolean): View {
  return isSettled ? 'settled' : 'tentative'
}

function changeToJson(change: Change): unknown {
  return {
    path: change.path,
    before: valueToJson(change.before),
    after: valueToJson(change.after),
    settled: change.settled,
    quality: change.quality,
  }
}

function textOf(params: Params, name: string): string {
  return asText(params[name], name)
}

function asText(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new FleetstepError('request-invalid', `${name} is a text`)
  return value
}

function asNumber(value: unknown): number | bigint {
  if (typeof value !== 'number' && typeof value !== 'bigint')
    throw new FleetstepError('request-invalid', 'add takes a number')
  return value
}

function asComparison(value: unknown): Comparison {
  const comparison = COMPARISONS.find((known) => known === value)
  if (comparison === undefined)
    throw new FleetstepError('request-invalid', `a comparison is one of ${COMPARISONS.join(' ')}`)
  return comparison
}

function fieldsOf(params: Params, name: string): [string, unknown][] {
  const fields = params[name] ?? {}
  if (!isRecord(fields)) throw new FleetstepError('request-invalid', `${name} is an object of paths`)
  return Object.entries(fields)
}

function listOf(params: Params, name: string): readonly unknown[] {
  const list = params[name] ?? []
  if (!Array.isArray(list)) throw new FleetstepError('request-invalid', `${name} is a list`)
  return list
}
