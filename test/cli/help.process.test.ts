import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { EXIT_CODES } from '../../runtime/base/errors.ts'
import { isNodeId } from '../../runtime/base/ids.ts'
import { fleetstep, fleetstepJson, PROGRAM, startCommand, workplace } from './program.ts'

describe('fleetstep without a gateway', () => {
  it('teaches when it is bare, and with --help', async (t) => {
    const place = workplace(t)
    const [bare, help] = await Promise.all([fleetstep(place), fleetstep(place, '--help')])
    assert.deepEqual([bare.code, bare.stderr], [0, ''])
    assert.equal(bare.stdout, help.stdout)
    for (const part of [
      'keeps one device-state object in step',
      'fleetstep run --config',
      'state set',
      'Documentation:',
    ])
      assert.ok(bare.stdout.includes(part), part)
    for (const [name, code] of Object.entries(EXIT_CODES))
      assert.match(bare.stdout, new RegExp(`^ +${code}  .*\\b${name}\\b`, 'm'))
  })

  it('explains each command with examples of its own', async (t) => {
    const place = workplace(t)
    const patch = await fleetstep(place, 'state', 'patch', '--help')
    assert.equal(patch.code, 0)
    assert.match(patch.stdout, /--expect <condition>/)
    assert.match(patch.stdout, /fleetstep state patch --expect valve=open/)
    assert.match(patch.stdout, /--json/)
  })

  it('explains a command in full when help names it', async (t) => {
    const place = workplace(t)
    for (const words of [['state'], ['state', 'patch'], ['broker']]) {
      const [named, asked] = await Promise.all([
        fleetstep(place, 'help', ...words),
        fleetstep(place, ...words, '--help'),
      ])
      assert.deepEqual([named.code, named.stdout, named.stderr], [0, asked.stdout, ''])
      assert.match(named.stdout, /Global Options/)
    }
    assert.match((await fleetstep(place, 'help', 'state')).stdout, /^ +patch /m)
  })

  it('refuses a word that was not UTF-8, which would be stored as something else', async (t) => {
    const place = workplace(t)
    const run = startCommand(place, 'sh', [
      '-c',
      `'${process.execPath}' '${PROGRAM}' state set name "$(printf 'k\\374che')"`,
    ])
    await run.ended
    assert.deepEqual([run.code, run.stdout], [2, ''])
    assert.match(run.stderr, /^fleetstep: k\uFFFDche is not UTF-8: set the terminal[^\n]+\n$/)
  })

  it('prints its version', async (t) => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    const run = await fleetstep(workplace(t), '--version')
    assert.deepEqual([run.code, run.stdout, run.stderr], [0, `${version}\n`, ''])
  })

  const usage: readonly (readonly [readonly string[], RegExp])[] = [
    [['stat'], /^fleetstep: unknown command 'stat' \(Did you mean state\?\); fleetstep --help lists the commands/],
    [['state', 'gett'], /^fleetstep: unknown command 'gett' \(Did you mean get\?\);/],
    [['state', 'get', '--bogus'], /^fleetstep: unknown option '--bogus';/],
    [['state', 'set'], /^fleetstep: missing required argument 'path';/],
    [['state', 'get', 'a', 'b'], /^fleetstep: too many arguments for 'get'/],
    [['run'], /^fleetstep: required option '--config <file>' not specified;/],
    [['broker', '--port', 'x'], /^fleetstep: --port x is no port/],
    [['broker', 'config', '--for', 'nats', '--tcp-port', '65536'], /^fleetstep: --tcp-port 65536 is no port/],
    [['state', 'set', 'a', '[1e400]'], /^fleetstep: 1e400 is too large for a number/],
    [['state', 'patch'], /^fleetstep: the patch changes nothing/],
    [['state', 'patch', '{"a":'], /^fleetstep: the patch is not JSON/],
    [['state', 'patch', '--set', 'a'], /^fleetstep: --set a has no value: write PATH=VALUE/],
    [['state', 'patch', '{"a":1}', '--set', 'a=2'], /^fleetstep: a is given twice/],
    [['state', 'patch', '--set', 'a=1', '--rm', 'a'], /^fleetstep: a is given twice/],
    [['state', 'patch', '--add', 'a=1', '--set', 'a=5'], /^fleetstep: a is given twice/],
    [['status', '--socket', ''], /^fleetstep: --socket is empty: give it a value, or leave it out$/m],
    [['broker', '--host', ''], /^fleetstep: --host is empty/],
    [['demo', '--once', '--directory', ''], /^fleetstep: --directory is empty/],
    [['conflict'], /a command is missing: choose one of those above\n$/],
  ]

  for (const [words, message] of usage) {
    it(`answers "${words.join(' ')}" with one line and exit code 2`, async (t) => {
      const place = workplace(t)
      const run = await fleetstep(place, ...words)
      assert.equal(run.code, 2)
      assert.equal(run.stdout, '')
      assert.match(run.stderr, message)
      if (words[0] !== 'conflict') assert.equal(run.stderr.split('\n').length, 2)
    })
  }

  it('prints an error as JSON on standard output', async (t) => {
    const place = workplace(t)
    const run = await fleetstep(place, 'status', '--json')
    assert.equal(run.code, EXIT_CODES['daemon-unreachable'])
    assert.equal(run.stderr, '')
    const { error } = JSON.parse(run.stdout) as { error: Record<string, unknown> }
    assert.deepEqual([error['code'], error['exitCode']], ['daemon-unreachable', 7])
    assert.match(String(error['message']), /no gateway of this user runs on this machine/)
  })

  it('says that no gateway answers, for each way to name one', async (t) => {
    const place = workplace(t)
    for (const words of [
      ['state', 'get'],
      ['state', 'get', '--gateway', 'nobody'],
      ['state', 'get', '--socket', '/nowhere/x.sock'],
    ]) {
      const run = await fleetstep(place, ...words)
      assert.equal(run.code, 7)
      assert.match(run.stderr, /^fleetstep: no gateway .*fleetstep run --config FILE.*\n$/)
    }
  })

  it('prints a node id, and how it came about', async (t) => {
    const place = workplace(t)
    const named = await fleetstep(place, 'node', 'id', '--node-id', 'one')
    const other = await fleetstep(place, 'node', 'id', '--node-id', 'two')
    assert.ok(isNodeId(named.stdout.trim()))
    assert.notEqual(named.stdout, other.stdout)
    const json = (await fleetstepJson(place, 'node', 'id', '--node-id', 'one', '--explain')) as {
      id: string
      source: string
      sources: { source: string; verdict: string }[]
    }
    assert.equal(`${json.id}\n`, named.stdout)
    assert.equal(json.source, 'operator-override')
    assert.deepEqual(
      json.sources.filter(({ verdict }) => verdict === 'used').map(({ source }) => source),
      ['operator-override'],
    )
    const explained = await fleetstep(place, 'node', 'id', '--node-id', 'one', '--explain')
    assert.match(explained.stdout, /used +operator-override/)
    assert.match(explained.stdout, new RegExp(`node id ${json.id}\ntier +--config FILE shows it`))
  })

  it('reads an epoch, and a patch, from no device that never ends, and from no text that is not UTF-8', async (t) => {
    const place = workplace(t)
    const endless = await fleetstep(place, 'fleet', 'apply', '/dev/zero')
    assert.equal(endless.code, 8)
    assert.match(
      endless.stderr,
      /^fleetstep: cannot read \/dev\/zero: it has more than \d+ bytes; name another file\n$/,
    )
    const latin = startCommand(place, 'sh', [
      '-c',
      `printf '{"k\\374che": 1}' | '${process.execPath}' '${PROGRAM}' state patch -`,
    ])
    await latin.ended
    assert.deepEqual(
      [latin.code, latin.stderr],
      [2, 'fleetstep: standard input cannot be read: it is not UTF-8: save it as UTF-8\n'],
    )
  })

  it('prints a config that it accepts', async (t) => {
    const place = workplace(t)
    const example = await fleetstep(place, 'config')
    assert.equal(example.code, 0)
    const { config } = (await fleetstepJson(place, 'config')) as { config: string }
    assert.equal(config, example.stdout)
    const check = await fleetstep(place, 'config', 'check', place.file('gateway.yaml', example.stdout))
    assert.equal(check.code, 0, check.stderr)
    assert.match(check.stdout, /is valid: fleet my-fleet/)
  })

  it('says where a config is wrong, with exit code 3', async (t) => {
    const place = workplace(t)
    const file = place.file('bad.yaml', 'fleet: { name: f }\ndataDirectory: d\ncolour: red\n')
    for (const words of [
      ['config', 'check', file],
      ['run', '--config', file],
    ]) {
      const run = await fleetstep(place, ...words)
      assert.equal(run.code, 3)
      assert.equal(run.stderr, `fleetstep: ${file}:3:9: colour is no setting: fleetstep config shows all of them\n`)
    }
  })
})
