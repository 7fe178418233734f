import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { connectAsync, type MqttClient } from 'mqtt'
import type { Random } from '../../runtime/base/random.ts'
import { type MemberId, type NodeId, nodeOf } from '../../runtime/base/ids.ts'
import type { Enrolment } from '../../runtime/device/identity/enrolment.ts'
import type { SeedEpoch } from '../../runtime/device/identity/seed.ts'
import { createSigningKey, type SigningKey } from '../../runtime/device/identity/keys.ts'
import { type Gateway, type LinkFactory, openGateway } from '../../runtime/gateway/gateway.ts'
import { startEmbeddedBroker } from '../../runtime/links/mqtt/embedded-broker.ts'
import { mqttLink } from '../../runtime/links/mqtt/mqtt-link.ts'
import { MemoryMedium, MemoryStore } from '../../runtime/storage/memory-store.ts'
import { type Epoch, epochPayload } from '../../runtime/sync/epoch.ts'
import type { Message } from '../../runtime/sync/message.ts'
import { decodeFrame, encodeFrame } from '../../runtime/sync/message-codec.ts'
import { realClock, until } from '../links/clocks.ts'
import { keepingLogger } from '../links/mqtt-fixture.ts'
import { signedFleet, type SignedFleet } from './signed-fleet.ts'

let turns = 0
/** Draws numbers that are small, so that nobody waits for long before he asks to join or answers, and that are never the same. */
const prompt: Random = { uint32: () => (turns += 1) }

/** A loaded machine takes its time; nothing here waits for a time to pass. */
export const PATIENCE_MS = 60_000

export const ANNA = '0a00000000000001' as NodeId
export const BERT = '0b00000000000001' as NodeId
export const CARL = '0c00000000000001' as NodeId
export const DORA = '0d00000000000001' as NodeId
/** No node of the fleet. */
export const MALLORY = '0f00000000000001' as NodeId

/** A fleet with keys whose members talk over a real broker, to which somebody else has access too. */
export interface AttackedFleet {
  readonly keys: SignedFleet
  readonly port: number
  readonly attacker: Attacker
  /** Lines that its gateways have logged. */
  readonly log: string[]
  open(node: NodeId, options?: OpenOptions): Promise<Gateway>
}

export interface OpenOptions {
  /** Its own if not given. */
  readonly key?: SigningKey
  readonly token?: Enrolment | null
  /** The epoch that its seed names. */
  readonly epoch?: SeedEpoch | null
  /** Seconds since 1970 by its clock. */
  readonly seconds?: () => number
  /** Its disk, which outlives it. */
  readonly medium?: MemoryMedium
  readonly links?: readonly LinkFactory[]
}

/** Whoever can reach the broker: hears all, and publishes what he likes under any topic. */
export interface Attacker {
  readonly heard: readonly Heard[]
  /** Frames of one kind that a node has sent, oldest first. */
  framesOf<K extends Message['kind']>(node: NodeId, kind: K): readonly HeardMessage<K>[]
  publish(topic: string, payload: Uint8Array): Promise<void>
  /** Publishes a message in the name of a node, where that one would publish it. */
  say(node: NodeId, message: Message): Promise<void>
}

export interface Heard {
  readonly topic: string
  readonly frame: Uint8Array
}

export interface HeardMessage<K extends Message['kind']> extends Heard {
  readonly message: Message & { readonly kind: K }
}

export async function attackedFleet(t: TestContext): Promise<AttackedFleet> {
  const keys = signedFleet()
  const log: string[] = []
  const broker = await startEmbeddedBroker({ host: '127.0.0.1', port: 0, logger: keepingLogger(log) })
  t.after(() => broker.close())
  const token = keys.token()
  return {
    keys,
    port: broker.port,
    log,
    attacker: await attackerAt(t, broker.port, keys),
    async open(node, options = {}) {
      const isFounder = node === nodeOf(keys.founder)
      const key = options.key ?? (isFounder ? keys.founderKey : createSigningKey())
      const shown = options.token === undefined ? token : options.token
      const gateway = await openGateway({
        fleet: keys.genesis,
        enrolment: keys.enrolment(key, isFounder ? null : shown, options.seconds, options.epoch),
        node,
        storage: new MemoryStore(options.medium ?? new MemoryMedium()),
        links: options.links ?? [linkTo(broker.port)],
        clock: realClock,
        random: prompt,
        logger: keepingLogger(log),
      })
      t.after(() => gateway.close())
      return gateway
    },
  }
}

/** The fleet of anna, who founded it, and bert, who has joined; both hold `lamp` at 1. */
export async function attackedPair(t: TestContext): Promise<AttackedFleet & { anna: Gateway; bert: Gateway }> {
  const fleet = await attackedFleet(t)
  const anna = await fleet.open(ANNA)
  const bert = await fleet.open(BERT)
  await sees(bert, ({ status }) => status === 'member', 'bert is a member')
  anna.state.set('lamp', 1)
  await agree([anna, bert], { lamp: 1 })
  return { ...fleet, anna, bert }
}

export function linkTo(port: number, name: string = 'mqtt'): LinkFactory {
  const timing = { delayMinMs: 10, delayMaxMs: 40, stableMs: 50 }
  return (context) => mqttLink({ ...context, name, servers: [`mqtt://127.0.0.1:${port}`], timing })
}

export async function sees(
  gateway: Gateway,
  condition: (view: ReturnType<Gateway['inspect']>) => boolean,
  what: string,
): Promise<void> {
  await until(() => condition(gateway.inspect()), what, PATIENCE_MS)
}

/** All of them hold exactly these values, and nothing can change that any more. */
export async function settled(gateways: readonly Gateway[], state: Readonly<Record<string, unknown>>): Promise<void> {
  await agree(gateways, state, 'settled')
}

/** All of them hold exactly these values. */
export async function agree(
  gateways: readonly Gateway[],
  state: Readonly<Record<string, unknown>>,
  view: 'tentative' | 'settled' = 'tentative',
): Promise<void> {
  // What has come is visible a moment before it is on the disk, and what is stated is what the disk knows.
  const isInStep = (gateway: Gateway): boolean =>
    gateway.storage().pendingRecords === 0 &&
    isDeepStrictEqual(Object.fromEntries(gateway.state.entries('', view)), state)
  await until(() => gateways.every(isInStep), `all hold ${JSON.stringify(state)}, ${view}`, PATIENCE_MS)
}

/** The attack is over: changes pass both ways. */
export async function stillWorks({ anna, bert }: { readonly anna: Gateway; readonly bert: Gateway }): Promise<void> {
  const before = Object.fromEntries(anna.state.entries())
  bert.state.set('lamp', 2)
  anna.state.set('fan', 3)
  await agree([anna, bert], { ...before, lamp: 2, fan: 3 })
}

/** Waits until a gateway has counted so many frames that it has dropped for a reason. */
export async function counted(gateway: Gateway, reason: string, count: number = 1): Promise<void> {
  const shown = (): number => gateway.inspect().dropped[reason] ?? 0
  await until(() => shown() >= count, `${count} are counted as: ${reason}`, PATIENCE_MS).catch((error: unknown) => {
    assert.fail(`${String(error)}; counted are ${JSON.stringify(gateway.inspect().dropped)}`)
  })
}

/** What an attack must not change of a gateway. */
export function standing(gateway: Gateway): object & { readonly alarms: readonly string[] } {
  const { self, status, members, epoch, last, paths, conflicts, vector } = gateway.inspect()
  const known = members.map(({ member, key, isRetired }) => ({ member, key, isRetired }))
  const alarms = gateway.alarms().map(({ name }) => name)
  const state = gateway.state.entries()
  const found = { self, status, known, epoch: epoch.number, last, paths, conflicts, vector, alarms, state }
  return found
}

/** The operator signs what a gateway proposes, and the gateway takes it in. */
export async function signEpoch(
  { keys }: Pick<AttackedFleet, 'keys'>,
  gateway: Gateway,
  change: Partial<Parameters<Gateway['epochs']['propose']>[0]>,
): Promise<Epoch> {
  const { epoch } = gateway.epochs.propose({ retire: [], replace: [], revoke: [], force: [], ...change })
  const signature = keys.operator.sign(epochPayload(keys.facts.id, epoch))
  const signed = { ...epoch, signature }
  await gateway.epochs.take({ fleet: keys.facts.id, epoch: signed })
  return signed
}

export function memberOf(gateway: Gateway): MemberId {
  return gateway.inspect().self
}

async function attackerAt(t: TestContext, port: number, keys: SignedFleet): Promise<Attacker> {
  const client: MqttClient = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4, reconnectPeriod: 0 })
  client.on('error', () => undefined)
  t.after(() => client.end(true))
  const root = `fleet/${keys.facts.id}`
  const heard: Heard[] = []
  client.on('message', (topic, payload) => void heard.push({ topic, frame: new Uint8Array(payload) }))
  await client.subscribeAsync(`${root}/#`)
  const publish = async (topic: string, payload: Uint8Array): Promise<void> => {
    await client.publishAsync(topic, Buffer.from(payload))
  }
  return {
    heard,
    framesOf(node, kind) {
      return heard.flatMap(({ topic, frame }) => {
        if (!topic.endsWith(`/${node}`) || frame.length === 0) return []
        const message = decodeFrame(keys.facts.id, frame)
        return isOfKind(message, kind) ? [{ topic, frame, message }] : []
      })
    },
    publish,
    async say(node, message) {
      await publish(`${root}/${channelOf(message)}/${node}`, encodeFrame(keys.facts.id, message))
    },
  }
}

function isOfKind<K extends Message['kind']>(message: Message, kind: K): message is Message & { readonly kind: K } {
  return message.kind === kind
}

function channelOf({ kind }: Message): 'op' | 'b' | 'w' {
  if (kind === 'batch' || kind === 'chunk') return 'op'
  return kind === 'announcement' || kind === 'epoch' ? 'b' : 'w'
}
