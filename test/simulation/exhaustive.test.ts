import assert from 'node:assert/strict'
import { test } from 'node:test'
import { genesisOf } from '../support/replica-network.ts'
import { checkAllOrders, SAMPLE_STRIDE } from './exhaustive.ts'

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
