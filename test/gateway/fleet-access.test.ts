import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toHex } from '../../runtime/base/bytes.ts'
import { type MemberId, memberIdOf } from '../../runtime/base/ids.ts'
import { proveClaim } from '../../runtime/device/identity/enrolment.ts'
import { createSigningKey, type SigningKey } from '../../runtime/device/identity/keys.ts'
import type { EpochChange } from '../../runtime/gateway/fleet-access.ts'
import { MemoryMedium } from '../../runtime/storage/memory-store.ts'
import { type AttackedFleet, attackedPair, CARL, memberOf, sees } from '../support/attacked-fleet.ts'

const REPLACE_CARL: EpochChange = { retire: [], replace: [CARL], revoke: [], force: [] }

describe('what the operator is asked to sign', { concurrency: true }, () => {
  it('lets in no key that somebody else has put beside that of a draft', async (t) => {
    const fleet = await attackedPair(t)
    const { anna } = fleet
    const own = createSigningKey()
    const carl = await fleet.open(CARL, { token: null, key: own })
    const member = memberOf(carl)
    const isShown = (id: MemberId, key: SigningKey) => (view: ReturnType<typeof anna.inspect>) =>
      view.candidates.some((line) => line.member === id && line.key === toHex(key.publicKey))
    await sees(anna, isShown(member, own), 'carl is shown')
    assert.deepEqual(anna.epochs.propose(REPLACE_CARL).epoch.admitted?.[0]?.key, own.publicKey)
    const [thief, other] = [createSigningKey(), memberIdOf(CARL, 7)]
    await ask(fleet, other, thief)
    await sees(anna, isShown(other, thief), 'another life is shown')
    assert.throws(() => anna.epochs.propose(REPLACE_CARL), {
      code: 'operation-refused',
      message: new RegExp(`2 keys ask .*${member} .*${toHex(own.publicKey).slice(0, 16)}.*${other}`),
    })
    assert.deepEqual(
      anna.epochs.propose({ ...REPLACE_CARL, replace: [member] }).epoch.admitted?.[0]?.key,
      own.publicKey,
    )
    await ask(fleet, member, thief)
    await sees(anna, isShown(member, thief), 'the same life with another key is shown')
    for (const name of [CARL, member])
      assert.throws(() => anna.epochs.propose({ ...REPLACE_CARL, replace: [name] }), /2 keys ask .*make it a new seed/)
  })

  it('retires nobody who has joined since it was refused here', async (t) => {
    const fleet = await attackedPair(t)
    const { anna, bert, keys } = fleet
    const [key, medium] = [createSigningKey(), new MemoryMedium()]
    const refused = await fleet.open(CARL, { token: null, key, medium })
    await sees(anna, ({ candidates }) => candidates.length === 1, 'carl is shown')
    await anna.closeLink('mqtt')
    await refused.close()
    const carl = await fleet.open(CARL, { token: keys.token(), key, medium })
    await sees(carl, ({ status }) => status === 'member', 'bert lets carl in')
    anna.openLink('mqtt')
    await sees(anna, ({ members }) => members.some(({ member }) => member === memberOf(carl)), 'anna knows it')
    assert.deepEqual([anna.inspect().candidates, bert.inspect().candidates.length], [[], 0])
    assert.throws(() => anna.epochs.propose(REPLACE_CARL), { code: 'path-unknown', message: /has joined meanwhile/ })
  })
})

/** Somebody asks to join as `member`, with a key of his own and no token. */
async function ask({ attacker, keys }: AttackedFleet, member: MemberId, key: SigningKey): Promise<void> {
  const claim = { fleet: keys.facts.id, member, tier: 0, key: key.publicKey }
  const proof = proveClaim(claim, key, null)
  await attacker.say(CARL, { kind: 'join-request', request: { member, tier: 0, key: key.publicKey, proof, epoch: 0 } })
}
