import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Digest } from '../../runtime/base/digest.ts'
import { offerProfile, profileOffers, takeOffers, withdrawOffer } from '../../runtime/gateway/profile-offers.ts'
import { encodeRules } from '../../runtime/state/rules/rules-codec.ts'
import type { DeviceRules } from '../../runtime/state/rules/rules.ts'
import { until } from '../links/clocks.ts'
import { ANNA, BERT, openPair } from './fleet.ts'

const rulesFor = (node: DeviceRules['node']): DeviceRules => ({
  node,
  profile: { name: 'pump', digest: '0123456789abcdef' as Digest },
  points: [{ path: 'speed', valueType: 'Uint8', access: 'RW' }],
})

describe('profiles that gateways offer', () => {
  it('count only where their own node has put them, for itself', async (t) => {
    const { anna, bert } = await openPair(t)
    anna.state.set(`profile-offers/${BERT}`, { device: 'bert', rules: encodeRules(rulesFor(BERT)) })
    anna.state.set(`profile-offers/${ANNA}`, { device: 'bert', rules: encodeRules(rulesFor(BERT)) })
    assert.deepEqual(profileOffers(anna), [])
    anna.state.set(`profile-offers/${ANNA}`, { device: 'bert', rules: new Uint8Array(3) })
    anna.state.set('profile-offers/x', 1)
    assert.deepEqual(profileOffers(anna), [])
    await until(() => bert.state.get('profile-offers/x') === 1, 'bert has heard')
    assert.equal(offerProfile(bert, rulesFor(BERT)), null)
    assert.deepEqual(
      profileOffers(bert).map(({ device, node, problem }) => [device, node, problem]),
      [['bert', BERT, null]],
    )
    withdrawOffer(bert)
    assert.deepEqual(profileOffers(bert), [])
  })

  it('are not put in force where the device belongs to another node, or several nodes offer one', async (t) => {
    const { anna, bert } = await openPair(t)
    anna.state.set(`profile-offers/${ANNA}`, { device: 'bert', rules: encodeRules(rulesFor(ANNA)) })
    await until(() => bert.state.get(`profile-offers/${ANNA}`) !== undefined, 'bert has heard')
    offerProfile(bert, rulesFor(BERT))
    assert.match(
      takeOffers(bert, 'bert')
        .map(({ outcome }) => outcome)
        .join(),
      /several nodes offer one.*several nodes/,
    )
    withdrawOffer(bert)
    bert.profiles.apply('bert', rulesFor(BERT))
    assert.deepEqual(
      takeOffers(bert, null).map(({ outcome }) => outcome),
      [`the device belongs to node ${BERT}`],
    )
    assert.equal(bert.profiles.list()[0]?.rules.node, BERT)
    assert.throws(() => takeOffers(bert, 'hall'), { code: 'path-unknown' })
  })
})
