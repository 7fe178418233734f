import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Messages, Peer, PeerReplica } from './peers-adapters/peer.ts'
import { type Sizes, SYSTEMS } from './peers-adapters/systems.ts'
import { drawWrite, drawWrites } from './workload.ts'

/** Figures by the names of `core-rows.ts`. */
export type Figures = Readonly<Record<string, number>>

/** What one child process measures of one system. */
export interface Job {
  readonly system: string
  readonly part: 'work' | 'save' | 'cold-start' | 'memory' | 'memory-folded' | 'everything'
  readonly sizes: Sizes
  /** Where `save` leaves what `cold-start` loads. */
  readonly file: string
  /** CPU time that the import of this module took: ours and the floors' libraries are in it. */
  readonly importMs: number
}

const BATCH = 100
const FLEET = 50
/** Members of the fleet that receive: more of them change no rate. */
const RECEIVERS_MAX = 10
/** CPU time after which no further member of the fleet receives. */
const FLEET_BUDGET_MS = 1500

export async function measure(job: Job): Promise<Figures> {
  const system = SYSTEMS.find(({ name }) => name === job.system)
  if (system === undefined) throw new Error(`there is no system ${job.system}`)
  const before = cpuMs()
  const peer = await system.open()
  const importMs = cpuMs() - before + (system.kind === 'peer' ? 0 : job.importMs)
  switch (job.part) {
    case 'everything': {
      const saved = { ...save(peer, job), ...coldStart(peer, job, importMs) }
      const open = (): PeerReplica => foldingReplica(peer)
      const grown = await measureMemory('memory', open, job.sizes.history)
      return { ...saved, ...grown, ...measureWork(peer, job.sizes) }
    }
    case 'work':
      residents.push(...pairAtWork(peer))
      measureWork(peer, shrunk(job.sizes))
      return measureWork(peer, job.sizes)
    case 'save':
      return save(peer, job)
    case 'cold-start':
      return coldStart(peer, job, importMs)
    case 'memory':
      return measureMemory('memory', () => peer.fleet(2)[0] as PeerReplica, job.sizes.history)
    case 'memory-folded':
      return measureMemory('folded', () => foldingReplica(peer), job.sizes.history)
  }
}

function measureWork(peer: Peer, sizes: Sizes): Figures {
  const steps = [
    () => measureSingles(peer, sizes.operations),
    () => measureBatches(peer, sizes.operations),
    () => measureLate(peer, 'short', sizes.shortJournal, sizes.late),
    () => measureLate(peer, 'long', sizes.longJournal, sizes.late),
    () => measureMerge(peer, sizes.partition),
    () => measureFleet(peer, 'fleetInOrder', sizes.fleetInOrder, (messages) => messages),
    () => measureFleet(peer, 'fleetAnyOrder', sizes.fleetAnyOrder, shuffled),
  ]
  return Object.assign({}, ...steps.map((step) => (collectGarbage(), residentsWork(), step()))) as Figures
}

/**
 * A size at which the compiler has done most of its work, for every system alike: what runs for months is not judged by its first
 * second, of which a third was spent in the compiler at a fiftieth. What a start costs stands in a row of its own.
 */
function shrunk(sizes: Sizes): Sizes {
  return Object.fromEntries(
    Object.entries(sizes).map(([name, size]) => [name, Math.ceil(size / WARM_UP_SHARE)]),
  ) as unknown as Sizes
}

const WARM_UP_SHARE = 10

/**
 * Two that have worked and live on, of every system alike. What keeps a fleet in step has an open replica for as long as it runs;
 * where each is thrown away before the next is made, the engine throws away the code for their shapes too, whenever garbage is
 * collected between two works, and half of the next is spent in the compiler. So they go on working between these.
 */
const residents: PeerReplica[] = []
const residentRandom = seededRandom(9)

function residentsWork(): void {
  const messages = residents.map((replica) => work(replica, residentRandom, BATCH))
  for (const [index, replica] of residents.entries())
    for (const message of messages[residents.length - 1 - index] ?? []) replica.receive(message)
}

function pairAtWork(peer: Peer): readonly [PeerReplica, PeerReplica] {
  const pair = pairOf(peer)
  const random = residentRandom
  const messages = pair.map((replica) => [
    ...replica.write([drawWrite(random)]),
    ...work(replica, random, RESIDENT_OPERATIONS),
  ])
  for (const [index, replica] of pair.entries())
    for (const message of messages[1 - index] ?? []) replica.receive(message)
  assertSame(pair)
  return pair
}

const RESIDENT_OPERATIONS = 1000

function measureSingles(peer: Peer, count: number): Figures {
  const [author, reader] = pairOf(peer)
  const random = seededRandom(1)
  const writes = drawWrites(random, count).map((write) => [write])
  const messages: Uint8Array[] = []
  const local = cpuOf(() => {
    for (const write of writes) messages.push(...author.write(write))
  })
  const remote = cpuOf(() => {
    for (const message of messages) reader.receive(message)
  })
  assertSame([author, reader])
  return { local: rate(count, local), remote: rate(count, remote), bytesSingle: bytesOf(messages) / count }
}

function measureBatches(peer: Peer, count: number): Figures {
  const [author, reader] = pairOf(peer)
  const random = seededRandom(2)
  const batches = Array.from({ length: Math.ceil(count / BATCH) }, () => drawWrites(random, BATCH))
  const messages: Uint8Array[] = []
  const local = cpuOf(() => {
    for (const batch of batches) messages.push(...author.write(batch))
  })
  const remote = cpuOf(() => {
    for (const message of messages) reader.receive(message)
  })
  assertSame([author, reader])
  const operations = batches.length * BATCH
  return {
    batchLocal: rate(operations, local),
    batchRemote: rate(operations, remote),
    bytesBatched: bytesOf(messages) / operations,
  }
}

/** One member was away, and its operations come one by one into a long journal, each concurrent with all of it. */
function measureLate(peer: Peer, name: 'short' | 'long', journal: number, count: number): Figures {
  const [busy, away] = pairOf(peer)
  const random = seededRandom(3)
  const late = drawWrites(random, count).flatMap((write) => away.write([write]))
  const missed = work(busy, random, journal)
  const delaysUs: number[] = []
  const total = cpuOf(() => {
    for (const message of late) {
      const before = performance.now()
      busy.receive(message)
      delaysUs.push(1000 * (performance.now() - before))
    }
  })
  for (const message of missed) away.receive(message)
  assertSame([busy, away])
  delaysUs.sort((left, right) => left - right)
  return { [`${name}LateMean`]: (1000 * total) / count, [`${name}LateMedian`]: delaysUs[count >>> 1] ?? 0 }
}

function measureMerge(peer: Peer, count: number): Figures {
  const [left, right] = pairOf(peer)
  const random = seededRandom(4)
  const messages = [work(left, random, count), work(right, random, count)] as const
  let bytes = 0
  const ms = cpuOf(() => (bytes = peer.merge(left, right, messages)))
  assertSame([left, right])
  return { mergeMs: ms, mergeKb: bytes / 1000 }
}

/** Each of 50 members has worked alone; members hear all of the others, until the time is up. */
function measureFleet(
  peer: Peer,
  name: 'fleetInOrder' | 'fleetAnyOrder',
  count: number,
  ordered: (messages: readonly Sent[], seed: number) => readonly Sent[],
): Figures {
  const members = peer.fleet(FLEET)
  const random = seededRandom(5)
  const messages: Sent[] = []
  for (let round = 0; round < count; round++) {
    for (const [from, member] of members.entries())
      for (const message of member.write([drawWrite(random)])) messages.push({ from, message })
  }
  const receivers: PeerReplica[] = []
  let ms = 0
  for (let to = 0; to < RECEIVERS_MAX && ms < FLEET_BUDGET_MS; to++) {
    const receiver = members[to] as PeerReplica
    const deliveries = ordered(messages, to).filter(({ from }) => from !== to)
    ms += cpuOf(() => {
      for (const { message } of deliveries) receiver.receive(message)
      peer.catchUp?.(receiver, members)
    })
    receivers.push(receiver)
  }
  // One that hears them as they were sent stands for those that were left out.
  const witness = members[FLEET - 1] as PeerReplica
  for (const { from, message } of messages) if (from !== FLEET - 1) witness.receive(message)
  assertSame([...receivers, witness])
  return { [name]: rate((FLEET - 1) * count * receivers.length, ms) }
}

interface Sent {
  readonly from: number
  readonly message: Uint8Array
}

function shuffled(messages: readonly Sent[], seed: number): readonly Sent[] {
  const random = seededRandom(100 + seed)
  const shuffle = [...messages]
  for (let index = shuffle.length - 1; index > 0; index--) {
    const other = random.uint32() % (index + 1)
    ;[shuffle[index], shuffle[other]] = [shuffle[other] as Sent, shuffle[index] as Sent]
  }
  return shuffle
}

function save(peer: Peer, { sizes, file }: Job): Figures {
  const replica = foldingReplica(peer)
  const random = seededRandom(6)
  work(replica, random, sizes.history)
  const snapshot = replica.save()
  const messages = drawWrites(random, sizes.late).flatMap((write) => replica.write([write]))
  const journal = replica.stored?.() ?? messages
  const kept = { snapshot: hex(snapshot), journal: journal.map(hex), state: stateOf(replica) }
  writeFileSync(file, JSON.stringify(kept))
  return { storedKb: snapshot.length / 1000, journalKb: bytesOf(journal) / 1000 }
}

function coldStart(peer: Peer, { file }: Job, importMs: number): Figures {
  const kept = JSON.parse(readFileSync(file, 'utf8')) as { snapshot: string; journal: string[]; state: string }
  const snapshot = fromHex(kept.snapshot)
  const journal = kept.journal.map(fromHex)
  let replica: PeerReplica | null = null
  const loadMs = cpuOf(() => (replica = peer.load(snapshot, journal)))
  if (replica === null || stateOf(replica) !== kept.state) throw new Error('what was loaded is not what was saved')
  return { loadMs, coldStartMs: importMs + loadMs }
}

async function measureMemory(name: 'memory' | 'folded', open: () => PeerReplica, count: number): Promise<Figures> {
  work(open(), seededRandom(7), Math.ceil(count / 20))
  const replica = open()
  const random = seededRandom(8)
  const before = await memory()
  for (let done = 0; done < count; done += BATCH) replica.write(drawWrites(random, BATCH))
  const after = await memory()
  if ([...replica.entries()].length === 0) throw new Error('the replica is empty')
  return { [`${name}Heap`]: after.heap - before.heap, [`${name}Rss`]: after.rss - before.rss }
}

/** MiB, once the engine has given back what it collected: threads of its own do that, and up to 6 MiB come and go with it. */
async function memory(): Promise<{ heap: number; rss: number }> {
  collectGarbage()
  await setTimeout(GIVEN_BACK_MS)
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heap: (heapUsed + external) / 2 ** 20, rss: rss / 2 ** 20 }
}

/** Ten times what was seen to be enough. */
const GIVEN_BACK_MS = 100

function collectGarbage(): void {
  for (let round = 0; round < 2; round++) (globalThis as { gc?: () => void }).gc?.()
}

function foldingReplica(peer: Peer): PeerReplica {
  return peer.folding?.() ?? (peer.fleet(1)[0] as PeerReplica)
}

function pairOf(peer: Peer): readonly [PeerReplica, PeerReplica] {
  const [first, second] = peer.fleet(2)
  if (first === undefined || second === undefined) throw new Error('a fleet of two has two members')
  return [first, second]
}

/** Works in batches. @returns what the others are to be told */
function work(replica: PeerReplica, random: ReturnType<typeof seededRandom>, count: number): Messages {
  const messages: Uint8Array[] = []
  for (let done = 0; done < count; done += BATCH) messages.push(...replica.write(drawWrites(random, BATCH)))
  return messages
}

function assertSame(replicas: readonly PeerReplica[]): void {
  const [first, ...others] = replicas.map(stateOf)
  if (first === '[]' || others.some((other) => other !== first)) throw new Error('the replicas did not converge')
}

function stateOf(replica: PeerReplica): string {
  return JSON.stringify([...replica.entries()].sort(([left], [right]) => (left < right ? -1 : 1)))
}

/** CPU time of this process in milliseconds. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function cpuOf(run: () => unknown): number {
  const before = cpuMs()
  run()
  return cpuMs() - before
}

/** Operations per second of CPU time. */
function rate(count: number, ms: number): number {
  return (1000 * count) / Math.max(ms, 0.001)
}

function bytesOf(messages: Messages): number {
  return messages.reduce((total, { length }) => total + length, 0)
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function fromHex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'))
}
