import diagnosticsChannel from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { type Gateway, type LinkContext, openGateway } from '../../runtime/gateway/gateway.ts'
import { memoryStorage } from '../../runtime/gateway/parts.ts'
import { KEY_BYTES } from '../../runtime/base/limits.ts'
import { type SigningKey, signingKeyFromSecret, verifySignature } from '../../runtime/device/identity/keys.ts'
import type { EnrolmentOptions } from '../../runtime/gateway/enrolment.ts'
import type { Link } from '../../runtime/links/link.ts'
import { mqttLink } from '../../runtime/links/mqtt/mqtt-link.ts'
import { ROLE_DEFAULT } from '../../runtime/state/role.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import { until } from '../links/clocks.ts'
import { FleetClock } from './fleet-clock.ts'
import { founders } from './workload.ts'

/** Gateways of one fleet that one process runs. */
export interface FleetPartJob {
  readonly port: number
  readonly members: number
  readonly from: number
  readonly to: number
  /** All founders have keys, so that what they say is signed. */
  readonly hasKeys: boolean
}

export type FleetCommand =
  | { readonly kind: 'set'; readonly index: number; readonly path: string; readonly value: number }
  | { readonly kind: 'speed'; readonly speed: number }
  /** How many have this value, and how many have settled it. */
  | { readonly kind: 'look'; readonly path: string; readonly value: number }
  /** From here on each gateway verifies for itself what it hears. */
  | { readonly kind: 'verify' }
  | { readonly kind: 'close' }

export interface FleetView {
  readonly up: number
  readonly have: number
  readonly settled: number
  /** Bytes that the sockets of all gateways here have received and sent, all protocols above TCP included. */
  readonly wireReceived: number
  readonly wireSent: number
  /** Frames that the links of all gateways here have received, and their bytes. */
  readonly frames: number
  readonly frameBytes: number
  readonly cpuMs: number
  /** Time on the fleet's clock. */
  readonly now: number
}

/** Gateways of one process that connect at the same time: some hundred starve each other. */
const STARTING = 4
/** So many gateways wait for each other in one process that what takes a machine of its own no time may take seconds. */
const CONNECT_PATIENCE_MS = 600_000
const TIMING = { keepaliveS: 60, connectTimeoutMs: 60_000 }

/** Runs until it is told to close; commands come from the parent process. */
export async function runFleetPart({ port, members, from, to, hasKeys }: FleetPartJob): Promise<void> {
  const wire = watchSockets()
  const clock = new FleetClock()
  const fleet = hasKeys ? foundersWithKeys(members) : founders(members)
  const gateways = new Map<number, Gateway>()
  const view = (path: string, value: number): FleetView => ({
    ...countOf([...gateways.values()], path, value),
    ...wire(),
    cpuMs: cpuMs(),
    now: clock.now(),
  })
  process.on('message', (command: FleetCommand) => {
    if (command.kind === 'set') gateways.get(command.index)?.state.set(command.path, command.value)
    if (command.kind === 'speed') clock.speed = command.speed
    if (command.kind === 'verify') shared = null
    if (command.kind === 'look') process.send?.(view(command.path, command.value))
    if (command.kind === 'close')
      void Promise.all([...gateways.values()].map((gateway) => gateway.close())).then(() => process.exit(0))
  })
  const servers = [`mqtt://127.0.0.1:${port}`]
  const links = [(context: LinkContext): Link => mqttLink({ ...context, servers, timing: TIMING })]
  let next = from
  const startSome = async (): Promise<void> => {
    for (let index = next++; index < to; index = next++) {
      const { node } = fleet.founders[index] as (typeof fleet.founders)[number]
      const enrolment = hasKeys ? enrolmentOfFounder(index) : undefined
      const gateway = await openGateway({ fleet, enrolment, node, clock, storage: memoryStorage(), links })
      gateways.set(index, gateway)
      await until(() => gateway.links().every(({ state }) => state === 'up'), 'it is connected', CONNECT_PATIENCE_MS)
    }
  }
  await Promise.all(Array.from({ length: STARTING }, startSome))
}

/** The same in each process. */
function keyOf(index: number): SigningKey {
  const secret = new Uint8Array(KEY_BYTES)
  new DataView(secret.buffer).setUint32(0, index + 1)
  return signingKeyFromSecret(secret)
}

function foundersWithKeys(members: number): Genesis {
  const { name, founders: nodes } = founders(members)
  const keyed = nodes.map((founder, index) => ({ ...founder, key: keyOf(index).publicKey }))
  return { name, founders: keyed, operator: keyOf(members).publicKey }
}

/** A founder neither asks to join nor is anybody let in here. */
function enrolmentOfFounder(index: number): EnrolmentOptions {
  const { publicKey, sign } = keyOf(index)
  return {
    tier: 0,
    role: ROLE_DEFAULT,
    key: publicKey,
    signature: { sign, verify: verifyOnce },
    prove: () => new Uint8Array(),
    judgeJoin: () => ({ kind: 'refused', reason: 'nobody joins here' }),
    verifyEpoch: () => false,
    leastEpoch: null,
    problemOfJoin: () => 'nobody joins here',
    usesOf: () => null,
  }
}

/**
 * What the gateways of this process have verified: each announcement is heard by all of them, and until they are at rest that
 * would take one processor all its time. Null once each is to do it for itself, as on a machine of its own.
 */
let shared: Map<string, boolean> | null = new Map()

/** Announcements of one moment, of all members of the largest fleet. */
const SHARED_MAX = 2048

function verifyOnce(key: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (shared === null) return verifySignature(key, bytes, signature)
  const name = Buffer.from(signature).toString('latin1')
  const known = shared.get(name)
  if (known !== undefined) return known
  const isGood = verifySignature(key, bytes, signature)
  if (shared.size >= SHARED_MAX) shared.clear()
  shared.set(name, isGood)
  return isGood
}

function countOf(
  gateways: readonly Gateway[],
  path: string,
  value: number,
): Pick<FleetView, 'up' | 'have' | 'settled' | 'frames' | 'frameBytes'> {
  const links = gateways.flatMap((gateway) => gateway.links())
  return {
    up: links.filter(({ state }) => state === 'up').length,
    have: gateways.filter(({ state }) => state.get(path) === value).length,
    settled: gateways.filter(({ state }) => state.settled(path) === value).length,
    frames: links.reduce((sum, { counters }) => sum + counters.framesReceived, 0),
    frameBytes: links.reduce((sum, { counters }) => sum + counters.bytesReceived, 0),
  }
}

/** Every socket that this process connects, except the one to its parent. */
function watchSockets(): () => { wireReceived: number; wireSent: number } {
  const sockets: Socket[] = []
  diagnosticsChannel.subscribe('net.client.socket', (message) => {
    sockets.push((message as { readonly socket: Socket }).socket)
  })
  return () => ({
    wireReceived: sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0),
    wireSent: sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0),
  })
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
