import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MemoryMedium } from '../../runtime/storage/memory-store.ts'
import {
  agree,
  ANNA,
  attackedFleet,
  BERT,
  counted,
  MALLORY,
  sees,
  standing,
  stillWorks,
} from '../support/attacked-fleet.ts'
import { createSigningKey } from '../../runtime/device/identity/keys.ts'
import { until } from '../links/clocks.ts'

// Each has a fleet and a broker of its own, and waits for most of its time.
describe('what was recorded', { concurrency: true }, () => {
  it('what was recorded and is played again changes nothing, in any order, also after a restart', async (t) => {
    const fleet = await attackedFleet(t)
    const { attacker } = fleet
    const [medium, key] = [new MemoryMedium(), createSigningKey()]
    const anna = await fleet.open(ANNA)
    const bert = await fleet.open(BERT, { medium, key })
    await sees(bert, ({ status }) => status === 'member', 'bert is a member')
    for (let value = 1; value <= 20; value += 1) anna.state.set('lamp', value)
    anna.state.add('starts', 5)
    await agree([anna, bert], { lamp: 20, starts: 5 })
    const recorded = attacker.heard.filter(({ topic }) => /\/(op|b|w|in)\//.test(topic))
    const before = [standing(anna), standing(bert)]
    const play = async (): Promise<void> => {
      for (const { topic, frame } of [...recorded, ...recorded.toReversed()]) {
        await attacker.publish(topic, frame)
        // Nobody takes his own topic for that of somebody else.
        await attacker.publish(`fleet/${fleet.keys.facts.id}/op/${MALLORY}`, frame)
      }
    }
    await play()
    await attacker.publish(`fleet/${fleet.keys.facts.id}/op/${MALLORY}`, new Uint8Array(1))
    // What was played before that has been looked at when it is counted.
    for (const gateway of [anna, bert]) await counted(gateway, 'frame is not a list')
    assert.deepEqual([standing(anna), standing(bert)], before)
    assert.deepEqual(
      [anna, bert].map((one) => one.inspect().waitingList.length),
      [0, 0],
    )
    await bert.close()
    const again = await fleet.open(BERT, { medium, key })
    await play()
    await stillWorks({ anna, bert: again })
    await sees(again, ({ status }) => status === 'member', 'bert is still a member')
    assert.deepEqual(again.alarms(), [])
    assert.deepEqual(again.state.get('starts'), 5)
  })

  it('a request that was recorded is answered once', async (t) => {
    const fleet = await attackedFleet(t)
    const { attacker } = fleet
    const anna = await fleet.open(ANNA)
    const bert = await fleet.open(BERT)
    await sees(bert, ({ status }) => status === 'member', 'bert is a member')
    await bert.closeLink('mqtt')
    for (let value = 1; value <= 50; value += 1) anna.state.set('lamp', value)
    bert.openLink('mqtt')
    await agree([anna, bert], { lamp: 50 })
    await until(() => attacker.framesOf(BERT, 'request').length > 0, 'bert has asked', 60_000)
    const [asked] = attacker.framesOf(BERT, 'request')
    const answers = (): number => attacker.framesOf(ANNA, 'batch').length
    const before = answers()
    for (let turn = 0; turn < 50; turn += 1) await attacker.publish(asked!.topic, asked!.frame)
    await counted(anna, 'request that was answered before', 50)
    await stillWorks({ anna, bert })
    assert.equal(answers(), before + 1, 'anna has sent her own change alone')
  })
})
