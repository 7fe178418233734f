import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ANNOUNCE_INTERVAL_MAX_MS } from '../../runtime/base/limits.ts'
import type { NetworkNode } from '../support/membership-network.ts'
import { startedNetwork } from '../support/membership-network.ts'
import { set } from '../support/replica-network.ts'

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
