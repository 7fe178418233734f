import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { untilAnswered } from '../links/clocks.ts'
import { aloneConfig, fleetstep, fleetstepJson, runGateway, workplace } from './program.ts'

const SHIPPED = readdirSync('device-profiles').flatMap((name) => (name.endsWith('.yaml') ? [name.slice(0, -5)] : []))

function order(left: string | undefined, right: string | undefined): number {
  return String(left).localeCompare(String(right))
}

/** A profile of one point that is set, with a bound that tests edit. */
function pumpProfile(maximum: number | string, more: string = ''): string {
  return `apiVersion: '1'
name: pump
deviceResources:
  - name: speed
    properties: { valueType: Uint8, readWrite: RW, units: Hz, maximum: ${maximum} }
${more}`
}

const LOAD = `  - name: load
    attributes: { driver: system, source: load1 }
    properties: { valueType: Float32, readWrite: R, units: '1', minimum: 0, optional: { interval: 1s } }
`

describe('fleetstep profile without a gateway', () => {
  it('lists the profiles that come with the program', async (t) => {
    const place = workplace(t)
    const run = await fleetstep(place, 'profile', 'list')
    assert.equal(run.code, 0, run.stderr)
    const lines = run.stdout.trimEnd().split('\n').slice(1)
    assert.deepEqual(lines.map((line) => line.trim().split(' ')[0]).toSorted(order), SHIPPED.toSorted(order))
    for (const line of lines) assert.match(line, /^ {2}\S+ +[1-9]\d* points {2}\S/)
    assert.match(run.stdout, /^ {2}pump-station +16 points {2}Two pumps in a sump/m)
  })

  it('shows one, to begin a new one with', async (t) => {
    const place = workplace(t)
    const run = await fleetstep(place, 'profile', 'show', 'greenhouse')
    assert.equal(run.code, 0, run.stderr)
    const mine = place.file('mine.yaml', run.stdout)
    const [first = ''] = run.stdout.split('\n')
    const schema = /^# yaml-language-server: \$schema=(.*)$/.exec(first)?.[1] ?? ''
    assert.ok(existsSync(schema), `an editor finds ${schema}`)
    assert.equal((await fleetstep(place, 'profile', 'validate', mine)).code, 0)
    assert.match((await fleetstep(place, 'profile', 'diff', 'greenhouse', mine)).stdout, /^they say the same/)
    const json = (await fleetstepJson(place, 'profile', 'show', mine)) as { hash: string; profile: { name: string } }
    assert.equal(json.profile.name, 'greenhouse')
    assert.match(json.hash, /^[0-9a-f]{16}$/)
  })

  it('names every mistake with line and column, and ends with exit code 3', async (t) => {
    const place = workplace(t)
    const good = place.file('good.yaml', pumpProfile(60))
    const bad = place.file('bad.yaml', pumpProfile('"60"', '  - name: speed\n    unit: s\n'))
    const run = await fleetstep(place, 'profile', 'validate', good, bad)
    assert.equal(run.code, 3)
    const lines = run.stdout.trimEnd().split('\n')
    assert.match(lines[0] ?? '', /^.*good\.yaml is valid: pump, 1 point, version [0-9a-f]{16}$/)
    assert.match(lines[1] ?? '', /^.*bad\.yaml:5:72: error: .*maximum must be a number without quotes, but is "60"$/)
    assert.match(lines[2] ?? '', /^.*bad\.yaml:6:5: error: .*properties is missing/)
    assert.match(lines[3] ?? '', /^.*bad\.yaml:7:5: error: .*unit is unknown/)
    assert.match(lines[4] ?? '', /^.*bad\.yaml is not valid: 3 problems$/)
    const json = (await fleetstepJson(place, 'profile', 'validate', bad)) as { valid: boolean; problems: object[] }[]
    assert.deepEqual([json[0]?.valid, json[0]?.problems.length], [false, 3])
    assert.deepEqual(Object.keys(json[0]?.problems[0] ?? {}), ['line', 'column', 'message'])
  })

  it('warns of what will work and was probably not meant', async (t) => {
    const place = workplace(t)
    const file = place.file('odd.yaml', pumpProfile(60).replace('Hz', 'furlong'))
    const run = await fleetstep(place, 'profile', 'validate', file)
    assert.equal(run.code, 0)
    assert.match(run.stdout, /odd\.yaml:5:\d+: warning: .*"furlong" is not on the list of units/)
  })

  it('says what differs between two', async (t) => {
    const place = workplace(t)
    const [old, next] = [place.file('old.yaml', pumpProfile(60)), place.file('next.yaml', pumpProfile(50, LOAD))]
    const run = await fleetstep(place, 'profile', 'diff', old, next)
    assert.equal(run.stdout, '~  speed.properties.maximum  60 → 50\n+  load                      the whole point\n')
    const json = (await fleetstepJson(place, 'profile', 'diff', old, next)) as { differences: object[] }
    assert.deepEqual(json.differences[0], { what: 'speed.properties.maximum', before: 60, after: 50 })
  })

  it('answers a wrong name, and a missing gateway, with one line', async (t) => {
    const place = workplace(t)
    for (const [words, code, message] of [
      [['profile', 'show', 'raspberry'], 3, /^fleetstep: there is no profile raspberry: .*generic-linux.*\n$/],
      [['profile', 'validate', 'mine.yaml'], 3, /^fleetstep: mine\.yaml: there is no such file/],
      [['profile', 'show'], 7, /^fleetstep: no gateway of this user runs/],
      [['profile', 'list', '--gateway', 'nobody'], 7, /^fleetstep: no gateway answers/],
    ] as const) {
      const run = await fleetstep(place, ...words)
      assert.equal(run.code, code, words.join(' '))
      assert.match(run.stderr, message)
    }
  })
})

describe('fleetstep profile with a gateway', () => {
  it('notices an edit, refuses a bad one with line and column, and keeps the old one meanwhile', async (t) => {
    const place = workplace(t)
    const profile = place.file('pump-profile.yaml', pumpProfile(60, LOAD))
    await runGateway(place, aloneConfig(place, 'pump', 'profile: pump-profile.yaml\n'), '--node-id', 'a')
    const set = async (value: string): Promise<number | null> =>
      (await fleetstep(place, 'state', 'set', 'pump/speed', value)).code
    assert.deepEqual([await set('60'), await set('61')], [0, 8])

    // As an editor does: a new file in the place of the old one.
    const save = (text: string): void => {
      writeFileSync(`${profile}.new`, text)
      renameSync(`${profile}.new`, profile)
    }
    const profileLine = async (): Promise<string> =>
      (await fleetstep(place, 'status')).stdout.split('\nmembers')[0] ?? ''
    save(pumpProfile('60 Hz', LOAD))
    await untilAnswered(profileLine, (line) => line.includes('an edit is refused'), 'the bad edit is noticed')
    assert.match(await profileLine(), /an edit is refused: .*pump-profile\.yaml:5:72: .*maximum must be a number/)
    assert.deepEqual([await set('59'), await set('61')], [0, 8], 'the old one stays')
    const refused = await fleetstep(place, 'profile', 'apply')
    assert.equal(refused.code, 3)
    assert.match(refused.stderr, /^fleetstep: .*pump-profile\.yaml:5:72: .*maximum must be a number/)

    save(pumpProfile(80, LOAD))
    await untilAnswered(
      async () => await set('80'),
      (code) => code === 0,
      'the good edit is in force without a restart',
    )
    assert.doesNotMatch(await profileLine(), /refused/)
    assert.match(await profileLine(), /profile +pump, version [0-9a-f]{16}; all members judge by it/)
  })

  it('shows, compares and applies what the config names', async (t) => {
    const place = workplace(t)
    const profile = place.file('pump-profile.yaml', pumpProfile(60))
    await runGateway(place, aloneConfig(place, 'pump', 'profile: pump-profile.yaml\n'), '--node-id', 'a')
    assert.equal((await fleetstep(place, 'profile', 'show')).stdout, pumpProfile(60))
    assert.match((await fleetstep(place, 'profile', 'diff')).stdout, /^they say the same/)
    const listed = await fleetstep(place, 'profile', 'list')
    assert.match(
      listed.stdout,
      /in force in the fleet\n  pump  pump  version [0-9a-f]{16}  of node [0-9a-f]{16}  settled\n$/,
    )
    await fleetstep(place, 'state', 'set', 'pump/speed', '55')

    place.file('pump-profile.yaml', pumpProfile(50))
    const applied = await fleetstep(place, 'profile', 'apply')
    assert.equal(applied.code, 0, applied.stderr)
    assert.match(applied.stdout, /version [0-9a-f]{16} is in force/)
    assert.match(applied.stdout, /all members judge by it/)
    assert.match(
      applied.stdout,
      /each stays until it is set anew, or .*--correct:\n  pump\/speed is 55: must be from 0 to 50/,
    )
    assert.equal((await fleetstep(place, 'state', 'set', 'pump/speed', '51')).code, 8)
    assert.deepEqual(await fleetstepJson(place, 'state', 'get', 'pump/speed'), { 'pump/speed': 55 })
    assert.match(
      (await fleetstep(place, 'profile', 'misfits')).stdout,
      /^pump\/speed is 55: must be from 0 to 50 Hz .*\neach stays/,
    )
    const corrected = await fleetstep(place, 'profile', 'misfits', '--correct')
    assert.equal(corrected.stdout, 'pump/speed was 55: must be from 0 to 50 Hz (Uint8), but is 55; gone\n')
    assert.equal((await fleetstep(place, 'profile', 'misfits')).stdout, 'every value fits\n')
    rmSync(profile)
    assert.equal((await fleetstep(place, 'profile', 'apply')).code, 3)
    assert.equal((await fleetstep(place, 'profile', 'show')).stdout, pumpProfile(50))
  })

  it('shows each point with its unit, and what has no value yet', async (t) => {
    const place = workplace(t)
    place.file('pump-profile.yaml', pumpProfile(60, LOAD))
    await runGateway(place, aloneConfig(place, 'pump', 'profile: pump-profile.yaml\n'), '--node-id', 'a')
    await fleetstep(place, 'state', 'set', 'pump/speed', '50')
    await untilAnswered(
      async () => await fleetstep(place, 'state', 'show'),
      ({ stdout }) => /^pump\/load +\d/m.test(stdout),
      'the load is reported',
    )
    const { stdout } = await fleetstep(place, 'state', 'show')
    assert.match(
      stdout,
      /^point +value +reported +delta +seen to change +read +quality +health\npump\/speed  50 Hz +\d+ s ago\npump\/load .* good/,
    )
    const json = (await fleetstepJson(place, 'state', 'show')) as Record<string, unknown>[]
    assert.deepEqual([json[0]?.['path'], json[0]?.['value'], json[0]?.['units']], ['pump/speed', 50, 'Hz'])
  })

  it("puts a profile in force for another node's device", async (t) => {
    const place = workplace(t)
    await runGateway(place, aloneConfig(place, 'pump'), '--node-id', 'a')
    const tank = place.file('tank.yaml', pumpProfile(60))
    const words = ['profile', 'apply', tank, '--device', 'tank', '--node', '00000000000000aa']
    const applied = await fleetstep(place, ...words)
    assert.match(applied.stdout, /^applied: operation /, applied.stderr)
    assert.equal((await fleetstep(place, 'state', 'set', 'tank/speed', '60')).code, 0)
    const refused = await fleetstep(place, 'state', 'set', 'tank/speed', '61')
    assert.deepEqual([refused.code, /tank\/speed must be from 0 to 60/.test(refused.stderr)], [8, true])
    assert.match((await fleetstep(place, 'profile', 'list')).stdout, /^ {2}tank {2}pump .* of node 00000000000000aa/m)
    assert.equal((await fleetstep(place, ...words.slice(0, -2))).code, 2)
    assert.equal((await fleetstep(place, ...words.with(words.length - 1, 'nobody'))).code, 8)
    const bad = place.file('bad.yaml', pumpProfile('"60"'))
    const wrong = await fleetstep(place, ...words.with(2, bad))
    assert.deepEqual([wrong.code, wrong.stderr.startsWith(`fleetstep: ${bad}:5:72: `)], [3, true])
  })

  it('says so where the gateway has none', async (t) => {
    const place = workplace(t)
    await runGateway(place, aloneConfig(place, 'pump'), '--node-id', 'a')
    const run = await fleetstep(place, 'profile', 'apply')
    assert.equal(run.code, 8)
    assert.match(run.stderr, /this gateway has no profile: name one in its config/)
    assert.match((await fleetstep(place, 'state', 'show')).stdout, /^this gateway has no profile/)
  })
})

it('the two applications run in a gateway', async (t) => {
  const place = workplace(t)
  for (const name of ['pump-station', 'greenhouse']) {
    const gateway = await runGateway(place, aloneConfig(place, name, `profile: ${name}\n`), '--node-id', name)
    const show = await fleetstep(place, 'state', 'show', '--gateway', name)
    const text = readFileSync(join('device-profiles', `${name}.yaml`), 'utf8')
    const points = [...text.matchAll(/^ {2}- name: (\w+)\n {4}description/gm)].map(([, point]) => `${name}/${point}`)
    assert.deepEqual(
      show.stdout
        .trimEnd()
        .split('\n')
        .slice(1)
        .map((line) => line.split(' ')[0]),
      points,
    )
    gateway.kill('SIGTERM')
    await gateway.ended
    assert.equal(gateway.code, 0, gateway.stderr)
  }
})
