import type { MemberId } from '../../runtime/base/ids.ts'
import type { Inspection } from '../../runtime/sync/inspection.ts'
import { check } from './check.ts'
import type { SimulatedFleet } from './fleet.ts'
import { NO_FAULTS } from './network.ts'
import type { SimulatedNode } from './node.ts'
import { abandonedLives } from './operator.ts'
import { chance } from './swarm.ts'

/** How a schedule ends. `forced`: converged, but only with an epoch that was forced; `nobody`: no member is left. */
export type Ending = 'converged' | 'forced' | 'nobody'

/** Time in which a healed fleet must converge: a few of the longest intervals of announcements, requests and joins. */
const CONVERGENCE_MS_MAX = 600_000
/** How often people look after the fleet. */
const ROUND_MS = 1000
const ROUNDS_TO_OPERATOR = 8

/** Everything is mended: whatever was told durable must come to everybody, and the floor to the end. */
export function bringToPeace(fleet: SimulatedFleet): Ending {
  mend(fleet)
  const until = fleet.now + CONVERGENCE_MS_MAX
  for (let round = 1; obstacle(fleet) !== null; round++) {
    check('liveness', fleet.now < until, () => obstacle(fleet) ?? '')
    fleet.run(ROUND_MS)
    if (round % ROUNDS_TO_OPERATOR === 0 && !lookAfter(fleet)) return 'nobody'
  }
  checkConverged(fleet)
  return fleet.witness.allowances.isForced ? 'forced' : 'converged'
}

function mend(fleet: SimulatedFleet): void {
  fleet.log?.add(fleet.now, '', 'liveness', null, '')
  fleet.network.faults = { ...NO_FAULTS, delayMs: 5 }
  for (const node of fleet.nodes) {
    node.syncDelayMs = Math.min(node.syncDelayMs, 5)
    node.slownessMs = 0
    node.outputsToCrash = null
    node.freeDisk()
    fleet.restart(node)
    fleet.raiseLinks(node)
  }
  fleet.heal()
}

/**
 * What the operator does: takes the second of two clones out of service, retires the lives that nobody leads any more (a
 * machine that is gone, a card that was flashed anew, a late join that brought one back), and ends a conflict of epochs.
 * Where nobody is left who counts it forces an epoch.
 * @returns false if no member is left
 */
function lookAfter(fleet: SimulatedFleet): boolean {
  layCable(fleet)
  const members = living(fleet).filter((node) => statusOf(node) === 'member')
  if (members.length === 0) return false
  for (const node of living(fleet)) {
    const isDouble = living(fleet).some((other) => other !== node && other.node === node.node)
    if (isDouble && statusOf(node) === 'draft' && members.some((other) => other.node === node.node)) fleet.destroy(node)
  }
  const at = mostTrusted(fleet, members)
  if (at === undefined) return false
  const abandoned = abandonedLives(at.replica.inspect(fleet.now), fleet.nodes)
  const isInConflict = fleet.witness.allowances.hasTwoOperators && areEpochsApart(fleet)
  if (abandoned.length === 0 && !isInConflict) return true
  if (!fleet.operator.retire(at, abandoned)) force(fleet, members, abandoned)
  return true
}

/** All that still work and that the most trusted one knows count from now on, or that one alone. */
function force(fleet: SimulatedFleet, members: readonly SimulatedNode[], abandoned: readonly MemberId[]): void {
  const { random, operator } = fleet
  const unretired = members.filter(({ member }) => !operator.hasRetired(member))
  // The word of a second operator may have gone with the machine that heard it.
  const left = unretired.length === 0 && fleet.witness.allowances.hasTwoOperators ? members : unretired
  const at = mostTrusted(fleet, left)
  // They have been retired and will hear of it.
  if (at === undefined) return
  const known = new Set(at.replica.inspect(0).members.flatMap((line) => (line.isRetired ? [] : [line.member])))
  const counting = (chance(random, 0.5) ? [at] : left).filter(({ member }) => known.has(member))
  // It is about to become a draft.
  if (counting.length === 0) return
  const names = counting.map(({ name }) => name).join(' ')
  fleet.log?.add(fleet.now, at.name, 'force', null, `${names} count from now on`)
  fleet.witness.noteForced(counting)
  operator.force(
    at,
    abandoned,
    counting.map(({ member }) => member),
  )
}

/** Where a relay is gone people connect everybody to one domain. */
function layCable(fleet: SimulatedFleet): void {
  const { network, nodes } = fleet
  if (!nodes.some(({ name, isGone }) => isGone && network.linksOf(name).length > 1)) return
  const [link] = network.links
  for (const node of living(fleet)) {
    if (link === undefined || network.linksOf(node.name).includes(link)) continue
    network.connect(node.name, link)
    fleet.raiseLinks(node)
  }
}

/** Why the fleet has not converged, or null. */
function obstacle(fleet: SimulatedFleet): string | null {
  let first: Inspection | null = null
  for (const { name, replica } of living(fleet)) {
    const view = replica.inspect(fleet.now)
    first ??= view
    if (view.status !== 'member') return `${name} is a ${view.status}: ${view.draftReason} (${view.refusal})`
    if (view.drafts > 0) return `${name} has ${view.drafts} drafts`
    if (view.waitingList.length > 0) return `${name} waits for ${view.waitingList[0]?.waitsFor}`
    if (view.outboxLength > 0) return `${name} has ${view.outboxLength} operations that are not sealed`
    if (view.journalLength > 0)
      return `${name} has ${view.journalLength} operations above its floor ${view.floor}: ${JSON.stringify(view.floorHold)}`
    if (view.floorDigest !== first.floorDigest)
      return `${name} has settled ${view.floor} stages as ${view.floorDigest}, and another as ${first.floorDigest}`
    if (view.epoch.number !== first.epoch.number) return `${name} knows epoch ${view.epoch.number} only`
  }
  return null
}

function checkConverged(fleet: SimulatedFleet): void {
  const nodes = living(fleet)
  const [first] = nodes
  for (const node of nodes) {
    fleet.witness.noteFloor(node)
    fleet.witness.checkAgainstReference(node)
    const [one, other] = [first?.replica.floor.digest, node.replica.floor.digest]
    check('I1', one === other, () => `${node.name} and ${first?.name} have converged to two states`)
  }
  fleet.witness.checkPromises(nodes)
}

function living(fleet: SimulatedFleet): SimulatedNode[] {
  return fleet.nodes.filter(({ isGone }) => !isGone)
}

function statusOf(node: SimulatedNode): 'member' | 'draft' {
  return node.replica.inspect(0).status
}

function epochOf(node: SimulatedNode): number {
  return node.replica.inspect(0).epoch.number
}

/** People go to whoever knows the newest epoch, and to a machine that was set back only if there is no other. */
function mostTrusted({ witness }: SimulatedFleet, members: readonly SimulatedNode[]): SimulatedNode | undefined {
  const trust = (node: SimulatedNode): number => epochOf(node) - (witness.allowances.isResumed(node.member) ? 1e6 : 0)
  return members.toSorted((left, right) => trust(right) - trust(left))[0]
}

function areEpochsApart(fleet: SimulatedFleet): boolean {
  return new Set(living(fleet).map(({ replica }) => JSON.stringify(replica.inspect(0).epoch.retired))).size > 1
}
