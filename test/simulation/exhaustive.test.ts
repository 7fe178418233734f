import assert from 'node:assert/strict'
import { test } from 'node:test'
import { genesisOf } from '../support/replica-network.ts'
import { checkAllOrders, requestUnderRules, SAMPLE_STRIDE } from './exhaustive.ts'
import { checkMembershipOrders, MEMBERSHIP_STRIDE } from './membership-space.ts'

test('two nodes with two operations each: every configuration in every delivery order', () => {
  assert.deepEqual(checkAllOrders(genesisOf(3), 2, 1), { configurations: 20, deliveryOrders: 20 * 24 })
})

test('three nodes with one operation each: every configuration in every delivery order', () => {
  assert.deepEqual(checkAllOrders(genesisOf(4), 1, 1), { configurations: 19, deliveryOrders: 19 * 6 })
})

test('three nodes with two operations each: every configuration, each in its share of the 720 delivery orders', () => {
  const { configurations, deliveryOrders } = checkAllOrders(genesisOf(4), 2, SAMPLE_STRIDE)
  assert.equal(configurations, 2153)
  assert.ok(deliveryOrders > 30_000, `${deliveryOrders} delivery orders`)
})

test('rules of two nodes among six operations of three: every configuration, each in a share of the 720 orders', () => {
  const { configurations, deliveryOrders } = checkAllOrders(genesisOf(4), 2, 383, requestUnderRules)
  assert.equal(configurations, 1490)
  assert.ok(deliveryOrders > 2500, `${deliveryOrders} delivery orders`)
})

test('a join and a retirement among four operations: every configuration and cut, each in a share of the 720 orders', () => {
  const { configurations, deliveryOrders } = checkMembershipOrders(genesisOf(3), 1, 61)
  assert.equal(configurations, 242)
  assert.ok(deliveryOrders > 2500, `${deliveryOrders} delivery orders`)
})

test('a join and a retirement among five operations: every configuration and cut, each in a few of the 5040 orders', () => {
  const { configurations, deliveryOrders } = checkMembershipOrders(genesisOf(3), 2, 4 * MEMBERSHIP_STRIDE)
  assert.equal(configurations, 1444)
  assert.ok(deliveryOrders > 1500, `${deliveryOrders} delivery orders`)
})
