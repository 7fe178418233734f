import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { killServersOf, obstacleToCluster } from './broker-clusters.ts'

// With nats-server and rabbitmq-server; `npm run faults -- brokers` is the same.
describe('Gateways on a cluster of three brokers, of which two are killed one after the other under load', () => {
  for (const engine of ['nats', 'rabbitmq'] as const) {
    const obstacle = obstacleToCluster(engine)

    it(`lose nothing with ${engine}`, obstacle === null ? {} : { skip: obstacle }, async (test) => {
      const { operations, serversKilled, convergedMs, convergedAgainMs } = await killServersOf(engine)
      test.diagnostic(`${operations} operations: all with all after ${convergedMs} and ${convergedAgainMs} ms`)
      assert.deepEqual([operations, serversKilled], [600, 2])
    })
  }
})
