import { mkdtempSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type MqttClient } from 'mqtt'
import { openGateway, type Gateway } from '../../runtime/gateway/gateway.ts'
import { journalStorage, memoryStorage, mqtt } from '../../runtime/gateway/parts.ts'
import type { Store } from '../../runtime/storage/store.ts'
import { until } from '../links/clocks.ts'
import { startBenchBroker } from './bench-broker.ts'
import { founders } from './workload.ts'

interface Row {
  readonly work: string
  readonly broker: string
  /** Time or rate of ours divided by that of bare messages. */
  readonly ratioToBare: number
  readonly oursP50Ms?: number
  readonly bareP50Ms?: number
  readonly oursPerS?: number
  readonly barePerS?: number
}

/** Bytes of a bare message: what a single operation takes. */
const BARE_BYTES = 100
/** 1,000 points take turns, as in a fleet of machines. */
function pathOf(count: number): string {
  return `line${count % 10}/machine${count % 1000}/speed`
}

/** Frames of ours that may be on their way. */
const AHEAD_BATCHES = 256
/** Bare messages in flight, as many as the link has. */
const WINDOW = 64

/**
 * From a change on one gateway to its sight on another, beside bare mqtt.js through the same broker in the same run: both
 * publish with QoS 1 and subscribe with QoS 0. A low ratio is good for a latency, a high one for a rate.
 */
export async function run({ smoke }: { readonly smoke: boolean }): Promise<{ rows: Row[] }> {
  const { port, name, end } = await startBenchBroker()
  const folder = mkdtempSync(join(tmpdir(), 'fleetstep-bench-'))
  const size = smoke ? { rounds: 10, singles: 50, batched: 500 } : { rounds: 500, singles: 5000, batched: 50_000 }
  try {
    const bare = await measureBare(port, size)
    const rows: Row[] = []
    for (const [journal, storage] of [
      ['in memory', () => memoryStorage()],
      ['on disk', (index: number) => journalStorage(join(folder, String(index)), genesis, nodeAt(index))],
    ] as const) {
      const ours = await measureOurs(port, size, storage)
      const work = (what: string): { work: string; broker: string } => ({
        work: `${what}, journal ${journal}`,
        broker: name,
      })
      rows.push(
        { ...work('latency'), ratioToBare: ours.p50Ms / bare.p50Ms, oursP50Ms: ours.p50Ms, bareP50Ms: bare.p50Ms },
        { ...work('rate, single operations'), ...rates(ours.singlesPerS, bare.perS) },
        { ...work('rate, operations in batches'), ...rates(ours.batchedPerS, bare.perS) },
      )
    }
    return { rows }
  } finally {
    await end()
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Size {
  readonly rounds: number
  readonly singles: number
  readonly batched: number
}

const genesis = founders(2)

function nodeAt(index: number): (typeof genesis.founders)[number]['node'] {
  const founder = genesis.founders[index]
  if (founder === undefined) throw new Error('no such founder')
  return founder.node
}

function rates(ours: number, bare: number): Pick<Row, 'ratioToBare' | 'oursPerS' | 'barePerS'> {
  return { ratioToBare: ours / bare, oursPerS: Math.round(ours), barePerS: Math.round(bare) }
}

async function measureBare(port: number, size: Size): Promise<{ p50Ms: number; perS: number }> {
  const [sender, receiver] = await Promise.all([bareClient(port), bareClient(port)])
  await receiver.subscribeAsync('bench', { qos: 0 })
  const payload = Buffer.alloc(BARE_BYTES, 1)
  let received = 0
  let arrived: () => void = () => {}
  receiver.on('message', () => {
    received += 1
    arrived()
  })
  const p50Ms = await medianRound(size.rounds, async () => {
    const arrival = new Promise<void>((resolve) => (arrived = resolve))
    sender.publish('bench', payload, { qos: 1 })
    await arrival
  })
  const before = received
  const startedAt = performance.now()
  let sent = 0
  const next = (): void => {
    if (sent === size.singles) return
    sent += 1
    sender.publish('bench', payload, { qos: 1 }, next)
  }
  for (let index = 0; index < WINDOW; index += 1) next()
  await until(() => received - before === size.singles, 'all bare messages have arrived', 120_000)
  const perS = size.singles / ((performance.now() - startedAt) / 1000)
  sender.end(true)
  receiver.end(true)
  return { p50Ms, perS }
}

function bareClient(port: number): Promise<MqttClient> {
  const client = connect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4, reconnectPeriod: 0 })
  return new Promise((resolve, reject) => {
    client.once('connect', () => {
      if (client.stream instanceof Socket) client.stream.setNoDelay(true)
      resolve(client)
    })
    client.once('error', reject)
  })
}

async function measureOurs(
  port: number,
  size: Size,
  storage: (index: number) => Store,
): Promise<{ p50Ms: number; singlesPerS: number; batchedPerS: number }> {
  const gateways = await Promise.all([0, 1].map((index) => open(port, index, storage(index))))
  const [sender, receiver] = gateways as [Gateway, Gateway]
  try {
    let count = 0
    const seen = async (wanted: number): Promise<void> =>
      await until(() => receiver.state.get(pathOf(wanted)) === wanted, 'the other has it', 120_000)
    sender.state.set(pathOf(count), count)
    await seen(count)
    let arrived: () => void = () => {}
    const stop = receiver.state.watch('**', () => arrived())
    const p50Ms = await medianRound(size.rounds, async () => {
      const arrival = new Promise<void>((resolve) => (arrived = resolve))
      count += 1
      sender.state.set(pathOf(count), count)
      await arrival
    })
    stop()
    let shown = count
    receiver.state.watch('**', () => void (shown += 1))
    const rate = async (operations: number, atOnce: number): Promise<number> => {
      const startedAt = performance.now()
      for (let done = 0; done < operations;) {
        for (let index = 0; index < atOnce && done < operations; index += 1, done += 1)
          sender.state.set(pathOf((count += 1)), count)
        await new Promise((resolve) => setImmediate(resolve))
        // As a bare sender is bounded by its window; a link that is handed more drops frames, and they are asked for again.
        await until(() => count - shown <= AHEAD_BATCHES * atOnce, 'the other has caught up', 120_000)
      }
      await seen(count)
      return operations / ((performance.now() - startedAt) / 1000)
    }
    return { p50Ms, singlesPerS: await rate(size.singles, 1), batchedPerS: await rate(size.batched, 200) }
  } finally {
    for (const gateway of gateways) await gateway.close()
  }
}

async function open(port: number, index: number, storage: Store): Promise<Gateway> {
  const links = [mqtt({ servers: [`mqtt://127.0.0.1:${port}`] })]
  return await openGateway({ fleet: genesis, node: nodeAt(index), storage, links })
}

async function medianRound(rounds: number, round: () => Promise<void>): Promise<number> {
  for (let index = 0; index < rounds; index += 1) await round()
  const times: number[] = []
  for (let index = 0; index < rounds; index += 1) {
    const startedAt = performance.now()
    await round()
    times.push(performance.now() - startedAt)
  }
  return times.sort((left, right) => left - right)[Math.floor(rounds / 2)] ?? 0
}
