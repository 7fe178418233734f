import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createSigningKey } from '../../runtime/device/identity/keys.ts'
import type { Gateway } from '../../runtime/gateway/gateway.ts'
import { MemoryMedium } from '../../runtime/storage/memory-store.ts'
import { until } from '../links/clocks.ts'
import {
  agree,
  ANNA,
  attackedFleet,
  type AttackedFleet,
  BERT,
  counted,
  memberOf,
  PATIENCE_MS,
  sees,
  signEpoch,
} from '../support/attacked-fleet.ts'
import type { SigningKey } from '../../runtime/device/identity/keys.ts'

const SET_BACK = 'sign that this node was set back or cloned'

// Each has a fleet and a broker of its own, and waits for most of its time.
describe('a double of a member', { concurrency: true }, () => {
  it('a backup that is put back speaks as nobody: it is a draft under a new member id until the operator retires the old one', async (t) => {
    const { fleet, anna, bert, key, medium } = await pair(t)
    bert.state.set('b', 1)
    await agree([anna, bert], { b: 1 })
    const former = memberOf(bert)
    await bert.close()
    const backup = copyOf(medium)
    const later = await fleet.open(BERT, { key, medium })
    later.state.set('b', 2)
    await agree([anna, later], { b: 2 })
    await later.close()
    const heldBefore = heldOf(anna, former)
    const restored = await fleet.open(BERT, { key, medium: backup })
    restored.state.set('lost', 3)
    await sees(restored, ({ status }) => status === 'draft', 'the backup has noticed')
    assert.notEqual(memberOf(restored), former)
    assert.deepEqual(
      restored.alarms().map(({ name }) => name),
      ['regressed'],
    )
    await counted(restored, SET_BACK)
    assert.equal(heldOf(anna, former), heldBefore, 'nothing was said as the former member')
    await sees(restored, ({ refusal }) => refusal !== null, 'it waits for the operator')
    assert.match(restored.inspect().refusal ?? '', /this node is a member already/)
    assert.deepEqual(anna.state.entries(), [['b', 2]])
    await signEpoch(fleet, anna, { retire: [former] })
    await sees(restored, ({ status }) => status === 'member', 'it is a member again')
    await agree([anna, restored], { b: 2 })
    const kept = restored.conflicts.list().map(({ path }) => path)
    assert.deepEqual(kept, ['lost'], 'what contradicts the fleet waits for people')
    // Where it was heard before it noticed, it had taken back what it had said.
    for (const alarm of anna.alarms())
      assert.deepEqual([alarm.name, 'member' in alarm && alarm.member], ['untrue-announcement', former])
  })

  it('of a card that was copied and runs twice at once, one stands back as a draft, and nothing is lost', async (t) => {
    const { fleet, anna, bert, key, medium } = await pair(t)
    const former = memberOf(bert)
    await bert.close()
    const copy = copyOf(medium)
    const original = await fleet.open(BERT, { key, medium })
    original.state.set('o', 1)
    await agree([anna, original], { o: 1 })
    const clone = await fleet.open(BERT, { key, medium: copy })
    clone.state.set('c', 2)
    const drafts = (): Gateway[] => [original, clone].filter((one) => one.inspect().status === 'draft')
    await until(() => drafts().length > 0, 'one of them has noticed', PATIENCE_MS)
    for (const draft of drafts()) {
      assert.notEqual(memberOf(draft), former)
      assert.ok(draft.alarms().some(({ name }) => name === 'regressed'))
      await counted(draft, SET_BACK)
      assert.match(
        fleet.log.join('\n'),
        /this node stands still: .*; its data directory is older than what it has said, or its card was cloned/,
      )
    }
    assert.equal(anna.state.get('o'), 1, 'what the first has said stands')
    assert.equal(clone.state.get('c'), 2, 'what the clone has changed waits in it')
  })
})

interface Pair {
  readonly fleet: AttackedFleet
  readonly anna: Gateway
  readonly bert: Gateway
  readonly key: SigningKey
  readonly medium: MemoryMedium
}

async function pair(t: Parameters<typeof attackedFleet>[0]): Promise<Pair> {
  const fleet = await attackedFleet(t)
  const [key, medium] = [createSigningKey(), new MemoryMedium()]
  const anna = await fleet.open(ANNA)
  const bert = await fleet.open(BERT, { key, medium })
  await sees(bert, ({ status }) => status === 'member', 'bert is a member')
  await sees(anna, ({ floor, last }) => floor === last.stage, 'its join is settled')
  return { fleet, anna, bert, key, medium }
}

/** As a program that copies cards would make it. */
function copyOf({ snapshot, records, recordBytes, last }: MemoryMedium): MemoryMedium {
  return Object.assign(new MemoryMedium(), { snapshot, records: [...records], recordBytes, last })
}

function heldOf(gateway: Gateway, member: string): number {
  return gateway.inspect().vector.find((entry) => entry.member === member)?.seq ?? 0
}
