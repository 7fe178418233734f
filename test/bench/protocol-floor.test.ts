import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { memberIdOf, nodeOf } from '../../runtime/base/ids.ts'
import { type Random, seededRandom } from '../../runtime/base/random.ts'
import { type Cell, EMPTY_CELL } from '../../runtime/state/cell.ts'
import { execute } from '../../runtime/state/executor.ts'
import { compareCanonically } from '../../runtime/state/operation.ts'
import { fleetIdOf, type Genesis } from '../../runtime/sync/membership.ts'
import type { Batch } from '../../runtime/sync/message.ts'
import { decodeFrame, encodeFrame } from '../../runtime/sync/message-codec.ts'
import { idOf, set } from '../state/operations.ts'
import { batchOf, chainOf } from '../sync/batches.ts'
import { openFleetstep } from './peers-adapters/fleetstep.ts'
import type { PeerReplica, Scalar, Write } from './peers-adapters/peer.ts'
import { FloorReplica, type Ports } from './peers-adapters/protocol-floor-replica.ts'
import { writeSnapshot } from './peers-adapters/protocol-floor-snapshot.ts'
import { openProtocolFloor } from './peers-adapters/protocol-floor.ts'
import { drawWrite, drawWrites, founders } from './workload.ts'

const product = await openFleetstep()
const floor = await openProtocolFloor()

/** Every form that a number or a text takes on the wire. */
const NUMBERS: readonly Scalar[] = [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]
const OTHER_NUMBERS: readonly Scalar[] = [
  -1,
  -25,
  -257,
  -(2 ** 31) - 1,
  0.5,
  -0.25,
  2 ** -24,
  65_504.5,
  0.1,
  -1e300,
  2 ** 60,
]
const TEXTS: readonly Scalar[] = ['', 'on', 'x'.repeat(23), 'x'.repeat(24), 'x'.repeat(300), 'Zähler', 'ключ', '24 °C']
const VALUES: readonly Scalar[] = [...NUMBERS, ...OTHER_NUMBERS, ...TEXTS, true, false]

describe('the floor of the protocol', () => {
  it('writes the bytes that a replica writes which has done and heard the same, to its disk too', () => {
    const random = seededRandom(1)
    const [real, flat] = [product.fleet(3), floor.fleet(3)]
    for (const replica of [...real, ...flat]) replica.save()
    for (let round = 0; round < 60; round++) {
      const from = random.uint32() % 3
      const writes = drawTurn(random)
      const [frames, others] = [writeAt(real, from, writes), writeAt(flat, from, writes)]
      assert.deepEqual(others.map(hex), frames.map(hex), `round ${round}`)
      for (let to = 0; to < 3; to++) {
        if (to === from || random.uint32() % 8 === 0) continue
        for (const frame of frames) for (const fleet of [real, flat]) fleet[to]?.receive(frame)
      }
    }
    for (const [index, replica] of real.entries()) {
      const records = replica.stored?.().map(hex) ?? []
      assert.ok(records.length > 20)
      assert.deepEqual(flat[index]?.stored?.().map(hex), records)
    }
  })

  for (const floors of [[1], [0, 2], [1, 2, 3]])
    it(`holds what replicas hold in one fleet with them, as member ${floors.join(' and ')}, in any order`, () => {
      for (let seed = 1; seed <= 5; seed++) {
        const random = seededRandom(seed)
        const flat = floor.fleet(4)
        const members = product.fleet(4).map((real, index) => (floors.includes(index) ? flat[index] : real))
        exchange(members as PeerReplica[], random)
        const [first, ...others] = members.map((member) => stateOf(member as PeerReplica))
        for (const other of others) assert.deepEqual(other, first, `seed ${seed}`)
      }
    })

  it('stores every batch, comes to the order and the outcomes of a whole execution, and tells of every change', () => {
    for (const size of [3, 4, 5]) {
      const one = new Listening(founders(size))
      const members = product.fleet(size)
      members[1] = one
      const frames = exchange(members, seededRandom(size))
      assert.equal(one.records, frames.length)
      assert.deepEqual([...one.told].sort(byPath), stateOf(one))
      assert.deepEqual([...one.replica.state.journal()], executed(frames, founders(size)))
    }
  })

  it('comes to the same where it takes the rest at once', () => {
    for (let seed = 1; seed <= 6; seed++) {
      const random = seededRandom(seed)
      const members = product.fleet(4)
      const frames = exchange(members, random)
      const shuffled = frames.map((frame) => [random.uint32(), frame] as const).sort(([left], [right]) => left - right)
      const one = new Listening(founders(4))
      for (const [, frame] of shuffled.slice(0, 20)) one.receive(frame)
      one.replica.receiveAll(shuffled.map(([, frame]) => frame))
      assert.deepEqual([...one.told].sort(byPath), stateOf(members[0] as PeerReplica))
      assert.deepEqual([...one.replica.state.journal()], executed(frames, founders(4)))
    }
  })

  it('takes as seen what lies at the floor, and what its member has written, whatever an operation says that it replaced', () => {
    const seen = batchOf({ by: 'B', stage: 2, floor: 1, previous: idOf('A', 1), writes: [set('x', 2)] })
    const batches = [
      batchOf({ by: 'A', writes: [set('x', 1)] }),
      batchOf({ by: 'C', writes: [set('x', 9)] }),
      seen,
      batchOf({ by: 'B', seq: 2, stage: 3, previous: idOf('B', 1), link: seen.digest, writes: [set('x', 3)] }),
    ]
    const frames = batches.map(frameOf)
    for (const order of [frames, frames.toReversed()]) {
      const one = new Listening(HANDMADE)
      for (const frame of order) one.receive(frame)
      assert.deepEqual([...one.replica.state.journal()], executed(frames, HANDMADE))
      assert.deepEqual(stateOf(one), [['x', 3]])
    }
  })

  it('executes what was moved behind others that change nothing', () => {
    const own = [1, 2, 3, 4, 5, 6].reduce<Batch[]>((batches, seq) => {
      const write = seq === 5 ? set('y', 5) : set('x', seq, seq === 1 ? null : idOf('A', seq === 6 ? 4 : seq - 1))
      const previous = seq === 1 ? null : idOf('A', seq - 1)
      const link = batches.at(-1)?.digest ?? EMPTY_DIGEST
      return [...batches, batchOf({ by: 'A', seq, stage: seq, previous, link, writes: [write] })]
    }, [])
    const late = batchOf({ by: 'C', stage: 5, previous: idOf('A', 4), writes: [set('x', 9, idOf('A', 4))] })
    const [first, all] = [own.map(frameOf), [...own, late, ...chainOf('B', 3)].map(frameOf)]
    const one = new Listening(HANDMADE)
    for (const frame of first) one.receive(frame)
    one.replica.receiveAll(all)
    assert.deepEqual([...one.replica.state.journal()], executed(all, HANDMADE))
  })

  it('merges two partitions to what two replicas merge them to', () => {
    const states = [product, floor].map((peer) => {
      const random = seededRandom(3)
      const pair = peer.fleet(2) as [PeerReplica, PeerReplica]
      const messages = pair.map((replica) => [1, 2, 3].flatMap(() => replica.write(drawWrites(random, 100))))
      assert.ok(peer.merge(...pair, messages as [Uint8Array[], Uint8Array[]]) > 0)
      assert.deepEqual(stateOf(pair[0]), stateOf(pair[1]))
      return stateOf(pair[0])
    })
    assert.deepEqual(states[1], states[0])
  })

  it('comes back out of its snapshot and its records', () => {
    const random = seededRandom(4)
    const [replica] = floor.fleet(1) as [PeerReplica]
    for (let round = 0; round < 5; round++) replica.write(drawTurn(random))
    const snapshot = replica.save()
    for (let round = 0; round < 5; round++) replica.write(drawTurn(random))
    const loaded = floor.load(snapshot, replica.stored?.() ?? [])
    assert.deepEqual(stateOf(loaded), stateOf(replica))
    const next = drawTurn(random)
    assert.deepEqual(loaded.write(next).map(hex), replica.write(next).map(hex))
  })
})

/** The members of batches that are made by hand. */
const HANDMADE: Genesis = {
  name: 'by hand',
  founders: (['A', 'B', 'C'] as const).map((by, index) => ({ node: nodeOf(idOf(by, 1).member), tier: 3 - index })),
}

function frameOf(batch: Batch): Uint8Array {
  return encodeFrame(fleetIdOf(HANDMADE), { kind: 'batch', batch })
}

/** The floor, and what it does to the outside. */
class Listening implements PeerReplica, Ports {
  readonly replica: FloorReplica
  readonly told = new Map<string, Scalar>()
  records = 0

  constructor(genesis: Genesis) {
    this.replica = new FloorReplica(genesis, 1, this)
  }

  store(): void {
    this.records += 1
  }

  changed(path: string, before: Scalar | undefined, after: Scalar): void {
    assert.equal(this.told.get(path), before)
    assert.notEqual(after, before)
    this.told.set(path, after)
  }

  write(writes: readonly Write[]): readonly Uint8Array[] {
    return [this.replica.write(writes)]
  }

  receive(frame: Uint8Array): void {
    this.replica.receive(frame)
  }

  save(): Uint8Array {
    return writeSnapshot(this.replica)
  }

  entries(): Iterable<readonly [string, unknown]> {
    return this.replica.state.points().map(({ path, value }) => [path, value] as const)
  }
}

/** Everything in canonical order, each on what all before it have left, as the product executes one operation. */
function executed(frames: readonly Uint8Array[], genesis: Genesis): unknown[] {
  const sorted = [...genesis.founders].sort((left, right) => right.tier - left.tier)
  const byPriority = sorted.map(({ node }) => memberIdOf(node, 0))
  const cells = new Map<string, Cell>()
  return frames
    .flatMap((frame) => {
      const message = decodeFrame(fleetIdOf(genesis), frame)
      return message.kind === 'batch' ? message.batch.messages.map(({ current }) => current) : []
    })
    .sort(compareCanonically)
    .map((operation) => {
      const { id, paths } = operation
      const { outcome, after } = execute(
        operation,
        paths.map((path) => cells.get(path) ?? EMPTY_CELL),
      )
      for (const [index, path] of paths.entries()) cells.set(path, after[index] as Cell)
      return { member: byPriority.indexOf(id.member), seq: id.seq, isApplied: outcome === 'applied' }
    })
}

/** All work apart, and hear all that the others have done in an order of their own, some of it twice. @returns all frames */
function exchange(members: readonly PeerReplica[], random: Random): Uint8Array[] {
  const queues = members.map((): Uint8Array[] => [])
  const frames: Uint8Array[] = []
  for (let round = 0; round < 40; round++) {
    const from = random.uint32() % members.length
    for (const frame of writeAt(members, from, drawFew(random))) {
      frames.push(frame)
      for (const [to, queue] of queues.entries()) if (to !== from) queue.push(frame)
    }
    const to = random.uint32() % members.length
    for (let count = random.uint32() % 12; count > 0; count--) deliverOne(members, queues, to, random)
  }
  for (const [to, queue] of queues.entries()) while (queue.length > 0) deliverOne(members, queues, to, random)
  return frames
}

function deliverOne(members: readonly PeerReplica[], queues: Uint8Array[][], to: number, random: Random): void {
  const queue = queues[to] as Uint8Array[]
  const [frame] = queue.splice(random.uint32() % Math.max(1, queue.length), random.uint32() % 6 === 0 ? 0 : 1)
  const again = frame ?? queue[0]
  if (again !== undefined) members[to]?.receive(again)
}

/** Few points, so that many writes meet. */
function drawFew(random: Random): Write[] {
  const count = random.uint32() % 3 === 0 ? 1 + (random.uint32() % 30) : 1
  return Array.from({ length: count }, () => ({ path: `few/p${random.uint32() % 12}`, value: random.uint32() % 20 }))
}

/** One operation, or a batch that is deflated. */
function drawTurn(random: Random): Write[] {
  if (random.uint32() % 3 === 0) return drawWrites(random, 2 + (random.uint32() % 99))
  const path = ['a', 'line/ä', 'x'.repeat(24), `long/${'x'.repeat(240)}`][random.uint32() % 4] as string
  return random.uint32() % 2 === 0
    ? [drawWrite(random)]
    : [{ path, value: VALUES[random.uint32() % VALUES.length] as Scalar }]
}

function writeAt(members: readonly PeerReplica[], index: number, writes: readonly Write[]): readonly Uint8Array[] {
  return (members[index] as PeerReplica).write(writes)
}

function stateOf(replica: PeerReplica): (readonly [string, unknown])[] {
  return [...replica.entries()].sort(byPath)
}

function byPath([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number {
  return left < right ? -1 : 1
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
