import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { until } from '../links/clocks.ts'
import { type Fleet, foundFleet, stop } from './founded-fleet.ts'
import { fleetstep, fleetstepJson, type Workplace, workplace } from './program.ts'

describe('the tier of a gateway', { concurrency: true }, () => {
  it('comes from its profile, below its token, and stays what it is as long as it is this member', async (t) => {
    const fleet = await foundFleet(t, { uses: 1, tier: 5 })
    const { place } = fleet
    profile(place, 9)
    const refused = await fleet.run('bert', { profile: 'pump.yaml' }).then(() => 'it runs', String)
    assert.match(
      refused,
      new RegExp(`pump\\.yaml: asks for tier 9, and token ${fleet.token} of its seed allows 5 at most: lower optional`),
    )
    profile(place, 3)
    const explained = await fleetstep(place, 'node', 'id', '--explain', '--node-id', 'bert', '--config', 'bert.yaml')
    assert.match(
      explained.stdout,
      new RegExp(`tier +3, from profile pump; the ceiling is 5, by token ${fleet.token} of its seed\n`),
    )
    const bert = await fleet.run('bert', { profile: 'pump.yaml' })
    await fleet.sees('bert', ({ status }) => status === 'member', 'bert is a member')
    assert.deepEqual(await tiersAt(fleet, 'bert'), [1, 3])
    await fleet.sees('anna', ({ members }) => members.length === 2, 'anna knows bert')
    assert.deepEqual(await tiersAt(fleet, 'anna'), [1, 3])

    // An edit that asks for more than the token allows changes nothing; one that asks for less is for a later life.
    profile(place, 6)
    await fleet.sees('bert', ({ profile: shown }) => shown?.problem?.includes('tier 6') === true, 'the edit is refused')
    profile(place, 2)
    const notice = /profile pump asks for tier 2; this gateway has tier 3 as long as it is this member/
    await until(() => notice.test(bert.stderr), 'bert says what the edit does not change')
    await stop(bert)
    const again = await fleet.run('bert', { profile: 'pump.yaml' })
    assert.match(again.stderr, notice)
    for (const name of ['anna', 'bert']) assert.deepEqual(await tiersAt(fleet, name), [1, 3])
  })

  it('comes from a profile that the list of members names, or stands there, and no profile raises it', async (t) => {
    const place = workplace(t)
    profile(place, 4)
    const node = (await fleetstep(place, 'node', 'id', '--node-id', 'anna')).stdout.trim()
    const config = (entry: string): string =>
      place.file(
        'anna.yaml',
        `fleet: { name: pumps, members: [{ node: '${node}', ${entry} }] }\ndataDirectory: anna\nprofile: pump.yaml\n`,
      )
    const explain = async (entry: string): Promise<string> => {
      const words = ['--explain', '--node-id', 'anna', '--config', config(entry)]
      const run = await fleetstep(place, 'node', 'id', ...words)
      return run.stdout.split('\n').find((line) => line.startsWith('tier')) ?? run.stderr
    }
    assert.match(
      await explain('profile: pump.yaml'),
      /^tier +4, from profile pump; the ceiling is 4, by fleet\.members/,
    )
    assert.match(await explain('tier: 7'), /^tier +7, from fleet\.members of the config; profile pump asks for 4$/)
    assert.match(await explain('tier: 3'), /asks for tier 4, and fleet\.members of the config allows 3 at most/)
    const both = await explain('tier: 4, profile: pump.yaml')
    assert.match(both, /a member has a tier, or a profile whose tier it has: take one of them out/)
    const shown = await fleetstepJson(
      place,
      'node',
      'id',
      '--explain',
      '--node-id',
      'anna',
      '--config',
      config('tier: 4'),
    )
    assert.deepEqual((shown as { tier: object }).tier, {
      tier: 4,
      from: 'profile pump; the ceiling is 4, by fleet.members of the config',
    })
  })
})

async function tiersAt({ place }: Fleet, name: string): Promise<number[]> {
  const { members } = (await fleetstepJson(place, '--gateway', name, 'status')) as { members: { tier: number }[] }
  return members.map(({ tier }) => tier).toSorted((left, right) => left - right)
}

function profile({ folder }: Workplace, tier: number): void {
  const file = join(folder, 'pump.yaml')
  const text = `apiVersion: '1'
name: pump
deviceResources:
  - name: speed
    properties: { valueType: Float32, readWrite: RW }
optional: { tier: ${tier} }
`
  writeFileSync(file, text)
  assert.equal(readFileSync(file, 'utf8'), text)
}
