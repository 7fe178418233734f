import { readFileSync, watchFile } from 'node:fs'
import { loadavg } from 'node:os'
import { pathToFileURL } from 'node:url'
import { type ErrorCode, FleetstepError } from '../../runtime/base/errors.ts'
import { formatOperationId } from '../../runtime/base/ids.ts'
import { controlHandler } from '../../runtime/gateway/control-methods.ts'
import { isRecord, valueFromJson } from '../../runtime/gateway/control-protocol.ts'
import { type ControlHandler, startControlServer } from '../../runtime/gateway/control-server.ts'
import { pinoLogger } from '../../runtime/gateway/pino-logger.ts'
import type * as Library from '../../runtime/index.ts'
import type { Gateway } from '../../runtime/index.ts'
import type { ApplicationSettings } from './application.ts'

/*
 * An application of its own that is a gateway of the fleet: `node application.mjs LIBRARY SETTINGS`. It opens, changes and closes
 * with the built library alone, as anybody's program would; the control socket, by which the harness looks at it as at any
 * daemon, is the product's own, from the sources.
 */

const LOAD_INTERVAL_MS = 5000
const PROFILE_INTERVAL_MS = 1000

const [, , libraryFile = '', settingsFile = ''] = process.argv
const library = (await import(pathToFileURL(libraryFile).href)) as typeof Library
const settings = JSON.parse(readFileSync(settingsFile, 'utf8')) as ApplicationSettings
const logger = pinoLogger('info', settings.name)
try {
  await run(settings)
} catch (error) {
  leave(error)
}

async function run({ name, seed, directory, profile: file, servers, socket }: ApplicationSettings): Promise<void> {
  const { profile } = library.loadProfile(file)
  const gateway = await library.openGateway({
    ...(await library.seeded({ seed, directory, label: name, profile, logger })),
    device: name,
    profile,
    links: [library.mqtt({ servers, name: 'mosquitto' })],
    logger,
    onFatal: leave,
  })
  watchFile(file, { interval: PROFILE_INTERVAL_MS }, () => useAnew(gateway, file))
  const reporting = setInterval(() => reportLoad(gateway), LOAD_INTERVAL_MS)
  const control = await startControlServer(socket, handlerOf(gateway), logger)
  process.once('SIGTERM', () => {
    clearInterval(reporting)
    void control
      .close()
      .then(async () => await gateway.close())
      .then(() => process.exit(0), leave)
  })
  console.log(JSON.stringify({ ready: true, device: gateway.device, node: gateway.node, controlSocket: control.path }))
}

/** What the library says why it cannot go on is logged, and its code is that of the process. */
function leave(error: unknown): never {
  const isKnown = error instanceof library.FleetstepError
  logger.error(error instanceof Error ? (isKnown ? error.message : String(error.stack)) : String(error))
  process.exit(isKnown ? error.exitCode : 1)
}

function useAnew(gateway: Gateway, file: string): void {
  try {
    gateway.useProfile(library.loadProfile(file).profile)
  } catch (error) {
    logger.warn(`the profile stays as it was: ${String(error)}`)
  }
}

function reportLoad(gateway: Gateway): void {
  try {
    gateway.state.report(`${gateway.device}/load`, loadavg()[0] ?? 0)
    gateway.noteReading('load')
  } catch (error) {
    logger.warn(`the load is not reported: ${String(error)}`)
  }
}

/** Whoever changes something is answered by this application, and whoever looks by the product's own methods. */
function handlerOf(gateway: Gateway): ControlHandler {
  const look = controlHandler(gateway)
  return async (method, params, stream) => {
    try {
      return await (method === 'state.patch' ? change(gateway, params) : look(method, params, stream))
    } catch (error) {
      // The server is from the sources, and knows their errors alone.
      throw error instanceof library.FleetstepError ? asOurs(error) : error
    }
  }
}

async function change(gateway: Gateway, params: Readonly<Record<string, unknown>>): Promise<unknown> {
  const fields = (name: string): [string, unknown][] => Object.entries(isRecord(params[name]) ? params[name] : {})
  const list = (name: string): unknown[] => (Array.isArray(params[name]) ? params[name] : [])
  const receipt = gateway.state.transaction((transaction) => {
    for (const [path, value] of fields('set')) transaction.set(path, valueFromJson(value))
    for (const [path, amount] of fields('add')) transaction.add(path, Number(amount))
    for (const [path, item] of fields('append')) transaction.append(path, valueFromJson(item))
    for (const path of list('delete')) transaction.delete(String(path))
    for (const path of list('toggle')) transaction.toggle(String(path))
    for (const guard of list('expect')) {
      const [path, comparison, value] = guard as Parameters<typeof expectation>
      transaction.expect(...expectation(path, comparison, value))
    }
  })
  await receipt.durable
  const { outcome, reason, stage, isSettled, isDraft } = receipt
  if (outcome !== 'applied') throw new FleetstepError('operation-refused', `the change was ${outcome}: ${reason}`)
  return { operation: formatOperationId(receipt.id), stage, outcome, settled: isSettled, draft: isDraft }
}

type Expectation = Parameters<Parameters<Parameters<Gateway['state']['transaction']>[0]>[0]['expect']>

function expectation(path: string, comparison: NonNullable<Expectation[2]>, value: unknown): Expectation {
  return [path, valueFromJson(value), comparison]
}

function asOurs({ code, message }: { readonly code: ErrorCode; readonly message: string }): FleetstepError {
  return new FleetstepError(code, message)
}
