import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ANNOUNCE_INTERVAL_MAX_MS } from '../../runtime/base/limits.ts'
import type { NetworkNode } from '../support/membership-network.ts'
import { startedNetwork } from '../support/membership-network.ts'
import { DrivenReplica, founder } from '../support/driven-replica.ts'
import { genesisOf, set } from '../support/replica-network.ts'
import { announcementOf } from './announcements.ts'

const FLEET = genesisOf(2)
const B = founder(FLEET, 1)

function framesOf(nodes: readonly NetworkNode[]): number {
  return nodes.reduce((sum, { outputs }) => sum + outputs.filter(({ kind }) => kind === 'send').length, 0)
}

test('a member whose disk is full does not have the fleet speak for ever', () => {
  for (const members of [2, 5]) {
    const fleet = startedNetwork(members)
    fleet.node('b').isFull = true
    fleet.issue(fleet.node('a'), set('x', 1))
    fleet.run(200_000)
    const before = framesOf(fleet.nodes)
    fleet.run(10 * ANNOUNCE_INTERVAL_MAX_MS)
    const perInterval = (framesOf(fleet.nodes) - before) / 10
    // Each speaks at most twice in an interval; whoever is behind answers the others, and one of them answers it.
    assert.ok(perInterval <= 2 * 3 * members, `${members} members: ${perInterval} frames in each interval`)
    fleet.node('b').isFull = false
    assert.ok(fleet.runUntil(() => fleet.node('a').replica.settled('x' as never) === 1, 2 * ANNOUNCE_INTERVAL_MAX_MS))
  }
})

test('whoever answers a difference that stays with its vector says its digest too, so that it is answered with the other vector', () => {
  const a = new DrivenReplica(FLEET, 0)
  a.giveMessage({ kind: 'announcement', announcement: announcementOf(a, B, { vector: [] }) })
  a.issue(set('x', 1))
  a.store()
  const said = { vectors: 0, digests: 0 }
  for (let passedMs = 0; passedMs < 10 * ANNOUNCE_INTERVAL_MAX_MS; passedMs += 2000) {
    const behind = { ...announcementOf(a, B, { vector: [] }), vector: null }
    const outputs = [...a.giveMessage({ kind: 'announcement', announcement: behind }), ...a.wait(2000)]
    // At first the difference is new.
    if (passedMs < 5 * ANNOUNCE_INTERVAL_MAX_MS) continue
    for (const { vector } of a.announcementsIn(outputs)) said[vector === null ? 'digests' : 'vectors'] += 1
  }
  assert.ok(said.vectors > 0 && said.digests >= 3, JSON.stringify(said))
})
