import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { untilAnswered } from '../links/clocks.ts'
import { foundFleet } from './founded-fleet.ts'
import { fleetstep, fleetstepJson } from './program.ts'

const PROFILE = `apiVersion: '1'
name: pump
deviceResources:
  - name: speed
    properties: { valueType: Uint8, readWrite: RW, units: Hz, maximum: 60, defaultValue: '20' }
`

interface Offers {
  readonly offers: readonly { readonly device: string; readonly problem: string | null }[]
}

describe('in a fleet with keys', () => {
  it('a gateway offers its profile, and one command of an operator puts all that are offered in force', async (t) => {
    const fleet = await foundFleet(t, { uses: 1 })
    fleet.place.file('pump.yaml', PROFILE)
    await fleet.run('bert', { profile: 'pump.yaml' })
    const as = (name: string, ...words: readonly string[]) => fleetstep(fleet.place, '--gateway', name, ...words)
    const list = async () => (await fleetstepJson(fleet.place, '--gateway', 'anna', 'profile', 'list')) as Offers
    await untilAnswered(list, ({ offers }) => offers.length === 1, 'the offer is there')
    assert.match(
      (await as('anna', 'profile', 'list')).stdout,
      /offered, and not in force[^]*bert +pump +version .* nothing stands yet/,
    )
    assert.match(
      (await as('anna', 'status')).stdout,
      /profiles offered +1 of gateways .* fleetstep profile apply --offered/,
    )
    assert.match(
      (await as('bert', 'status')).stdout,
      /only this gateway judges by it: .* fleetstep profile apply --offered on a node/,
    )
    const refused = await as('bert', 'profile', 'apply', '--offered')
    assert.deepEqual([refused.code, refused.stdout], [8, ''])
    assert.match(refused.stderr, /this node may not set the rules of bert: an operator or the founder does it/)
    const taken = await as('anna', 'profile', 'apply', '--offered')
    assert.match(taken.stdout, /^bert +pump +version [0-9a-f]{16} +applied\n$/)
    await fleet.sees('bert', ({ profile }) => profile?.fleet.kind === 'in-state', 'all judge by it')
    await fleet.agree(['anna'], {})
    const judged = await as('anna', 'state', 'set', 'bert/speed', '61')
    assert.match(judged.stderr, /bert\/speed must be from 0 to 60 Hz \(Uint8\), but is 61/)
    assert.equal((await as('bert', 'state', 'set', 'bert/speed')).code, 0)
    await fleet.agree(['anna', 'bert'], { 'bert/speed': 20 })
    assert.match((await as('anna', 'state', 'set', 'bert/speed')).stderr, /name a value for bert\/speed/)
    assert.match((await as('anna', 'profile', 'apply', '--offered')).stdout, /^no profile is offered/)
    assert.equal((await as('anna', 'profile', 'remove', 'bert')).code, 0)
    for (const word of ['remove', 'misfits']) {
      assert.match(
        (await as('anna', 'profile', word, 'bert')).stderr,
        /no profile is in force for bert: fleetstep profile list/,
      )
    }
    await untilAnswered(list, ({ offers }) => offers.length === 0, 'nothing is in force')
    assert.equal((await as('anna', 'state', 'set', 'bert/speed', '61')).code, 0)
  })
})
