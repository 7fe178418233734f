import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import {
  REPEAT_BYTES_MAX,
  REPEAT_FRAMES_MAX,
  REPEAT_QUIET_MAX_MS,
  REPEAT_QUIET_MIN_MS,
} from '../../runtime/base/limits.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { createSigningKey, type SigningKey, verifySignature } from '../../runtime/device/identity/keys.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { Repeater } from '../../runtime/sync/repeater.ts'
import { Signatures } from '../../runtime/sync/signatures.ts'
import { SimulatedFleet } from '../simulation/fleet.ts'
import type { SimulatedNode } from '../simulation/node.ts'
import { withKeys } from '../simulation/signing.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { HandIssuer } from '../support/handmade.ts'
import { nodeNamed } from '../support/membership-network.ts'
import { genesisOf, set, stateOf } from '../support/replica-network.ts'

const DRAFT = '0d00000000000001' as NodeId

test('the only way between two members comes back after it was retired, and carries on what they say until then', () => {
  const genesis = genesisOf(3)
  const domains = [
    { link: 'air', nodes: ['a', 'b'] },
    { link: 'wire', nodes: ['b', 'c'] },
  ]
  const fleet = new SimulatedFleet({ genesis, random: seededRandom(7), domains })
  const [a, b, c] = fleet.nodes as [SimulatedNode, SimulatedNode, SimulatedNode]
  for (const [index, node] of fleet.nodes.entries()) fleet.issue(node, set(`p${index}`, index))
  fleet.run(10_000)
  // c has heard an operation of b that a has not, and lacks one of a.
  fleet.network.cuts.add('b|a').add('a|b')
  fleet.issue(b, set('p1', 'late'))
  fleet.issue(a, set('p0', 'late'))
  fleet.run(5000)
  fleet.network.cuts.clear()
  fleet.operator.retire(a, [b.member])
  fleet.run(120_000)
  const views = fleet.nodes.map(({ replica }) => replica.inspect(fleet.now))
  assert.deepEqual(
    views.map(({ status, epoch, journalLength }) => [status, epoch.number, journalLength]),
    views.map(() => ['member', 1, 0]),
  )
  for (const { replica } of [a, b, c]) assert.deepEqual(stateOf(replica), { p0: 'late', p1: 'late', p2: 2 })
})

for (const isBehindRelay of [false, true]) {
  const where = isBehindRelay ? 'behind a relay that does not know it' : 'beside one who counts'
  test(`a member in a fleet with keys hears ${where} that its join was cut`, () => {
    const genesis = withKeys(genesisOf(isBehindRelay ? 3 : 2))
    const domains = [{ link: 'air', nodes: isBehindRelay ? ['b', 'c'] : ['a', 'b'] }]
    if (isBehindRelay) domains.push({ link: 'wire', nodes: ['a', 'c'] })
    const fleet = new SimulatedFleet({ genesis, random: seededRandom(3), domains })
    const [a, b] = fleet.nodes as [SimulatedNode, SimulatedNode]
    fleet.run(5000)
    // Nobody but a and n ever holds the join of n.
    fleet.network.partition(['a', 'n'], ['b', 'c'])
    const n = fleet.add(nodeNamed('n'), 0, isBehindRelay ? 'wire' : 'air')
    fleet.run(20_000)
    assert.equal(n.replica.inspect(0).status, 'member')
    const former = n.member
    fleet.destroy(a)
    fleet.operator.retire(b, [a.member])
    fleet.run(60_000)
    fleet.network.cuts.clear()
    fleet.run(120_000)
    assert.notEqual(n.member, former, JSON.stringify(n.replica.inspect(0).floorHold))
    assert.equal(n.replica.inspect(0).status, 'member')
  })
}

describe('a repeater', () => {
  const draft = new DrivenReplica(genesisOf(1), DRAFT)
  const issuer = new HandIssuer(founder(genesisOf(1), 0), 1)
  const heard = (value: string, link: string): Parameters<Repeater['hear']>[0] => {
    issuer.issue({ set: ['p', value] })
    const message = { kind: 'batch', batch: issuer.batches.at(-1)! } as const
    return { message, frame: encodeFrame(draft.replica.fleet, message), link }
  }
  const LINKS = new Set(['air', 'wire', 'line'])
  const linkOf = ({ to: { links } }: Output & { kind: 'send' }): string =>
    links !== 'all' && 'only' in links ? links.only : ''
  const linksOf = (outputs: readonly Output[]): unknown[] =>
    outputs.map((output) => output.kind === 'send' && 'only' in (output.to.links as object) && output.to.links)

  test('passes a frame on to the other links, once', () => {
    const repeater = new Repeater(seededRandom(1))
    const one = heard('one', 'air')
    for (const link of ['air', 'air', 'air']) repeater.hear({ ...one, link }, LINKS, 3, 0)
    const outputs = repeater.tick(200)
    assert.deepEqual(linksOf(outputs), [{ only: 'wire' }, { only: 'line' }])
    assert.ok(outputs.every((output) => output.kind === 'send' && output.frame === one.frame))
    repeater.hear({ ...one, link: 'wire' }, LINKS, 3, 210)
    assert.deepEqual([repeater.wakeAt, repeater.tick(10_000)], [null, []])
  })

  test('is silent where another one has been faster, and where there is no other link', () => {
    const repeater = new Repeater(seededRandom(1))
    const one = heard('faster', 'air')
    repeater.hear(one, LINKS, 3, 0)
    repeater.hear({ ...one, link: 'line' }, LINKS, 3, 0)
    assert.deepEqual(linksOf(repeater.tick(200)), [{ only: 'wire' }])
    repeater.hear(heard('alone', 'air'), new Set(['air']), 3, 300)
    assert.equal(repeater.wakeAt, null)
  })

  test('passes on again what is said again, but nothing that runs in a circle', () => {
    const passes = (everyMs: number, durationMs: number): number => {
      const repeater = new Repeater(seededRandom(1))
      const one = heard('again', 'air')
      let count = 0
      for (let now = 0; now < durationMs; now += everyMs) {
        repeater.hear(one, LINKS, 3, now)
        count += repeater.tick(now + 199).length / 2
      }
      return count
    }
    assert.equal(passes(1000, 3000), 3, 'a second later somebody may have asked again')
    assert.equal(passes(REPEAT_QUIET_MAX_MS + 400, 600_000), Math.ceil(600_000 / (REPEAT_QUIET_MAX_MS + 400)))
    assert.ok(passes(200, 600_000) < 8 + 600_000 / REPEAT_QUIET_MAX_MS)
  })

  test('passes frames on in the order in which they came', () => {
    const repeater = new Repeater(seededRandom(1))
    const frames = Array.from({ length: 20 }, (_, index) => heard(`${index}`, 'air'))
    for (const frame of frames) repeater.hear(frame, new Set(['air', 'wire']), 3, 0)
    const outputs = repeater.tick(200)
    assert.deepEqual(
      outputs.map((output) => output.kind === 'send' && output.frame),
      frames.map(({ frame }) => frame),
    )
  })

  for (const [frames, passed] of [
    [600, 600],
    [REPEAT_FRAMES_MAX + 100, REPEAT_FRAMES_MAX],
  ] as const) {
    test(`two of them pass each of ${frames} frames of one moment on at most once`, () => {
      const links = new Set(['air', 'wire'])
      const { message } = heard('burst', 'air')
      const both = [new Repeater(seededRandom(1)), new Repeater(seededRandom(2))]
      const tell = (from: Repeater | null, link: string, frame: Uint8Array, now: number): void => {
        for (const one of both) if (one !== from) one.hear({ message, frame, link }, links, 3, now)
      }
      for (let index = 0; index < frames; index++) tell(null, 'air', Buffer.from(`frame ${index}`), 0)
      let count = 0
      for (let now = 0; now < 20_000; now += 10) {
        for (const one of both) {
          for (const output of one.tick(now)) {
            if (output.kind !== 'send') continue
            count += 1
            tell(one, linkOf(output), output.frame, now)
          }
        }
      }
      assert.equal(count, passed)
    })
  }

  test('remembers others again when what it has passed on cannot come round any more', () => {
    const repeater = new Repeater(seededRandom(1))
    const { message } = heard('room', 'air')
    const hear = (index: number, now: number): boolean =>
      repeater.hear({ message, frame: Buffer.from(`frame ${index}`), link: 'air' }, LINKS, 3, now)
    for (let index = 0; index < REPEAT_FRAMES_MAX; index++) assert.ok(hear(index, 0))
    assert.equal(hear(REPEAT_FRAMES_MAX, 0), false)
    repeater.tick(200)
    assert.equal(hear(REPEAT_FRAMES_MAX, 200), false)
    assert.equal(hear(REPEAT_FRAMES_MAX, 200 + REPEAT_QUIET_MIN_MS), true)
  })

  test('lets no more wait than it may', () => {
    const repeater = new Repeater(seededRandom(1))
    const large = heard('large', 'air')
    const isTaken = Array.from({ length: 9 }, (_, index) => {
      const frame = new Uint8Array(REPEAT_BYTES_MAX / 8).fill(index)
      return repeater.hear({ ...large, frame }, LINKS, 3, 0)
    })
    assert.deepEqual(isTaken, [true, true, true, true, true, true, true, true, false])
    assert.equal(repeater.tick(200).length, 16)
    assert.ok(repeater.hear({ ...large, frame: new Uint8Array(REPEAT_BYTES_MAX / 8).fill(8) }, LINKS, 3, 200))
  })
})

test('a draft passes on what strangers have signed, and nothing that shows to be forged', () => {
  const [operator, key, thief] = [createSigningKey(), createSigningKey(), createSigningKey()]
  const plain = genesisOf(1)
  const fleet: Genesis = {
    ...plain,
    operator: operator.publicKey,
    founders: plain.founders.map((one) => ({ ...one, key: key.publicKey })),
  }
  const scheme = ({ sign }: SigningKey): ConstructorParameters<typeof Signatures>[1] => ({
    sign,
    verify: verifySignature,
  })
  const draft = new DrivenReplica(fleet, DRAFT, undefined, undefined, {
    signature: scheme(createSigningKey())!,
    key: createSigningKey().publicKey,
  })
  draft.give({ kind: 'link-up', link: 'wire' })
  const passedOn = (node: NodeId, by: SigningKey | null): boolean => {
    const issuer = new HandIssuer(memberIdOf(node, 0), 1)
    issuer.issue({ set: ['p', 1] })
    const [batch] = issuer.batches
    const signed = by === null ? batch! : new Signatures(draft.replica.fleet, scheme(by)).sign(batch!)
    const frame = encodeFrame(draft.replica.fleet, { kind: 'batch', batch: signed })
    const outputs = [...draft.giveFrame(frame), ...draft.wait(300)]
    return outputs.some((output) => output.kind === 'send' && output.frame === frame)
  }
  const anna = fleet.founders[0]!.node
  assert.deepEqual(
    [passedOn(anna, key), passedOn(anna, thief), passedOn(anna, null), passedOn(DRAFT, thief)],
    [true, false, false, true],
  )
})
