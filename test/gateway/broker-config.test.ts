import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { writeBrokerConfig } from '../../runtime/gateway/broker-config/broker-config.ts'
import { onFullDisk } from '../support/full-disk.ts'

it('leaves the settings of a broker as they were where the disk is full, which is said', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fleetstep-broker-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const config = join(folder, 'gateway.yaml')
  const member = "{ node: '0a00000000000001' }"
  writeFileSync(config, `fleet: { name: pumps, members: [${member}] }\ndataDirectory: data\n`)
  const directory = join(folder, 'broker')
  const write = (members: readonly string[]): unknown =>
    writeBrokerConfig({
      broker: 'mosquitto',
      config,
      members,
      directory,
      servers: ['127.0.0.1'],
      people: [],
      passwords: false,
      plain: false,
      persistence: true,
    })
  write([])
  const before = contentsOf(directory)
  assert.ok(before.size > 2)
  await assert.rejects(
    onFullDisk(100, () => write(['0a00000000000002'])),
    { code: 'disk-full', exitCode: 5, message: /^cannot write \S+: ENOSPC; make room$/ },
  )
  assert.deepEqual(contentsOf(directory), before)
  write(['0a00000000000002'])
  assert.notDeepEqual(contentsOf(directory), before)
})

function contentsOf(directory: string): Map<string, string> {
  const names = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(names.map(({ name }) => [name, readFileSync(join(directory, name), 'utf8')]))
}
