import assert from 'node:assert/strict'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { aloneConfig, fleetstep, fleetstepJson, runGateway, workplace, type Workplace } from './program.ts'

describe('fleetstep storage', () => {
  it('tells of a stopped gateway what it holds, in both forms', async (t) => {
    const { place, config } = await stoppedGateway(t)
    const before = readdirSync(join(place.folder, 'data-pump'))
    const info = (await fleetstepJson(place, 'storage', 'info', '--config', config)) as Record<string, unknown>
    assert.deepEqual([info['format'], info['isWhole'], info['findings'], info['snapshotThrough']], [1, true, [], 0])
    assert.ok(Number(info['lastRecord']) > 1 && info['recordsAfterSnapshot'] === info['lastRecord'])
    const text = await fleetstep(place, 'storage', 'info', '--directory', 'data-pump')
    assert.equal(text.code, 0)
    assert.match(text.stdout, new RegExp(`^node +${String(info['node'])}$`, 'm'))
    // A segment of zeros at least, and for less than the hour that an estimate needs.
    assert.ok(Number(info['bytesWritten']) > 1024 * 1024 && info['bytesPerDay'] === null)
    assert.match(text.stdout, new RegExp(`^written +${String(info['bytesWritten'])} bytes by all runs`, 'm'))
    const check = await fleetstep(place, 'storage', 'check', '--config', config)
    assert.deepEqual([check.code, check.stderr], [0, ''])
    assert.match(check.stdout, /whole up to record [0-9]+\n$/)
    assert.deepEqual(readdirSync(join(place.folder, 'data-pump')), before)
  })

  it('check ends with 4 and names the place when acknowledged records are missing', async (t) => {
    const { place, config } = await stoppedGateway(t)
    // The pages before it stay, so what comes after it is missing.
    overwrite(join(place.folder, 'data-pump', 'journal-0001'), 2 * 4096 + 100)
    const check = await fleetstep(place, 'storage', 'check', '--config', config)
    assert.equal(check.code, 4)
    assert.match(check.stdout, /acknowledged records are missing after record [0-9]+\n.*ALARM/)
    const { isWhole } = (await fleetstepJson(place, 'storage', 'check', '--config', config)) as { isWhole: boolean }
    assert.equal(isWhole, false)
  })

  it('says who uses the directory while the gateway runs', async (t) => {
    const { place, config } = await stoppedGateway(t)
    await fleetstep(place, 'storage', 'export', 'pump.export', '--config', config)
    const gateway = await runGateway(place, config, '--node-id', 'a')
    for (const words of [['info'], ['check'], ['export', 'other'], ['import', 'pump.export', '--replace']]) {
      const run = await fleetstep(place, 'storage', ...words, '--directory', 'data-pump')
      assert.equal(run.code, 4, words.join(' '))
      assert.match(run.stderr, new RegExp(`is in use by process ${gateway.pid}; stop that daemon first`))
    }
    assert.equal(existsSync(join(place.folder, 'other')), false)
  })

  it('moves a gateway to another disk, and it goes on there as the same node', async (t) => {
    const { place, config } = await stoppedGateway(t)
    const { node } = (await fleetstepJson(place, 'storage', 'export', 'pump.export', '--config', config)) as Named
    const moved = place.file('moved.yaml', readFileSync(config, 'utf8').replace('data-pump', 'new/data'))
    const run = await fleetstep(place, 'storage', 'import', 'pump.export', '--config', moved, '--node-id', 'a')
    assert.equal(run.code, 0, run.stderr)
    assert.match(run.stdout, new RegExp(`new/data: node ${node} of fleet [0-9a-f]{16}, whole up to record [0-9]+\n$`))
    const gateway = await runGateway(place, moved, '--node-id', 'a')
    assert.deepEqual(await fleetstepJson(place, 'state', 'get'), { lamp: 3 })
    gateway.kill('SIGTERM')
    await gateway.ended
  })

  it('import replaces what is there only when told to, and keeps it beside', async (t) => {
    const { place, config } = await stoppedGateway(t)
    await fleetstep(place, 'storage', 'export', 'pump.export', '--config', config)
    const words = ['storage', 'import', 'pump.export', '--directory', 'data-pump']
    const refused = await fleetstep(place, ...words)
    assert.equal(refused.code, 4)
    assert.match(refused.stderr, /^fleetstep: .* holds the data of node [0-9a-f]{16}; .*--replace.*\n$/)
    const report = (await fleetstepJson(place, ...words, '--replace')) as { replaced: string[] }
    const names = readdirSync(join(place.folder, 'data-pump'))
    assert.ok(report.replaced.length >= 3 && report.replaced.every((name) => names.includes(name)))
    const gateway = await runGateway(place, config, '--node-id', 'a')
    assert.deepEqual(await fleetstepJson(place, 'state', 'get'), { lamp: 3 })
    gateway.kill('SIGTERM')
    await gateway.ended
  })

  it('import refuses another machine, another fleet and another node, unless it is only for a look', async (t) => {
    const { place, config } = await stoppedGateway(t)
    await fleetstep(place, 'storage', 'export', 'pump.export', '--config', config)
    const importTo = (file: string, ...more: readonly string[]) =>
      fleetstep(place, 'storage', 'import', 'pump.export', '--config', file, ...more)
    const empty = place.file('empty.yaml', readFileSync(config, 'utf8').replace('data-pump', 'empty'))
    const foreign = place.file('foreign.yaml', readFileSync(empty, 'utf8').replace('name: test', 'name: other'))
    for (const [file, name, message] of [
      [empty, 'b', /this machine is another node/],
      [foreign, 'a', /the config is of fleet [0-9a-f]{16} \(other\)/],
    ] as const) {
      const run = await importTo(file, '--node-id', name)
      assert.equal(run.code, 4)
      assert.match(run.stderr, message)
      assert.equal(existsSync(join(place.folder, 'empty')), false)
    }
    assert.equal((await importTo(foreign, '--foreign')).code, 0)
    assert.equal((await fleetstep(place, 'storage', 'check', '--directory', 'empty')).code, 0)
    const start = await fleetstep(place, 'run', '--config', foreign, '--node-id', 'b')
    assert.equal(start.code, 4, start.stderr)
  })

  it('import refuses a file that is not whole with exit code 10, and writes nothing', async (t) => {
    const { place, config } = await stoppedGateway(t)
    await fleetstep(place, 'storage', 'export', 'pump.export', '--config', config)
    const text = readFileSync(join(place.folder, 'pump.export'), 'utf8')
    writeFileSync(join(place.folder, 'half'), text.slice(0, -100))
    const run = await fleetstep(place, 'storage', 'import', 'half', '--directory', 'empty', '--json')
    assert.equal(run.code, 10)
    const { error } = JSON.parse(run.stdout) as { error: { code: string; message: string } }
    assert.equal(error.code, 'export-invalid')
    assert.match(error.message, /nothing was changed/)
    assert.equal(existsSync(join(place.folder, 'empty')), false)
  })

  it('import refuses a device, which never ends, and a folder', async (t) => {
    const place = workplace(t)
    for (const [file, problem] of [
      ['/dev/zero', 'is no file'],
      ['/', 'is no file'],
    ] as const) {
      const run = await fleetstep(place, 'storage', 'import', file, '--directory', 'data')
      assert.equal(run.code, 10)
      assert.match(run.stderr, new RegExp(`^fleetstep: ${file} ${problem}; nothing was changed`))
    }
  })

  it('asks for the directory, and says when there is no data in it or the export is there already', async (t) => {
    const { place, config } = await stoppedGateway(t)
    const unnamed = await fleetstep(place, 'storage', 'info')
    assert.deepEqual([unnamed.code, /--directory PATH/.test(unnamed.stderr)], [2, true])
    const nothing = await fleetstep(place, 'storage', 'info', '--directory', 'run')
    assert.deepEqual([nothing.code, /holds no data of a gateway/.test(nothing.stderr)], [4, true])
    place.file('there', '')
    const there = await fleetstep(place, 'storage', 'export', 'there', '--config', config)
    assert.deepEqual([there.code, /there cannot be written/.test(there.stderr)], [2, true])
    assert.equal(readFileSync(join(place.folder, 'there'), 'utf8'), '')
  })
})

interface Named {
  readonly node: string
}

async function stoppedGateway(t: TestContext): Promise<{ place: Workplace; config: string }> {
  const place = workplace(t)
  const config = aloneConfig(place, 'pump')
  const gateway = await runGateway(place, config, '--node-id', 'a')
  for (const value of ['1', '2', '3']) {
    assert.equal((await fleetstep(place, 'state', 'set', 'lamp', value)).code, 0)
  }
  gateway.kill('SIGTERM')
  await gateway.ended
  return { place, config }
}

function overwrite(file: string, at: number): void {
  const descriptor = openSync(file, 'r+')
  writeSync(descriptor, Uint8Array.of(0x55), 0, 1, at)
  closeSync(descriptor)
}
