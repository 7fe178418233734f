import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { Digest } from '../../runtime/base/digest.ts'
import { memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import { EPOCH_LEAP_MAX } from '../../runtime/base/limits.ts'
import type { ProposedEpoch } from '../../runtime/gateway/epoch-file.ts'
import type { Seed } from '../../runtime/device/identity/seed.ts'
import { readSeed } from '../../runtime/gateway/fleet.ts'
import { verifySignature } from '../../runtime/device/identity/keys.ts'
import {
  assertAsked,
  createFleetFolder,
  createSeed,
  type FleetFolder,
  lastSignedEpoch,
  openFleetFolder,
  signEpoch,
} from '../../runtime/gateway/fleet-folder.ts'
import { epochDigest, epochPayload } from '../../runtime/sync/epoch.ts'

const A = '0a00000000000001' as NodeId
const B = '0b00000000000001' as NodeId
const C = '0c00000000000001' as NodeId
const TOKEN = '15365febdf223161' as Digest
const draft = { member: memberIdOf(C, 7), tier: 1, key: new Uint8Array(32).fill(1), grant: new Uint8Array() }
const NOTHING = { retire: [], replace: [], revoke: [] }

describe('the folder of a fleet', () => {
  it('signs epochs that the fleet verifies, and remembers the last', (t) => {
    const folder = folderOf(t)
    assert.equal(lastSignedEpoch(folder), null)
    const proposed = { ...epoch(1, [memberIdOf(B, 0)]), revoked: [TOKEN], admitted: [draft] }
    const signed = signEpoch(folder, proposed)
    assert.ok(verifySignature(folder.facts.operator, epochPayload(folder.facts.id, signed), signed.signature))
    assert.deepEqual({ ...signed, admitted: [draft] }, { ...proposed, signature: signed.signature })
    assert.deepEqual(lastSignedEpoch(openFleetFolder(folder.path)), signed)
  })

  it('puts the newest epoch that it has signed into the seeds that it makes from then on', (t) => {
    const folder = folderOf(t)
    const token = { tier: 0, role: 'gateway', uses: 1, days: 1, now: 0 } as const
    const made = (name: string): Seed => {
      const file = join(folder.path, name)
      createSeed(folder, { file, links: [], token })
      return readSeed(file)
    }
    assert.equal(made('before.seed').epoch, null)
    const epochs = [1, 2].map((number) => signEpoch(folder, epoch(number, [memberIdOf(B, 0)])))
    assert.deepEqual(made('after.seed').epoch, { number: 2, digest: epochDigest(epochs[1]!) })
  })

  const member = memberIdOf(B, 0)
  const cases: readonly (readonly [what: string, proposed: ProposedEpoch, asked: object, reason: RegExp])[] = [
    ['retires somebody else', epoch(2, [member, memberIdOf(C, 0)]), { retire: [B] }, /also speaks of 0c0+1\.0+,/],
    [
      'revokes a token',
      { ...epoch(2, [member]), revoked: [TOKEN], admitted: [] },
      { retire: [B] },
      /also speaks of 1536/,
    ],
    [
      'lets somebody in',
      { ...epoch(2, [member]), revoked: [], admitted: [draft] },
      { retire: [B] },
      /also speaks of 0c/,
    ],
    ['is forced', { ...epoch(2, [member]), isForced: true }, { retire: [B] }, /is forced in favour of others/],
    [
      'is forced for somebody else',
      { ...epoch(2, [member]), isForced: true },
      { retire: [B], force: [C] },
      /is forced in favour of others/,
    ],
    ['forgets who was retired', epoch(2, []), { retire: [B] }, /takes back that 0b0+1\.0+ was retired/],
    [
      'lets a new life of somebody in who was only to be retired',
      { ...epoch(2, [member, memberIdOf(C, 0)]), revoked: [], admitted: [draft] },
      { retire: [C] },
      /also speaks of 0c0+1\.0+7,/,
    ],
    ['retires nobody', epoch(2, [member]), { retire: [C] }, /says nothing of 0c0+1,/],
    ['revokes nothing', epoch(2, [member]), { revoke: [TOKEN] }, /says nothing of 1536/],
    ['leaps over the numbers that others need', epoch(2 ** 53 - 1, [member]), { retire: [B] }, /has number 9007/],
    ['counts whom it retires', { ...epoch(2, [member]), counting: [member] }, { retire: [B] }, /counts and is retired/],
    ['has a number that was signed', epoch(1, [member]), { retire: [B] }, /epoch 1 was signed here already/],
  ]
  for (const [what, proposed, asked, reason] of cases) {
    it(`signs nothing that ${what} when a gateway slips it in`, (t) => {
      const folder = folderOf(t)
      const { id } = folder.facts
      signEpoch(folder, epoch(1, [memberIdOf(B, 0)]))
      assert.throws(() => assertAsked(folder, { fleet: id, epoch: proposed }, { ...NOTHING, ...asked }), {
        code: 'operation-refused',
        message: reason,
      })
    })
  }

  it('signs all of that when it was asked for', (t) => {
    const folder = folderOf(t)
    signEpoch(folder, epoch(1, [memberIdOf(B, 0)]))
    const proposed = {
      ...epoch(2, [member, memberIdOf(C, 0)]),
      isForced: true,
      revoked: [TOKEN],
      admitted: [draft],
    } as const
    const asked = { retire: [B], replace: [C], revoke: [TOKEN], force: [A] }
    assertAsked(folder, { fleet: folder.facts.id, epoch: proposed }, asked)
    assertAsked(folder, { fleet: folder.facts.id, epoch: proposed }, { ...asked, replace: [draft.member] })
  })

  it('takes back no revocation, also where a person has read it: gateways that missed one epoch would believe it', (t) => {
    const folder = folderOf(t)
    signEpoch(folder, { ...epoch(1, []), revoked: [TOKEN], admitted: [] })
    for (const asked of [null, { ...NOTHING, retire: [B] }])
      assert.throws(() => assertAsked(folder, { fleet: folder.facts.id, epoch: epoch(2, [member]) }, asked), {
        code: 'operation-refused',
        message: /takes back that 15365febdf223161 was revoked/,
      })
  })

  it('signs no number so high that soon none is left', (t) => {
    const folder = folderOf(t)
    const signs = (number: number) => (): void =>
      assertAsked(folder, { fleet: folder.facts.id, epoch: epoch(number, [member]) }, null)
    assert.throws(signs(EPOCH_LEAP_MAX + 1), /has number 1001 and the last that was signed here 0/)
    signs(EPOCH_LEAP_MAX)()
  })

  it('names the file of what was signed and not handed over', (t) => {
    const folder = folderOf(t)
    signEpoch(folder, epoch(1, []))
    assert.throws(
      () => assertAsked(folder, { fleet: folder.facts.id, epoch: epoch(1, [member]) }, null),
      new RegExp(`fleetstep fleet apply ${folder.path}/epoch-1\\.json$`),
    )
  })

  it('lets nobody in as an operator unless that was said, and gives no other role than was signed before', (t) => {
    const folder = folderOf(t)
    const { id: fleet } = folder.facts
    const asOperator = { ...epoch(1, []), admitted: [{ ...draft, role: 'operator' as const }] }
    const asked = { ...NOTHING, replace: [C] }
    assert.throws(() => assertAsked(folder, { fleet, epoch: asOperator }, asked), /as an operator.*say --operator/)
    assertAsked(folder, { fleet, epoch: asOperator }, { ...asked, mayBeOperators: true })
    signEpoch(folder, { ...epoch(1, []), admitted: [draft] })
    const later = { ...asOperator, number: 2 }
    assert.throws(() => assertAsked(folder, { fleet, epoch: later }, asked), /as an operator/)
    assert.throws(
      () => assertAsked(folder, { fleet, epoch: later }, { ...NOTHING, mayBeOperators: true }),
      /not asked for/,
    )
    assertAsked(folder, { fleet, epoch: { ...epoch(2, []), admitted: [draft] } }, NOTHING)
  })

  it('signs nothing for another fleet', (t) => {
    const folder = folderOf(t)
    assert.throws(
      () => assertAsked(folder, { fleet: TOKEN, epoch: epoch(1, []) }, null),
      /it is of fleet 15365febdf223161/,
    )
  })
})

function folderOf(t: TestContext): FleetFolder {
  const place = mkdtempSync(join(tmpdir(), 'fleetstep-folder-'))
  t.after(() => rmSync(place, { recursive: true }))
  return createFleetFolder({ path: join(place, 'plant'), name: 'plant', founder: { node: A, tier: 0 } })
}

function epoch(number: number, retired: ProposedEpoch['retired']): ProposedEpoch {
  return { number, counting: [memberIdOf(A, 0)], retired }
}
