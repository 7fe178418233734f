import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fleetstep, runGateway, type Workplace, workplace } from './program.ts'
import { stop } from './founded-fleet.ts'

/** Every file with a secret that a config names, and the part of a config that names it. */
const FILES: readonly (readonly [what: string, setting: string])[] = [
  ['the password of an MQTT link', mqtt('username: bert, passwordFile: secret')],
  ['the private key of an MQTT link', mqtt('keyFile: secret', 'mqtts')],
  [
    'the private key of a link without a broker',
    'links: [{ kind: peers, keyFile: secret, certificateFile: public, caFile: public }]',
  ],
  ['the password of the mirror', "mirror: { servers: ['mqtt://127.0.0.1:1'], username: bert, passwordFile: secret }"],
  ['the private key of the mirror', "mirror: { servers: ['mqtts://127.0.0.1:1'], keyFile: secret }"],
]

describe('a gateway whose config names', { concurrency: true }, () => {
  for (const [what, setting] of FILES) {
    it(`${what} does not start while others can read it, and says so in one line`, async (t) => {
      const place = workplace(t)
      const config = place.file('alone.yaml', `fleet: { name: alone }\ndataDirectory: data\n${setting}\n`)
      place.file('public', 'a certificate')
      secret(place, 0o600)
      for (const mode of [0o640, 0o604]) {
        chmodSync(join(place.folder, 'secret'), mode)
        const run = await fleetstep(place, 'run', '--config', config, '--node-id', 'bert')
        assert.equal(run.code, 3, run.stderr)
        assert.match(run.stderr, /secret can be read by others than its owner: chmod 600 .*secret\n/)
        assert.ok(!run.stderr.includes('hunter2'), 'nothing of it is repeated')
        assert.equal(
          run.stderr
            .trimEnd()
            .split('\n')
            .filter((line) => line.includes('chmod')).length,
          1,
        )
      }
    })
  }

  it('a password that its owner alone can read starts', async (t) => {
    const place = workplace(t)
    secret(place, 0o600)
    const config = place.file('alone.yaml', `fleet: { name: alone }\ndataDirectory: data\n${FILES[0]![1]}\n`)
    await stop(await runGateway(place, config, '--node-id', 'bert'))
  })
})

function secret({ folder }: Workplace, mode: number): void {
  const file = join(folder, 'secret')
  writeFileSync(file, 'hunter2\n')
  chmodSync(file, mode)
}

function mqtt(settings: string, scheme: string = 'mqtt'): string {
  return `links: [{ kind: mqtt, servers: ['${scheme}://127.0.0.1:1'], ${settings} }]`
}
