import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { legacyChip, PI_3 } from '../device/gpio-tree.ts'
import { plantTree, type Tree } from '../device/hardware-tree.ts'
import { until } from '../links/clocks.ts'
import { fleetstep, fleetstepJson, runGateway, start, type Workplace, workplace } from './program.ts'

/** How long a machine takes that is loaded with other tests. */
const PATIENCE_MS = 60_000

const PROFILE = `apiVersion: '1'
name: pump
deviceResources:
  - name: relay
    attributes: { driver: gpio, line: 17, dwell: '0ms' }
    properties: { valueType: Bool, readWrite: RW, optional: { safeValue: false } }
  - name: door
    attributes: { driver: gpio, line: 27 }
    properties: { valueType: Bool, readWrite: R }
`

describe('fleetstep gpio', () => {
  it('checks the chips of a machine and the lines of a profile', async (t) => {
    const place = workplace(t)
    const sysfs = sysfsOf(t, PI_3)
    const profile = place.file('pump.yaml', PROFILE)
    const text = await fleetstep(place, 'gpio', 'check', '--sysfs', sysfs, '--profile', profile)
    assert.equal(text.code, 0, text.stderr)
    assert.match(text.stdout, /^pinctrl-bcm2835 +lines 0 to 53 +numbers 512 to 565$/m)
    assert.match(text.stdout, /^relay +line 17 of soc +number 529$/m)
    const json = (await fleetstepJson(place, 'gpio', 'check', '--sysfs', sysfs)) as {
      chips: unknown[]
      backend: string
    }
    assert.deepEqual([json.chips.length, json.backend], [2, 'sysfs'])
  })

  it('ends with code 6 and one line where there is no GPIO, or not the line', async (t) => {
    const place = workplace(t)
    const none = sysfsOf(t, { 'sys/class/net/x': '' })
    const other = sysfsOf(t, legacyChip('gpio-mockup-A', 480, 32))
    const check = await fleetstep(place, 'gpio', 'check', '--sysfs', none)
    assert.equal(check.code, 6)
    assert.match(check.stdout, /^no GPIO chip under .*: run it on a board with GPIO, .*\n$/)
    const read = await fleetstep(place, 'gpio', 'read', '17', '--sysfs', other)
    assert.deepEqual([read.code, read.stdout], [6, ''])
    assert.match(read.stderr, /^fleetstep: no GPIO chip with the label .*: this machine has gpio-mockup-A; .*\n$/)
    assert.equal((await fleetstep(place, 'gpio', 'read', 'seventeen')).code, 2)
    assert.equal((await fleetstep(place, 'gpio', 'write', '17', 'on')).code, 2)
    const json = (await fleetstepJson(place, 'gpio', 'read', '17', '--sysfs', none)) as { error: { code: string } }
    assert.equal(json.error.code, 'gpio-unusable')
  })

  it('reads a line, and writes one that nobody has', async (t) => {
    const place = workplace(t)
    const sysfs = sysfsOf(t, PI_3)
    assert.equal((await fleetstep(place, 'gpio', 'read', '27', '--sysfs', sysfs)).stdout, 'true\n')
    assert.deepEqual(await fleetstepJson(place, 'gpio', 'read', '27', '--active-low', '--sysfs', sysfs), {
      line: 27,
      value: false,
    })
    const refused = await fleetstep(place, 'gpio', 'write', '17', 'true', '--sysfs', sysfs)
    assert.equal(refused.code, 6)
    assert.match(refused.stderr, /line 17 is in use, .* --force\n$/)
    assert.equal((await fleetstep(place, 'gpio', 'write', '17', 'true', '--force', '--sysfs', sysfs)).code, 0)
    assert.equal(readFileSync(join(sysfs, 'class/gpio/gpio529/direction'), 'utf8'), 'high')
  })

  it('watches a line until it is told to end', async (t) => {
    const place = workplace(t)
    const sysfs = sysfsOf(t, PI_3)
    const watch = start(place, 'gpio', 'watch', '27', '--json', '--sysfs', sysfs)
    await until(() => watch.stdout.includes('true'), 'the value at the start', PATIENCE_MS)
    writeFileSync(join(sysfs, 'class/gpio/gpio539/value'), '0')
    await until(() => watch.stdout.includes('false'), 'the change', PATIENCE_MS)
    watch.kill('SIGINT')
    await watch.ended
    assert.deepEqual([watch.code, watch.stdout], [0, '{"line":27,"value":true}\n{"line":27,"value":false}\n'])
  })
})

describe('a gateway with a relay', () => {
  it('is safe after kill -9, and follows the state again when it is started anew', async (t) => {
    const place = workplace(t)
    const { sysfs, config } = pumpOf(t, place)
    const gateway = await runGateway(place, config, '--node-id', 'pump')
    await turnOn(place, sysfs)
    gateway.kill('SIGKILL')
    await until(() => relayIn(sysfs) === '0', 'the relay is safe', PATIENCE_MS)
    await gateway.ended
    await runGateway(place, config, '--node-id', 'pump')
    await until(() => relayIn(sysfs) === '1', 'it follows what is in the state', PATIENCE_MS)
  })

  it('is safe after it was told to end, and leaves nobody behind who would write', async (t) => {
    const place = workplace(t)
    const { sysfs, config } = pumpOf(t, place)
    const gateway = await runGateway(place, config, '--node-id', 'pump')
    await turnOn(place, sysfs)
    gateway.kill('SIGTERM')
    await gateway.ended
    assert.deepEqual([gateway.code, relayIn(sysfs)], [0, '0'])
    assert.equal((await fleetstep(place, 'gpio', 'write', '17', 'true', '--force', '--sysfs', sysfs)).code, 0)
    assert.equal(readFileSync(join(sysfs, 'class/gpio/gpio529/direction'), 'utf8'), 'high')
  })

  it('says one clear line where there is no GPIO, and the rest works', async (t) => {
    const place = workplace(t)
    const { config } = pumpOf(t, place, { 'sys/class/net/x': '' })
    const gateway = await runGateway(place, config, '--node-id', 'pump')
    await until(() => gateway.stderr.includes('relay is down'), 'the trouble is told', PATIENCE_MS)
    assert.match(gateway.stderr, /relay is down: there is no .*class\/gpio: run it on a board with GPIO/)
    assert.equal((await fleetstep(place, 'state', 'set', 'other/lamp', 'true')).code, 0)
  })
})

function pumpOf(t: TestContext, place: Workplace, tree: Tree = PI_3): { sysfs: string; config: string } {
  const sysfs = sysfsOf(t, tree)
  place.file('pump.yaml', PROFILE)
  const config = place.file(
    'gateway.yaml',
    `fleet: { name: test }\ndevice: pump\ndataDirectory: data\nprofile: pump.yaml\ngpio: { sysfs: ${sysfs} }\n`,
  )
  return { sysfs, config }
}

async function turnOn(place: Workplace, sysfs: string): Promise<void> {
  assert.equal((await fleetstep(place, 'state', 'set', 'pump/relay', 'true')).code, 0)
  await until(() => relayIn(sysfs) === '1', 'the relay is on', PATIENCE_MS)
}

function relayIn(sysfs: string): string {
  return readFileSync(join(sysfs, 'class/gpio/gpio529/value'), 'utf8').trim()
}

function sysfsOf(t: TestContext, tree: Tree): string {
  return join(plantTree(t, tree), 'sys')
}
