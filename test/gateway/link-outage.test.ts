import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '../../runtime/base/logger.ts'
import { openGateway } from '../../runtime/gateway/gateway.ts'
import { memoryStorage, mqtt } from '../../runtime/gateway/parts.ts'
import { startEmbeddedBroker } from '../../runtime/links/mqtt/embedded-broker.ts'
import { until } from '../links/clocks.ts'
import { keepingLogger } from '../links/mqtt-fixture.ts'
import { founders } from '../bench/workload.ts'

test('a gateway says once that the broker has gone', async () => {
  const broker = await startEmbeddedBroker({ host: '127.0.0.1', port: 0, logger: silentLogger })
  const lines: string[] = []
  const fleet = founders(1)
  const [founder] = fleet.founders
  assert.ok(founder)
  const links = [mqtt({ servers: [`mqtt://127.0.0.1:${broker.port}`] })]
  const gateway = await openGateway({
    fleet,
    node: founder.node,
    storage: memoryStorage(),
    links,
    logger: keepingLogger(lines),
  })
  try {
    await until(() => gateway.links()[0]?.state === 'up', 'the gateway is connected')
    await broker.close()
    await until(() => gateway.links()[0]?.state === 'connecting', 'the gateway has noticed')
    const told = lines.filter((line) => line.startsWith(`mqtt: mqtt://127.0.0.1:${broker.port} `))
    assert.equal(told.length, 1, lines.join('\n'))
    assert.match(told[0] ?? '', /closed the connection/)
  } finally {
    await gateway.close()
  }
})
