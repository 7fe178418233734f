import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { memberIdOf } from '../../runtime/base/ids.ts'
import { type Logger, silentLogger } from '../../runtime/base/logger.ts'
import { readProfileText } from '../../runtime/device/profiles/document.ts'
import { enforceProfile } from '../../runtime/gateway/fleet-profiles.ts'
import type { Gateway } from '../../runtime/gateway/gateway.ts'
import { ProfileKeeper } from '../../runtime/gateway/profile-keeper.ts'
import { profileOffers } from '../../runtime/gateway/profile-offers.ts'
import { ProfilePart } from '../../runtime/gateway/profile-part.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { drivenClock } from '../device/driven-clock.ts'
import { profileText } from '../device/profile-text.ts'
import { openAlone } from './fleet.ts'

const NINE = profileText('valueType: Uint8, readWrite: RW, maximum: 9')
const EIGHT = profileText('valueType: Uint8, readWrite: RW, maximum: 8')

function partOf(
  gateway: Gateway,
  logger: Logger = silentLogger,
): {
  part: ProfilePart
  clock: ReturnType<typeof drivenClock>
  save: (text: string) => void
} {
  let text = NINE
  const clock = drivenClock()
  const keeper = new ProfileKeeper({
    file: 'mine.yaml',
    read: (file) => ({ file, text, reading: readProfileText(text) }),
    watch: () => () => undefined,
    clock,
    logger: silentLogger,
  })
  gateway.useProfile(keeper.current.profile)
  return { part: new ProfilePart(gateway, keeper, clock, logger), clock, save: (next) => (text = next) }
}

/** A gateway that may not set rules until it is told so. */
async function refusing(
  t: TestContext,
): Promise<{ gateway: Gateway; allow: () => void; tell: (output: Output) => void }> {
  const real = await openAlone(t, { device: 'pump' })
  let isAllowed = false
  let tell: (output: Output) => void = () => undefined
  const profiles = {
    list: () => real.profiles.list(),
    mayApply: () => isAllowed,
    misfits: (device: string) => real.profiles.misfits(device),
    apply: (...words: Parameters<Gateway['profiles']['apply']>) => {
      if (isAllowed) return real.profiles.apply(...words)
      throw new FleetstepError('operation-refused', 'this node may not set the rules of pump')
    },
  }
  const gateway = Object.create(real, {
    profiles: { value: profiles },
    observe: { value: (observer: (output: Output) => void) => ((tell = observer), () => undefined) },
    useProfile: { value: real.useProfile.bind(real) },
  }) as Gateway
  return { gateway, allow: () => (isAllowed = true), tell: (output) => tell(output) }
}

describe('the profile of a gateway in its fleet', () => {
  it('stands in the state from the start, and is replaced with its file', async (t) => {
    const gateway = await openAlone(t, { device: 'pump' })
    const { part, save } = partOf(gateway)
    const [first] = gateway.profiles.list()
    assert.deepEqual([first?.device, first?.rules.profile.digest], ['pump', part.status().hash])
    gateway.state.set('pump/point', 9)
    const seen: unknown[] = []
    part.observe(({ profile }) => seen.push(gateway.profile === profile, gateway.profiles.list().length))
    save(EIGHT)
    const { differences, misfits, fleet } = part.apply()
    assert.deepEqual(differences, [{ what: 'point.properties.maximum', before: 9, after: 8 }])
    assert.deepEqual(misfits, [{ path: 'pump/point', value: 9, reason: 'must be from 0 to 8 (Uint8), but is 9' }])
    assert.equal(fleet.kind, 'in-state')
    assert.deepEqual(seen, [true, 1], 'the gateway has it before others are told')
    assert.equal(gateway.profiles.list()[0]?.rules.profile.digest, part.status().hash)
    assert.throws(() => gateway.state.set('pump/point', 9), { code: 'operation-invalid' })
  })

  it('is not said again where it stands already', async (t) => {
    const gateway = await openAlone(t, { device: 'pump' })
    const { part } = partOf(gateway)
    const [before] = gateway.profiles.list()
    assert.deepEqual(part.apply().differences, [])
    partOf(gateway)
    assert.deepEqual(gateway.profiles.list()[0]?.by, before?.by)
  })

  it('is offered to an operator where the gateway may not set it, and checked by it alone meanwhile', async (t) => {
    const { gateway } = await refusing(t)
    const { part } = partOf(gateway)
    assert.deepEqual(part.status().fleet, {
      kind: 'refused',
      reason:
        'in a fleet with keys an operator puts it in force: fleetstep profile apply --offered on a node of theirs',
    })
    assert.deepEqual(
      profileOffers(gateway).map(({ device, points }) => [device, points]),
      [['pump', 1]],
    )
    assert.throws(() => gateway.state.set('pump/point', 10), { code: 'operation-invalid' })
  })

  it('is set as soon as the gateway is a member that may', async (t) => {
    const { gateway, allow, tell } = await refusing(t)
    const { part, clock } = partOf(gateway)
    allow()
    tell({ kind: 'standing', member: memberIdOf(gateway.node, 0), draftReason: null })
    assert.equal(part.status().fleet.kind, 'refused', 'not while the output is given out')
    clock.advance(0)
    assert.equal(part.status().fleet.kind, 'in-state')
    assert.equal(gateway.state.get(`profile-offers/${gateway.node}`), undefined, 'nothing is offered any more')
  })

  it('is said to be replaced when another member has set another one, until it is applied again', async (t) => {
    const gateway = await openAlone(t, { device: 'pump' })
    const warnings: string[] = []
    const { part } = partOf(gateway, { ...silentLogger, warn: (message) => void warnings.push(message) })
    const eight = readProfileText(EIGHT)
    assert.ok(eight.kind === 'accepted')
    enforceProfile(gateway, eight.profile)
    assert.match(warnings.join(), /another member has set another profile for this device/)
    assert.equal(part.status().fleet.kind, 'refused')
    assert.equal(part.apply().fleet.kind, 'in-state')
    assert.equal(gateway.profiles.list()[0]?.rules.profile.digest, part.status().hash)
    assert.equal(warnings.length, 1, 'what the gateway itself sets is no surprise')
  })

  it('is in force as soon as an operator has set the same one', async (t) => {
    const { gateway, allow } = await refusing(t)
    const { part } = partOf(gateway)
    assert.equal(part.status().fleet.kind, 'refused')
    allow()
    partOf(gateway)
    assert.equal(part.status().fleet.kind, 'in-state')
  })
})
