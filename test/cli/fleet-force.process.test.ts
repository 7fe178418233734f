import assert from 'node:assert/strict'
import { it } from 'node:test'
import { foundFleet } from './founded-fleet.ts'
import { fleetstep } from './program.ts'

it('an epoch is forced where nobody is left who counts, says so, and the one that is left goes on', async (t) => {
  const fleet = await foundFleet(t, { uses: 2 })
  const { place } = fleet
  const bert = await fleet.run('bert')
  await fleet.sees('bert', ({ status }) => status === 'member', 'bert is a member')
  await fleet.sees('anna', ({ floor, last }) => floor === last.stage, 'its join is settled')
  bert.kill('SIGKILL')
  await bert.ended
  // Its join cannot settle without bert, so it does not count.
  await fleet.run('carl')
  await fleet.sees('carl', ({ status }) => status === 'member', 'carl is a member')
  const nodes = await Promise.all(['anna', 'carl'].map(async (name) => (await fleet.status(name)).node))
  const [anna = '', carl = ''] = nodes
  const dead = (await fleet.status('carl')).members.map(({ member }) => member).filter((id) => !id.startsWith(carl))
  for (const run of place.runs.filter((one) => one.code === null && one.stdout.includes(anna))) run.kill('SIGKILL')
  const words = ['--gateway', 'carl', 'fleet', 'retire', ...dead, '--fleet', 'plant']
  const refused = await fleetstep(place, ...words)
  assert.equal(refused.code, 8)
  assert.match(
    refused.stderr,
    /nobody would be left who counts: name members that are to count with --force; what only/,
  )
  assert.equal((await fleet.status('carl')).epoch.number, 0)
  const forced = await fleetstep(place, ...words, '--force', carl)
  assert.equal(forced.code, 0, forced.stderr)
  assert.match(forced.stdout, /forced/)
  await fleet.change('carl', 'c', 3)
  await fleet.agree(['carl'], { c: 3 })
  const { epoch, alarms } = await fleet.status('carl')
  assert.deepEqual([epoch.number, epoch.isForced, epoch.retired.toSorted()], [1, true, dead.toSorted()])
  assert.deepEqual(
    alarms.map(({ name }) => name),
    ['epoch-forced'],
  )
  const epochs = await fleetstep(place, '--gateway', 'carl', 'fleet', 'epochs')
  assert.match(epochs.stdout, /forced/)
})
