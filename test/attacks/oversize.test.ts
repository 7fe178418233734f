import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { encode } from 'cborg'
import { connectAsync } from 'mqtt'
import { fromHex } from '../../runtime/base/bytes.ts'
import { FRAME_BYTES_MAX } from '../../runtime/base/limits.ts'
import { createSigningKey } from '../../runtime/device/identity/keys.ts'
import { encodeSign1 } from '../../runtime/sync/cose.ts'
import { until } from '../links/clocks.ts'
import { attackedPair, counted, MALLORY, PATIENCE_MS, standing, stillWorks } from '../support/attacked-fleet.ts'

test('frames that are too long, unfold to too much or nest too deep are dropped by name', async (t) => {
  const fleet = await attackedPair(t)
  const { bert, attacker, keys } = fleet
  const before = standing(bert)
  const topic = `fleet/${keys.facts.id}/op/${MALLORY}`
  const signature = createSigningKey().sign(new Uint8Array(1))
  const batchFrame = (payload: Uint8Array): Uint8Array =>
    encode([1, fromHex(keys.facts.id), 0, encodeSign1({ payload, signature })])
  await attacker.publish(topic, new Uint8Array(FRAME_BYTES_MAX + 1))
  await until(() => bert.links()[0]?.counters.dropped['oversize'] === 1, 'a long one is counted', PATIENCE_MS)

  const intruder = await connectAsync(`mqtt://127.0.0.1:${fleet.port}`, { protocolVersion: 4, reconnectPeriod: 0 })
  t.after(() => intruder.end(true))
  intruder.on('error', () => undefined).publish(topic, Buffer.alloc(1024 * 1024))
  await until(() => !intruder.connected, 'the broker has shown him out', PATIENCE_MS)
  assert.deepEqual(bert.links()[0]?.counters.dropped, { oversize: 1 })

  const bomb = encode(deflateRawSync(new Uint8Array(8 * 1024 * 1024)))
  assert.ok(bomb.length < FRAME_BYTES_MAX)
  await attacker.publish(topic, batchFrame(bomb))
  await until(
    () => Object.keys(bert.inspect().dropped).some((reason) => /batch/.test(reason)),
    'the bomb is counted',
    PATIENCE_MS,
  )
  assert.match(Object.keys(bert.inspect().dropped).join(), /batch (is more than|does not|cannot|has)/)

  let nested: unknown = 1
  for (let depth = 0; depth < 500; depth += 1) nested = [nested]
  await attacker.publish(topic, encode([1, fromHex(keys.facts.id), 3, nested]))
  await until(() => Object.keys(bert.inspect().dropped).length === 2, 'the nest is counted', PATIENCE_MS)

  await attacker.publish(
    topic,
    encode([1, fromHex(keys.facts.id), 5, [new Uint8Array(12), new Uint8Array(12), '\u001b[2Jx']]),
  )
  await counted(bert, 'reason is not one line of plain text')
  assert.deepEqual(standing(bert), before)
  await stillWorks(fleet)
})
