import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NodeId } from '../../runtime/base/ids.ts'
import type { Link } from '../../runtime/links/link.ts'
import { memoryHub } from '../../runtime/links/memory/memory-link.ts'
import { SteppedClock } from './clocks.ts'
import { acceptLink, ALICE, BOB, CAROL, patterned, type LinkHarness } from './link-acceptance.ts'
import { Witness } from './witness.ts'

acceptLink('memory', () => Promise.resolve(memoryHarness()))

function memoryHarness(): LinkHarness {
  const clock = new SteppedClock()
  const hub = memoryHub({ clock, delayMs: 5 })
  const links = new Map<NodeId, Link>()
  return {
    link(node) {
      const link = links.get(node) ?? hub.link(node)
      links.set(node, link)
      return link
    },
    async cut() {
      for (const node of links.keys()) hub.cut(node)
    },
    async heal() {
      for (const node of links.keys()) hub.heal(node)
    },
    async until(condition, what) {
      while (!condition()) assert.ok(clock.step(), `nothing is left to happen, but not yet: ${what}`)
    },
    finish: (call) => call,
    async end() {},
  }
}

test('a cut in memory loses what was under way, and only for the node that is cut', () => {
  const clock = new SteppedClock()
  const hub = memoryHub({ clock, delayMs: 10 })
  const [alice, bob, carol] = [hub.link(ALICE), hub.link(BOB), hub.link(CAROL)]
  const [atAlice, atBob, atCarol] = [new Witness(), new Witness(), new Witness()]
  alice.open(atAlice)
  bob.open(atBob)
  carol.open(atCarol)
  while (clock.step());
  alice.send(patterned(1, 10), { kind: 'operations' })
  bob.send(patterned(2, 10), { kind: 'operations' })
  hub.cut(ALICE)
  while (clock.step());
  assert.deepEqual(atBob.frames, [])
  assert.deepEqual(atCarol.frames, [patterned(2, 10)])
  assert.deepEqual(alice.status().counters.dropped, { 'connection-lost': 1 })
  assert.equal(bob.status().state, 'up')
  assert.deepEqual(atBob.told.slice(-1), [`${ALICE} offline`])
})

test('a hub in memory delivers after its delay, not before', () => {
  const clock = new SteppedClock()
  const hub = memoryHub({ clock, delayMs: 10 })
  const [alice, bob] = [hub.link(ALICE), hub.link(BOB)]
  const atBob = new Witness()
  alice.open(new Witness())
  bob.open(atBob)
  while (clock.step());
  const sentAt = clock.now()
  alice.send(patterned(1, 10), { kind: 'operations' })
  assert.deepEqual(atBob.frames, [])
  while (clock.step());
  assert.equal(clock.now(), sentAt + 10)
  assert.equal(atBob.frames.length, 1)
})
