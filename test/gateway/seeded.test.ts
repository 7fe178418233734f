import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { silentLogger } from '../../runtime/base/logger.ts'
import { deriveNodeId } from '../../runtime/device/identity/node-id.ts'
import { readHardware } from '../../runtime/device/identity/sources.ts'
import { createFleetFolder, createSeed } from '../../runtime/gateway/fleet-folder.ts'
import { systemSeconds } from '../../runtime/gateway/system-clock.ts'
import { shippedProfile } from '../../runtime/gateway/shipped-profiles.ts'
import { type Gateway, loadProfile, openGateway, seeded } from '../../runtime/index.ts'
import { startEmbeddedBroker } from '../../runtime/links/mqtt/embedded-broker.ts'
import { until } from '../links/clocks.ts'

it('an application of its own founds a signed fleet with a seed, and another one joins it with a token', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'fleetstep-seeded-'))
  const opened: Gateway[] = []
  t.after(async () => {
    for (const gateway of opened) await gateway.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const broker = await startEmbeddedBroker({ host: '127.0.0.1', port: 0, logger: silentLogger })
  t.after(() => broker.close())
  const founder = { node: nodeOf('first'), tier: 3 }
  const folder = createFleetFolder({ path: join(directory, 'fleet'), name: 'plant', founder })
  const links = [{ servers: [`mqtt://127.0.0.1:${broker.port}`] }]
  const token = { tier: 1, role: 'gateway', uses: 1, days: 1, now: systemSeconds() } as const
  const start = async (nodeName: string): Promise<Gateway> => {
    const seed = join(directory, `${nodeName}.seed`)
    createSeed(folder, { file: seed, links, token: nodeName === 'first' ? null : token })
    const gateway = await openGateway(await seeded({ seed, directory: join(directory, nodeName), nodeName }))
    opened.push(gateway)
    return gateway
  }
  const first = await start('first')
  const receipt = first.state.set('hall/lamp', true)
  await receipt.durable
  const second = await start('second')
  await until(() => second.state.get('hall/lamp') === true, 'the newcomer has the state', 60_000)
  second.state.set('hall/heating', 21)
  await until(() => first.state.get('hall/heating') === 21, 'the founder takes what the newcomer signs', 60_000)
  const profile = { ...loadProfile(shippedProfile('generic-linux')).profile, optional: { tier: 9 } }
  await assert.rejects(
    seeded({ seed: join(directory, 'second.seed'), directory: join(directory, 'third'), nodeName: 'third', profile }),
    { code: 'profile-invalid', message: /asks for tier 9, and token [0-9a-f]+ of its seed allows 1 at most/ },
  )
  assert.deepEqual([first.node, second.node], [nodeOf('first'), nodeOf('second')])
})

function nodeOf(name: string): ReturnType<typeof deriveNodeId>['id'] {
  return deriveNodeId(readHardware({ override: name, random: null }), '').id
}
