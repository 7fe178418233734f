import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import { createSigningKey, verifySignature } from '../../runtime/device/identity/keys.ts'
import { priorityOf } from '../../runtime/state/priority.ts'
import { openBatch, sealBatch } from '../../runtime/sync/batch-codec.ts'
import { openSign1 } from '../../runtime/sync/cose.ts'
import type { Announcement, Batch, Message } from '../../runtime/sync/message.ts'
import { Signatures } from '../../runtime/sync/signatures.ts'
import {
  ANNA,
  attackedPair,
  type AttackedFleet,
  counted,
  MALLORY,
  memberOf,
  standing,
  stillWorks,
} from '../support/attacked-fleet.ts'
import { HandIssuer } from '../support/handmade.ts'

const THIEF = createSigningKey()

interface Forgery {
  readonly what: string
  /** In whose topic it is published. */
  readonly as: NodeId
  readonly reason: string
  readonly message: (scene: Scene) => Message
}

interface Scene {
  readonly fleet: Awaited<ReturnType<typeof attackedPair>>
  readonly thief: Signatures
}

const forgeries: readonly Forgery[] = [
  {
    what: 'a batch of anna, signed with another key',
    as: ANNA,
    reason: 'batch is not signed by its member',
    message: ({ fleet, thief }) => ({ kind: 'batch', batch: thief.sign(nextOfAnna(fleet)) }),
  },
  {
    what: 'a batch of bert himself, signed with another key',
    as: MALLORY,
    reason: 'batch is not signed by its member',
    message: ({ fleet, thief }) => {
      const issuer = new HandIssuer(memberOf(fleet.bert), 0)
      issuer.issue({ set: ['lamp', 666] })
      return { kind: 'batch', batch: thief.sign(issuer.batches[0]!) }
    },
  },
  {
    what: 'a batch without a signature, as in a fleet without keys',
    as: ANNA,
    reason: 'batch is not signed',
    message: ({ fleet }) => ({ kind: 'batch', batch: nextOfAnna(fleet) }),
  },
  {
    what: 'a good batch of anna of which the signature was taken off',
    as: ANNA,
    reason: 'batch is not signed',
    message: ({ fleet }) => {
      const { batch } = fleet.attacker.framesOf(ANNA, 'batch')[0]!.message
      return { kind: 'batch', batch: openBatch(openSign1(batch.payload, 'batch').payload) }
    },
  },
  {
    what: 'a batch of anna for another fleet',
    as: ANNA,
    reason: 'batch is not signed by its member',
    message: ({ fleet }) => {
      const { sign } = fleet.keys.founderKey
      return {
        kind: 'batch',
        batch: new Signatures(EMPTY_DIGEST, { sign, verify: verifySignature }).sign(nextOfAnna(fleet)),
      }
    },
  },
  {
    what: 'an announcement of anna by which bert would be set back',
    as: ANNA,
    reason: 'announcement is not signed by its member',
    message: ({ fleet, thief }) => ({ kind: 'announcement', announcement: thief.signAnnouncement(lie(fleet)) }),
  },
  {
    what: 'an announcement without a signature',
    as: ANNA,
    reason: 'announcement is not signed',
    message: ({ fleet }) => ({ kind: 'announcement', announcement: lie(fleet) }),
  },
  {
    what: 'an announcement of a node that is no member',
    as: MALLORY,
    reason: 'announcement of a node that is no member',
    message: ({ fleet, thief }) => ({
      kind: 'announcement',
      announcement: thief.signAnnouncement({ ...lie(fleet), member: memberIdOf(MALLORY, 1) }),
    }),
  },
  {
    what: 'an epoch that the operator has not signed',
    as: ANNA,
    reason: 'epoch: it is not signed by the operator',
    message: ({ fleet }) => ({
      kind: 'epoch',
      epoch: {
        number: 1,
        counting: [fleet.keys.founder],
        retired: [memberOf(fleet.bert)],
        signature: fleet.keys.founderKey.sign(new Uint8Array(9)),
      },
    }),
  },
  {
    what: 'a request of anna, signed with another key',
    as: ANNA,
    reason: 'request is not signed by its member',
    message: ({ fleet, thief }) => {
      const request = {
        from: fleet.keys.founder,
        to: null,
        gaps: [{ member: fleet.keys.founder, after: 0, through: 9 }],
      }
      return { kind: 'request', request: thief.signRequest(request, () => ({ start: 9, number: 9 })) }
    },
  },
  {
    what: 'a request without a signature',
    as: ANNA,
    reason: 'request is not signed',
    message: ({ fleet }) => ({ kind: 'request', request: { from: fleet.keys.founder, to: null, gaps: [] } }),
  },
  {
    what: 'a request of a node that is no member',
    as: MALLORY,
    reason: 'request of a node that is no member',
    message: ({ thief }) => {
      const request = { from: memberIdOf(MALLORY, 1), to: null, gaps: [] }
      return { kind: 'request', request: thief.signRequest(request, () => ({ start: 9, number: 9 })) }
    },
  },
  {
    what: 'a request for a chunk without a signature',
    as: ANNA,
    reason: 'chunk request is not signed',
    message: ({ fleet }) => ({
      kind: 'chunk-request',
      request: { from: fleet.keys.founder, to: memberOf(fleet.bert), digest: EMPTY_DIGEST, offset: 0 },
    }),
  },
  {
    what: 'an offer of anna, signed with another key',
    as: ANNA,
    reason: 'offer is not signed by its member',
    message: ({ fleet, thief }) => ({
      kind: 'offer',
      offer: thief.signOffer({
        to: memberOf(fleet.bert),
        from: fleet.keys.founder,
        purpose: 'catch-up',
        digest: EMPTY_DIGEST,
        size: 1000,
      }),
    }),
  },
]

test('what somebody else says in the name of a member changes nothing, and is counted by its reason', async (t) => {
  const fleet = await attackedPair(t)
  const { anna, bert, attacker, keys } = fleet
  const scene: Scene = { fleet, thief: keys.signatures(THIEF) }
  const before = [standing(anna), standing(bert)]
  const wanted = new Map<string, number>()
  for (const { what, as, reason, message } of forgeries) {
    wanted.set(reason, (wanted.get(reason) ?? 0) + 1)
    await attacker.say(as, message(scene))
    await counted(bert, reason, wanted.get(reason)).catch((error: unknown) => assert.fail(`${what}: ${String(error)}`))
  }
  assert.deepEqual([standing(anna), standing(bert)], before)
  assert.deepEqual([bert.inspect().waitingList, bert.inspect().outboxLength], [[], 0])
  await stillWorks(fleet)
})

test('frames of an older or newer version, and of another fleet, are dropped by name', async (t) => {
  const fleet = await attackedPair(t)
  const { attacker, bert } = fleet
  const before = standing(bert)
  const [good] = attacker.framesOf(ANNA, 'batch')
  for (const version of [0, 2]) {
    const other = good!.frame.slice()
    other[1] = version
    await attacker.publish(good!.topic, other)
  }
  await counted(bert, 'version is not 1: a node here runs another release', 2)
  const foreign = good!.frame.slice()
  foreign[4]! ^= 1
  await attacker.publish(good!.topic, foreign)
  await counted(bert, 'fleet is another one, or this one with other founders')
  assert.deepEqual(standing(bert), { ...before, alarms: ['newer-release'] })
  await stillWorks(fleet)
})

/** The next operation of anna, as she would issue it: only her signature is missing. */
function nextOfAnna({ anna, keys }: AttackedFleet & Scene['fleet']): Batch {
  const { vector, last } = anna.inspect()
  const own = vector.find(({ member }) => member === keys.founder)
  const issuer = new HandIssuer(keys.founder, 1)
  issuer.issue({ set: ['lamp', 666] })
  const [message] = issuer.batches[0]!.messages
  const id = { member: keys.founder, seq: (own?.seq ?? 0) + 1 }
  const current = { ...message!.current, id, stage: last.stage + 1, priority: priorityOf(keys.founder, 1) }
  const previous = { id: { member: keys.founder, seq: own?.seq ?? 0 }, stage: last.stage }
  return sealBatch(keys.founder, own?.digest ?? EMPTY_DIGEST, [{ current, previous }])
}

/** The last announcement of anna, newer and knowing more of bert than bert himself. */
function lie({ attacker, bert }: Scene['fleet']): Announcement {
  const { sealed: _, ...bare } = attacker.framesOf(ANNA, 'announcement').at(-1)!.message.announcement
  const vector = [{ member: memberOf(bert), seq: 99, digest: EMPTY_DIGEST }]
  return { ...bare, number: bare.number + 100, vector, vectorDigest: bare.vectorDigest }
}
