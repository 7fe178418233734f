import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { NodeId } from '../../runtime/base/ids.ts'
import { readProfileText } from '../../runtime/device/profiles/document.ts'
import type { DeviceProfile } from '../../runtime/device/profiles/profile.ts'
import { createSigningKey } from '../../runtime/device/identity/keys.ts'
import { assertTier, chosenTier, tierBinding, tierNotice } from '../../runtime/gateway/tier.ts'
import { signedFleet } from '../support/signed-fleet.ts'

const KEYS = signedFleet()
const TOKEN = KEYS.token({ tier: 5 })
const ANNA = '0a00000000000001' as NodeId
const BERT = '0b00000000000001' as NodeId

describe('the tier of a gateway', () => {
  const ofToken = tierBinding(keyed(false), BERT)
  const ofFounder = tierBinding(keyed(true), ANNA)
  const ofList = tierBinding(listed(2), ANNA)
  const alone = tierBinding({ ...listed(0), isAlone: true }, ANNA)

  it('is that of its token, of its founding or of the list where its profile says nothing', () => {
    const tiers = [ofToken, ofFounder, ofList, alone].map((binding) => chosenTier(binding, profile(null)).tier)
    assert.deepEqual(tiers, [5, 1, 2, 0])
  })

  it('is what its profile says, up to that of its token', () => {
    for (const tier of [0, 4, 5]) {
      assertTier(ofToken, profile(tier), 'pump.yaml')
      assert.equal(chosenTier(ofToken, profile(tier)).tier, tier)
    }
  })

  it('never is more than whoever admits it allows', () => {
    for (const binding of [ofToken, ofFounder, ofList]) {
      assert.throws(() => assertTier(binding, profile(binding.tier + 1), 'pump.yaml'), {
        code: 'profile-invalid',
        message: new RegExp(`pump.yaml: asks for tier ${binding.tier + 1}, .* allows ${binding.tier} at most`),
      })
    }
    assert.doesNotThrow(() => assertTier(alone, profile(9), 'pump.yaml'))
  })

  it('is what everybody knows from the start, whatever a profile asks for', () => {
    assert.deepEqual([chosenTier(ofFounder, profile(0)).tier, chosenTier(ofList, profile(1)).tier], [1, 2])
  })

  it('is told where a profile asks for another one than this life has', () => {
    assert.match(tierNotice(ofToken, 5, profile(3)) ?? '', /asks for tier 3; this gateway has tier 5 as long as/)
    assert.deepEqual([tierNotice(ofToken, 3, profile(3)), tierNotice(ofToken, 3, profile(null))], [null, null])
  })
})

function keyed(isFounder: boolean): Parameters<typeof tierBinding>[0] {
  const key = isFounder ? { founderKey: createSigningKey(), enrolment: null } : { founderKey: null, enrolment: TOKEN }
  return { genesis: KEYS.genesis, isAlone: false, seed: { fleet: KEYS.facts, epoch: null, links: [], ...key } }
}

function listed(tier: number): Parameters<typeof tierBinding>[0] {
  return { genesis: { name: 'f', founders: [{ node: ANNA, tier }] }, seed: null, isAlone: false }
}

function profile(tier: number | null): DeviceProfile {
  const text = `apiVersion: '1'
name: pump
deviceResources:
  - { name: speed, properties: { valueType: Float32, readWrite: RW } }
${tier === null ? '' : `optional: { tier: ${tier} }`}`
  const reading = readProfileText(text)
  assert.ok(reading.kind === 'accepted')
  return reading.profile.profile
}
