import assert from 'node:assert/strict'
import { readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { aloneConfig, fleetstep, fleetstepJson, runGateway, workplace } from './program.ts'

const DISPLACED = /data-pump was removed, moved, replaced or mounted over while it was in use.*start again\n$/

describe('A gateway whose data directory goes', () => {
  for (const [name, happen] of [
    ['is removed', (directory: string) => rmSync(directory, { recursive: true })],
    ['is moved away', (directory: string) => renameSync(directory, `${directory}-moved`)],
  ] as const) {
    it(`and ${name} confirms no change, ends with 5, and starts again`, async (t) => {
      const place = workplace(t)
      const config = aloneConfig(place, 'pump')
      const gateway = await runGateway(place, config, '--node-id', 'a')
      assert.equal((await fleetstep(place, 'state', 'set', 'lamp', '1')).code, 0)
      happen(join(place.folder, 'data-pump'))
      const refused = await fleetstep(place, 'state', 'set', 'lamp', '2')
      assert.deepEqual([refused.code, refused.stdout], [7, ''])
      assert.match(refused.stderr, /has ended before its answer/)
      await gateway.ended
      assert.equal(gateway.code, 5)
      assert.match(gateway.stderr, DISPLACED)
      await runGateway(place, config, '--node-id', 'a')
      assert.equal((await fleetstep(place, 'state', 'set', 'lamp', '3')).code, 0)
      assert.deepEqual(await fleetstepJson(place, 'state', 'get'), { lamp: 3 })
    })
  }

  it('ends with 5 when it is stopped before it has noticed, and finds all again once that is put back', async (t) => {
    const place = workplace(t)
    const config = aloneConfig(place, 'pump')
    const directory = join(place.folder, 'data-pump')
    const gateway = await runGateway(place, config, '--node-id', 'a')
    assert.equal((await fleetstep(place, 'state', 'set', 'lamp', '1')).code, 0)
    renameSync(directory, `${directory}-moved`)
    gateway.kill('SIGTERM')
    await gateway.ended
    assert.equal(gateway.code, 5)
    assert.match(gateway.stderr, DISPLACED)
    assert.ok(!readdirSync(place.folder).includes('data-pump'))
    renameSync(`${directory}-moved`, directory)
    await runGateway(place, config, '--node-id', 'a')
    assert.deepEqual(await fleetstepJson(place, 'state', 'get'), { lamp: 1 })
  })
})
