import assert from 'node:assert/strict'
import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { foundFleet, stop } from './founded-fleet.ts'
import { fleetstep, start } from './program.ts'

it('secrets are read from files of their owner alone, and stand in no log, no answer and no command line', async (t) => {
  const fleet = await foundFleet(t, { uses: 2 })
  const { place } = fleet
  const bert = await fleet.run('bert')
  await fleet.sees('bert', ({ status }) => status === 'member', 'bert is a member')
  const secrets = secretsIn(place.folder)
  assert.ok(secrets.length >= 5)
  const answers = await Promise.all(
    [['status'], ['fleet', 'members'], ['fleet', 'epochs'], ['journal']].map(async (words) => {
      const run = await fleetstep(place, '--gateway', 'bert', ...words, '--json')
      return run.stdout + run.stderr
    }),
  )
  const token = start(place, '--gateway', 'anna', 'fleet', 'revoke', fleet.token, '--fleet', 'plant')
  const lines = place.runs.filter(({ code }) => code === null).map(({ pid }) => commandLineOf(pid))
  assert.ok(lines.filter((line) => line.includes('run')).length >= 2, 'the gateways are among them')
  await token.ended
  const told = [...answers, ...lines, ...place.runs.flatMap(({ stdout, stderr }) => [stdout, stderr])]
  for (const secret of secrets) for (const text of told) assert.ok(!text.includes(secret))

  await stop(bert)
  const files = [
    ['bert/member.key', ['run', '--config', 'bert.yaml', '--node-id', 'bert']],
    ['cards.seed', ['run', '--config', 'bert.yaml', '--node-id', 'bert']],
    ['plant/operator.key', ['seed', 'create', 'more.seed', '--fleet', 'plant']],
    ['plant/fleet.json', ['seed', 'create', 'more.seed', '--fleet', 'plant']],
  ] as const
  for (const [file, words] of files) {
    for (const mode of [0o640, 0o604]) {
      chmodSync(join(place.folder, file), mode)
      const run = await fleetstep(place, ...words)
      assert.equal(run.code, 3, `${file} ${run.stdout}${run.stderr}`)
      assert.match(run.stderr, new RegExp(`${file} can be read by others than its owner: chmod 600 `))
    }
    chmodSync(join(place.folder, file), 0o600)
  }
})

/** All that must not be said, as it stands in the files. */
function secretsIn(folder: string): string[] {
  const keys = ['plant/operator.key', 'anna/member.key', 'bert/member.key'].map((file) => {
    const body = readFileSync(join(folder, file), 'utf8').split('\n')[1]
    assert.ok(body !== undefined && body.length > 40)
    return body
  })
  const seed = JSON.parse(readFileSync(join(folder, 'cards.seed'), 'utf8')) as { enrolment: { tokenKey: string } }
  const founder = JSON.parse(readFileSync(join(folder, 'founder.seed'), 'utf8')) as { founderKey: string }
  return [...keys, seed.enrolment.tokenKey, founder.founderKey]
}

/** As others on the machine see it. */
function commandLineOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
}
