import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MemberId } from '../../runtime/base/ids.ts'
import { RELAY_BYTES_MAX, RELAY_PATIENCE_MAX_MS, RELAY_PATIENCE_MIN_MS } from '../../runtime/base/limits.ts'
import type { Random } from '../../runtime/base/random.ts'
import type { Announcement } from '../../runtime/sync/message.ts'
import { decodeFrame } from '../../runtime/sync/message-codec.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { nameOf, Relay } from '../../runtime/sync/relay.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

const FLEET = genesisOf(6)
const B: MemberId = founder(FLEET, 1)
const LINKS = new Set(['air', 'wire'])
/** Of two outcomes of a toss the one or the other. */
const [LEAVES, STAYS] = [0xffff_ffff, 0]

/** A relay between `air` and `wire` whose tosses come out as they are told, and what `b` says, one after the other. */
class RelayOfB {
  readonly relay: Relay
  toss = STAYS
  #number = 0

  constructor() {
    const random: Random = { uint32: () => this.toss }
    this.relay = new Relay(random)
  }

  /** What b says next comes over `air`. @returns the links over which it goes on at once */
  hear(now: number, bytes = 100): unknown[] {
    this.#number += 1
    this.relay.noteAnnouncement(this.last, 'air')
    const name = nameOf('announcement', this.last)
    const passed = { name, member: B, frame: new Uint8Array(bytes), to: { channel: 'announcements' } } as const
    return linksOf(this.relay.pass(passed, 'air', LINKS, now))
  }

  /** The same comes over `wire`. */
  comesOnWire(): void {
    this.relay.noteAnnouncement(this.last, 'wire')
  }

  get last(): Announcement {
    return { ...announcementOf(new DrivenReplica(FLEET, 0), B), number: this.#number }
  }
}

function linksOf(outputs: readonly Output[]): unknown[] {
  return outputs.flatMap((output) => (output.kind === 'send' ? [output.to.links] : []))
}

/** One that leaves what b says on `wire` to somebody else. */
function leaving(): RelayOfB {
  const one = new RelayOfB()
  one.hear(0)
  one.toss = LEAVES
  one.comesOnWire()
  return one
}

test('what nobody else brings is passed on at once', () => {
  const one = new RelayOfB()
  one.toss = LEAVES
  for (let now = 0; now < 5; now++) assert.deepEqual(one.hear(now), [{ except: 'air' }])
  assert.equal(one.relay.wakeAt, null)
})

test('whoever hears what it has passed on tosses whether it leaves the next to others, and sends what they do not bring', () => {
  const one = new RelayOfB()
  one.hear(0)
  one.comesOnWire()
  assert.deepEqual(one.hear(1), [{ except: 'air' }], 'the toss was for staying')
  const other = leaving()
  assert.deepEqual(other.hear(1), [])
  other.comesOnWire()
  assert.equal(other.relay.wakeAt, null, 'it was brought')
  assert.deepEqual(other.hear(2), [])
  const at = other.relay.wakeAt!
  assert.ok(at >= 2 + RELAY_PATIENCE_MIN_MS && at <= 2 + 2 * RELAY_PATIENCE_MIN_MS)
  assert.deepEqual([linksOf(other.relay.tick(at - 1)), linksOf(other.relay.tick(at))], [[], [{ only: 'wire' }]])
  assert.deepEqual(other.hear(at), [{ except: 'air' }], 'nobody brings it any more')
})

test('who was only slower than that is waited for twice as long, up to a bound', () => {
  const one = leaving()
  const waits = [1, 2, 3, 4, 5].map(() => {
    one.hear(0)
    const waitMs = one.relay.wakeAt!
    one.relay.tick(waitMs)
    one.hear(0)
    one.comesOnWire()
    return waitMs
  })
  const patienceMs = waits.map((waitMs) => Math.round(waitMs / 2))
  assert.deepEqual(
    patienceMs,
    [1, 2, 4, 8, 8].map((times) => times * RELAY_PATIENCE_MIN_MS),
  )
  assert.equal(patienceMs.at(-1), RELAY_PATIENCE_MAX_MS)
})

test('whoever brings announcements and not what they speak of, or brings it too late, is left it more rarely', () => {
  const one = new RelayOfB()
  one.toss = 0.6 * 2 ** 32
  const isLeft = [1, 2].map(() => {
    one.hear(0)
    one.comesOnWire()
    const links = one.hear(0)
    one.relay.tick(Infinity)
    return links.length === 0
  })
  assert.deepEqual(isLeft, [true, false])
})

test('what finds no place among what is left to others goes at once', () => {
  const one = leaving()
  assert.deepEqual(one.hear(1, RELAY_BYTES_MAX), [])
  assert.deepEqual(one.hear(1), [{ except: 'air' }])
  one.relay.tick(Infinity)
  assert.equal(one.relay.wakeAt, null)
})

test('what a fleet has two links for goes over each of them about once', () => {
  const nodes = FLEET.founders.map((_, index) => new DrivenReplica(FLEET, index))
  const batches = { air: 0, wire: 0 }
  const carry = (from: DrivenReplica, outputs: readonly Output[]): void => {
    for (const output of outputs) {
      if (output.kind !== 'send') continue
      const { links } = output.to
      for (const link of ['air', 'wire'] as const) {
        if (links !== 'all' && ('only' in links ? links.only !== link : links.except === link)) continue
        if (decodeFrame(from.replica.fleet, output.frame).kind === 'batch') batches[link] += 1
        for (const to of nodes) if (to !== from) carry(to, to.give({ kind: 'frame', link, bytes: output.frame }))
      }
    }
  }
  const run = (): void => {
    for (let step = 0; step < 100; step++) for (const node of nodes) carry(node, [...node.wait(50), ...node.store()])
  }
  for (const node of nodes) carry(node, node.give({ kind: 'link-up', link: 'wire' }))
  for (let turn = 0; turn < 8; turn++) run()
  batches.air = 0
  batches.wire = 0
  for (const [index, node] of nodes.entries()) carry(node, node.issue(set(`of/${index}`, 1)))
  run()
  for (const node of nodes) assert.equal([...node.replica.entries()].length, nodes.length)
  assert.ok(batches.air + batches.wire <= 3 * nodes.length, JSON.stringify(batches))
})
