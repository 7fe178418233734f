import assert from 'node:assert/strict'
import { equalBytes } from '../../runtime/base/bytes.ts'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { type MemberId, memberIdOf, type NodeId, sameOperationId } from '../../runtime/base/ids.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Input } from '../../runtime/sync/input.ts'
import { type Epoch, epochDigest, epochPayload } from '../../runtime/sync/epoch.ts'
import { fleetIdOf, type Genesis, Membership } from '../../runtime/sync/membership.ts'
import { type Batch, firstOf, type Message } from '../../runtime/sync/message.ts'
import { decodeFrame, encodeFrame } from '../../runtime/sync/message-codec.ts'
import { Replica } from '../../runtime/sync/replica.ts'
import { type VersionEntry, vectorDigest } from '../../runtime/sync/version-vector.ts'
import { operationsOf } from '../sync/reference-fleet.ts'
import {
  type Configuration,
  configurations,
  type ExhaustiveCounts,
  permutations,
  type Plan,
  requestOf,
  textOfReference,
  textOfReplica,
} from './exhaustive.ts'
import { signatureOf } from './operator.ts'

/** The larger space takes that much longer. It is prime, so that all orders have their turn. */
export const MEMBERSHIP_STRIDE = 1009

/** Who admits the newcomer, with which of its operations, and who is retired. */
interface Variant {
  readonly sponsor: MemberId
  readonly joinAt: number
  readonly retired: MemberId
}

/**
 * The second space: two founders that issue, a newcomer that joins and issues, and an observer, a founder too. The operator
 * retires the second founder or the newcomer; the first founder and the observer count. For every way in which the messages
 * can come about, and everything that the first founder can have frozen, the observer is given the messages, the epoch and
 * the frozen entries in every order, and then again, since it may have refused some of them while it did not know the cuts. It must end
 * with what the reference makes of the operations that stand: those of the retired up to the cut, and of the newcomer only if
 * its join stands.
 * @param operationsOfFirst how many the first founder issues; the second issues two and the newcomer one. A join is one of them
 * @param stride only each so-manieth order, with another start for each configuration; 1 for all
 */
export function checkMembershipOrders(genesis: Genesis, operationsOfFirst: number, stride: number): ExhaustiveCounts {
  const [first, second, observer] = new Membership(genesis).list().map(({ id }) => id) as [MemberId, MemberId, MemberId]
  const newcomer = memberIdOf('0900000000000001' as NodeId, 7)
  const counts = { [first]: operationsOfFirst, [second]: 2 }
  const orders = permutations(operationsOfFirst + 2 + 1 + 2)
  const total = { configurations: 0, deliveryOrders: 0 }
  for (const variant of variantsOf(first, second, newcomer, counts)) {
    const plan = planOf(variant, newcomer, counts)
    for (const configuration of configurations(genesis, plan)) {
      for (const frozen of frozenChoices(configuration, first, variant.retired)) {
        const check = new RetirementCheck(genesis, configuration, { ...variant, first, observer, newcomer, frozen })
        for (let at = total.configurations % stride; at < orders.length; at += stride) {
          check.deliver(orders[at]!)
          total.deliveryOrders += 1
        }
        total.configurations += 1
      }
    }
  }
  return total
}

function variantsOf(
  first: MemberId,
  second: MemberId,
  newcomer: MemberId,
  counts: Readonly<Record<MemberId, number>>,
): Variant[] {
  return [first, second].flatMap((sponsor) =>
    Array.from({ length: counts[sponsor] ?? 0 }, (_, joinAt) =>
      [second, newcomer].map((retired) => ({ sponsor, joinAt, retired })),
    ).flat(),
  )
}

function planOf({ sponsor, joinAt }: Variant, newcomer: MemberId, counts: Readonly<Record<MemberId, number>>): Plan {
  const join = { member: newcomer, tier: 1, key: new Uint8Array() }
  const founders = Object.entries(counts) as [MemberId, number][]
  const planned = founders.map(([member, count]) => {
    const operations = Array.from({ length: count }, (_, index) =>
      member === sponsor && index === joinAt ? { join } : { request: requestOf(member, index) },
    )
    return [member, operations] as const
  })
  return new Map([...planned, [newcomer, [{ request: requestOf(newcomer, 0) }]]])
}

/** What the first founder can have frozen of the retired: no less than what its own operations build on. */
function frozenChoices({ batches }: Configuration, first: MemberId, retired: MemberId): VersionEntry[] {
  const ofRetired = batches.filter(({ origin }) => origin === retired)
  const none: VersionEntry = { member: retired, seq: 0, digest: EMPTY_DIGEST }
  const entries = [none, ...ofRetired.map(({ digest }, index) => ({ member: retired, seq: index + 1, digest }))]
  const basis = basisOf(batches, first)
  return entries.slice(ofRetired.findLastIndex((batch) => basis.has(batch)) + 1)
}

/** What the operations of `member` name, what these name, and so on. */
function basisOf(batches: readonly Batch[], member: MemberId): Set<Batch> {
  const basis = new Set(batches.filter(({ origin }) => origin === member))
  for (const batch of basis) {
    const { current, previous } = firstOf(batch)
    const named = [previous.id, ...current.writes.map(({ replaces }) => replaces)]
    for (const other of batches) {
      const { id, join } = firstOf(other).current
      const isJoin = join?.member === batch.origin
      if (isJoin || named.some((one) => sameOperationId(one, id))) basis.add(other)
    }
  }
  return basis
}

interface Retirement {
  readonly first: MemberId
  readonly observer: MemberId
  readonly newcomer: MemberId
  readonly retired: MemberId
  readonly frozen: VersionEntry
}

/** One configuration with one choice of what the first founder froze. */
class RetirementCheck {
  readonly #genesis: Genesis
  readonly #retirement: Retirement
  readonly #batches: readonly Batch[]
  readonly #frames: readonly Uint8Array[]
  /** What each of them says, read once for all orders. */
  readonly #messages: ReadonlyMap<Uint8Array, Message>
  readonly #epoch: Epoch
  /** What must come out, by the cut. */
  readonly #expected = new Map<number, string>()

  constructor(genesis: Genesis, { batches }: Configuration, retirement: Retirement) {
    this.#genesis = genesis
    this.#retirement = retirement
    this.#batches = batches
    const fleet = fleetIdOf(genesis)
    const counting = [retirement.first, retirement.observer].sort()
    const unsigned = { number: 1, counting, retired: [retirement.retired] }
    this.#epoch = { ...unsigned, signature: signatureOf(epochPayload(fleet, unsigned)) }
    const messages: Message[] = batches.map((batch) => ({ kind: 'batch', batch }))
    messages.push({ kind: 'epoch', epoch: this.#epoch }, this.#announcement())
    this.#frames = messages.map((message) => encodeFrame(fleet, message))
    this.#messages = new Map(this.#frames.map((bytes) => [bytes, decodeFrame(fleet, bytes)]))
  }

  deliver(order: readonly number[]): void {
    const { retired, frozen, observer } = this.#retirement
    const replica = new Replica({
      self: observer,
      genesis: this.#genesis,
      random: seededRandom(1),
      recovered: { snapshot: null, records: [], last: 0 },
      readFrame: (bytes) => this.#messages.get(bytes)!,
      verifyEpoch: (payload, signature) => equalBytes(signature, signatureOf(payload)),
    })
    let own = 0
    for (const index of order) {
      if (index === this.#batches.length) own = heldOf(replica, retired)
      hear(replica, this.#frames[index]!)
    }
    const [announcement] = this.#frames.slice(-1)
    for (const frame of [announcement!, ...this.#frames.slice(0, this.#batches.length)]) hear(replica, frame)
    const expected = this.#expectedFor(Math.max(own, frozen.seq))
    const reached = textOfReplica(replica)
    if (reached !== expected) assert.equal(reached, expected, `delivery order ${order.join(' ')}, ${frozen.seq} frozen`)
  }

  #expectedFor(cut: number): string {
    let expected = this.#expected.get(cut)
    if (expected === undefined) {
      expected = textOfReference(operationsOf(this.#standing(cut)))
      this.#expected.set(cut, expected)
    }
    return expected
  }

  /** Whoever hung on a join that was cut is cut at 0. */
  #standing(cut: number): Batch[] {
    const { retired, newcomer } = this.#retirement
    const standing = this.#batches.filter(({ origin, messages }) => {
      return origin !== retired || (messages.at(-1)?.current.id.seq ?? 0) <= cut
    })
    const hasJoined = standing.some(({ messages }) => messages.some(({ current }) => current.join !== null))
    return standing.filter(({ origin }) => origin !== newcomer || hasJoined)
  }

  /** Of the first founder: it states what it froze, and nothing by which a floor could move. */
  #announcement(): Message {
    const { first, frozen } = this.#retirement
    const announcement = {
      member: first,
      start: 1,
      number: 1,
      epoch: 1,
      newestEpoch: 1,
      epochDigest: epochDigest(this.#epoch),
      knowsCuts: false,
      frozen: [frozen],
      stage: 0,
      ownSeq: 0,
      floor: 0,
      floorDigest: EMPTY_DIGEST,
      vectorDigest: vectorDigest(new Map()),
      vector: [],
    }
    return { kind: 'announcement', announcement }
  }
}

function heldOf(replica: Replica, member: MemberId): number {
  return replica.inspect(0).members.find((line) => line.member === member)?.heldSeq ?? 0
}

/** The frame comes in, and all that is to be stored because of it is on the disk at once. */
function hear(replica: Replica, bytes: Uint8Array): void {
  let inputs: Input[] = [{ kind: 'frame', link: 'air', bytes }]
  while (inputs.length > 0) {
    inputs = inputs.flatMap((input) => {
      const last = replica.receive(input, 0).findLast((output) => output.kind === 'store')
      return last?.kind === 'store' ? [{ kind: 'stored', through: last.number }] : []
    })
  }
}
