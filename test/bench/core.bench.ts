import { decodeCbor, encodeCbor } from '../../runtime/base/cbor.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Value } from '../../runtime/state/value.ts'
import { assertSame, BenchReplica, cpuOf, introduce } from './core-parts.ts'
import { drawRequest, founders } from './workload.ts'

interface Row {
  readonly work: string
  readonly ratioToFloor: number
  readonly operationsPerCpuS: number
  readonly bytesPerOperation: number
}

/**
 * The consistency protocol beside the floor: a bare Map that is told of each change by a message of the same CBOR
 * library, without order, history or gaps. What is above the ratio of 1 cannot be had.
 */
export function run({ smoke }: { readonly smoke: boolean }): Promise<{ rows: Row[] }> {
  const count = smoke ? 200 : 20_000
  // Once to warm up, once to count.
  for (const size of [Math.min(count, 5000), count]) {
    const rows = measure(size)
    if (size === count) return Promise.resolve({ rows })
  }
  throw new Error('unreachable')
}

function measure(count: number): Row[] {
  const floor = measureFloor(count)
  const local = measureLocal(count)
  const remote = measureRemote(count, local.frames)
  const batched = measureBatches(count)
  const late = measureLate(count)
  return [
    row('local, one message each', count, local.cpu, floor.localCpu, bytesOf(local.frames)),
    row('remote, one by one', count, remote, floor.remoteCpu, bytesOf(local.frames)),
    row('remote, batches of 100', count, batched.cpu, floor.remoteCpu, bytesOf(batched.frames)),
    row(`late, one by one, into ${count}`, late.count, late.cpu, (floor.remoteCpu * late.count) / count, 0),
  ]
}

function measureFloor(count: number): { localCpu: number; remoteCpu: number } {
  const random = seededRandom(1)
  const requests = Array.from({ length: count }, () => drawRequest(random).writes[0])
  const frames: Uint8Array[] = []
  const local = new Map<string, Value>()
  const localCpu = cpuOf(() => {
    for (const [index, write] of requests.entries()) {
      if (write === undefined) continue
      local.set(write.path, write.argument)
      frames.push(encodeCbor([index, write.path, write.argument]))
    }
  })
  const remote = new Map<string, unknown>()
  const remoteCpu = cpuOf(() => {
    for (const frame of frames) {
      const message = decodeCbor(frame, 4)
      if (Array.isArray(message)) remote.set(String(message[1]), message[2])
    }
  })
  if (remote.size !== local.size) throw new Error('the floor did not converge')
  return { localCpu, remoteCpu }
}

function measureLocal(count: number): { cpu: number; frames: Uint8Array[] } {
  const random = seededRandom(1)
  const pair = pairOf()
  const [author] = pair
  const requests = Array.from({ length: count }, () => drawRequest(random))
  const cpu = cpuOf(() => {
    for (const request of requests) author.carryOut(author.replica.issue(request, 0, 0).outputs)
  })
  return { cpu, frames: author.frames }
}

function measureRemote(count: number, frames: readonly Uint8Array[]): number {
  const [, reader] = pairOf()
  const cpu = cpuOf(() => {
    for (const frame of frames) reader.receive(frame)
  })
  if (reader.replica.inspect(0).journalLength !== count) throw new Error('operations are missing')
  return cpu
}

function measureBatches(count: number): { cpu: number; frames: Uint8Array[] } {
  const random = seededRandom(1)
  const pair = pairOf()
  const [author, reader] = pair
  for (let done = 0; done < count; done += 100) {
    for (let index = 0; index < 100; index++) author.replica.issue(drawRequest(random), 1000, 0)
    author.carryOut(author.replica.flush(0))
  }
  const cpu = cpuOf(() => {
    for (const frame of author.frames) reader.receive(frame)
  })
  assertSame(pair)
  return { cpu, frames: author.frames }
}

/** One member was away and comes back with operations that belong far back in the journal. */
function measureLate(count: number): { cpu: number; count: number } {
  const random = seededRandom(3)
  const pair = pairOf()
  const [busy, away] = pair
  const lateCount = Math.min(1000, count)
  for (let index = 0; index < lateCount; index++) away.carryOut(away.replica.issue(drawRequest(random), 0, 0).outputs)
  for (let index = 0; index < count; index++) busy.carryOut(busy.replica.issue(drawRequest(random), 0, 0).outputs)
  const cpu = cpuOf(() => {
    for (const frame of away.frames) busy.receive(frame)
  })
  for (const frame of busy.frames) away.receive(frame)
  assertSame(pair)
  return { cpu, count: lateCount }
}

function pairOf(): readonly [BenchReplica, BenchReplica] {
  const genesis = founders(2)
  const pair = [new BenchReplica(genesis, 0), new BenchReplica(genesis, 1)] as const
  introduce(pair)
  return pair
}

function row(work: string, count: number, cpu: number, floorCpu: number, bytes: number): Row {
  return {
    work,
    ratioToFloor: floorCpu / cpu,
    operationsPerCpuS: Math.round((count / cpu) * 1e6),
    bytesPerOperation: Math.round((bytes / count) * 10) / 10,
  }
}

function bytesOf(frames: readonly Uint8Array[]): number {
  return frames.reduce((total, frame) => total + frame.length, 0)
}
