import type { NodeId } from '../../runtime/base/ids.ts'
import { fraction, type Random, seededRandom } from '../../runtime/base/random.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { EventLog } from './event-log.ts'
import { nameOf, SimulatedFleet } from './fleet.ts'
import { check } from './invariants.ts'
import { type Domain, NO_FAULTS } from './network.ts'
import type { SimulatedNode } from './node.ts'
import { below, chance, drawSwarm, pick, type Swarm } from './swarm.ts'
import { cause } from './troubles.ts'
import { COUNTER, drawRequest } from './workload.ts'

/** What a schedule came to, for the totals. */
export interface ScheduleResult {
  readonly swarm: Swarm
  readonly operations: number
  readonly conflicts: number
  readonly crashes: number
  readonly simulatedMs: number
}

/** Time in which a healed fleet must converge: a few of the longest intervals of announcements and of requests. */
const CONVERGENCE_MS_MAX = 400_000

/**
 * One schedule, all of it drawn from its seed: a fault phase, then a liveness phase in which the fleet must converge.
 * @throws whatever invariant does not hold
 */
export function runSchedule(seed: number, log: EventLog | null): ScheduleResult {
  const random = seededRandom(seed)
  const swarm = drawSwarm(random)
  const genesis = drawGenesis(random, swarm.nodes)
  log?.add(0, '', 'swarm', null, JSON.stringify(swarm))
  const fleet = new SimulatedFleet({
    genesis,
    random,
    faults: swarm.faults,
    domains: domainsOf(genesis, swarm.relays),
    snapshotJournalBytes: swarm.snapshotJournalBytes,
    log,
  })
  equip(fleet, swarm)
  faultPhase(fleet, swarm)
  livenessPhase(fleet)
  return {
    swarm,
    operations: fleet.witness.operations.size,
    conflicts: fleet.nodes[0]?.replica.conflicts().length ?? 0,
    crashes: fleet.witness.crashes,
    simulatedMs: fleet.now,
  }
}

/** Tiers are drawn, so that any node may be the first. */
function drawGenesis(random: Random, count: number): Genesis {
  const founders = Array.from({ length: count }, (_, index) => ({
    node: `${(0x0a + index).toString(16).padStart(2, '0')}00000000000001` as NodeId,
    tier: below(random, 3),
  }))
  return { name: 'simulated', founders }
}

/** The first nodes are the relays; the others stand on one side or on the other. */
function domainsOf(genesis: Genesis, relays: number): Domain[] | null {
  if (relays === 0) return null
  const names = genesis.founders.map(({ node }) => nameOf(node))
  const shared = names.slice(0, relays)
  const others = names.slice(relays)
  return [
    { link: 'air', nodes: [...shared, ...others.filter((_, index) => index % 2 === 0)] },
    { link: 'wire', nodes: [...shared, ...others.filter((_, index) => index % 2 === 1)] },
  ]
}

function equip(fleet: SimulatedFleet, swarm: Swarm): void {
  for (const node of fleet.nodes) {
    node.syncDelayMs = swarm.syncDelayMs
    if (swarm.clocksDrift) node.clock.setRate(0.5 + 1.5 * fraction(fleet.random), fleet.now)
  }
  if (swarm.slownessMs > 0) pick(fleet.random, fleet.nodes).slownessMs = swarm.slownessMs
}

function faultPhase(fleet: SimulatedFleet, swarm: Swarm): void {
  const { random } = fleet
  const issuers = fleet.nodes.slice(0, swarm.issuers)
  const absent = swarm.absence === 'none' ? null : highest(fleet)
  if (swarm.absence === 'off' && absent !== null) fleet.crash(absent)
  let troubleAt = fleet.now
  for (let request = 0; request < swarm.requests; request++) {
    if (fleet.now >= troubleAt) {
      cause(pick(random, swarm.troubles), fleet, absent)
      if (swarm.absence === 'cut-off' && absent !== null) isolate(fleet, absent)
      troubleAt = fleet.now + 2 * swarm.troubleEveryMs * fraction(random)
    }
    const issuer = pick(random, issuers)
    if (issuer.isUp) fleet.issue(issuer, drawRequest(random, swarm.paths), swarm.commitWithinMs * below(random, 2))
    fleet.run(2 * swarm.issueEveryMs * fraction(random))
    if (chance(random, 0.05)) checkHeld(fleet, pick(random, fleet.nodes))
  }
}

/** Everything is mended: whatever was told durable must now come to everybody, and the floor to the end. */
function livenessPhase(fleet: SimulatedFleet): void {
  fleet.log?.add(fleet.now, '', 'liveness', null, '')
  fleet.network.faults = { ...NO_FAULTS, delayMs: 5 }
  for (const node of fleet.nodes) {
    node.syncDelayMs = Math.min(node.syncDelayMs, 5)
    node.slownessMs = 0
    node.outputsToCrash = null
    fleet.restart(node)
    fleet.raiseLinks(node)
  }
  fleet.heal()
  const until = fleet.now + CONVERGENCE_MS_MAX
  while (obstacle(fleet) !== null && fleet.now < until) fleet.run(1000)
  check('liveness', obstacle(fleet) === null, () => obstacle(fleet) ?? '')
  checkConverged(fleet)
}

/** Why the fleet has not converged, or null. */
function obstacle(fleet: SimulatedFleet): string | null {
  let stage: number | null = null
  for (const { name, replica } of fleet.nodes) {
    const view = replica.inspect(fleet.now)
    stage ??= view.last.stage
    if (view.status !== 'member') return `${name} is a ${view.status}: ${view.draftReason}`
    if (view.waitingList.length > 0) return `${name} waits for ${view.waitingList[0]?.waitsFor}`
    if (view.outboxLength > 0) return `${name} has ${view.outboxLength} operations that are not sealed`
    if (view.journalLength > 0)
      return `${name} has ${view.journalLength} operations above its floor ${view.floor}: ${JSON.stringify(view.floorHold)}`
    if (view.last.stage !== stage) return `${name} stands at stage ${view.last.stage} and another at ${stage}`
  }
  return null
}

function checkConverged(fleet: SimulatedFleet): void {
  let sum = 0
  for (const { writes } of fleet.witness.operations.values()) {
    for (const { path, argument } of writes) if (path === COUNTER) sum += Number(argument)
  }
  for (const node of fleet.nodes) {
    fleet.witness.noteFloor(node)
    fleet.witness.checkComplete(node)
    fleet.witness.checkAgainstReference(node)
    const counted = node.replica.get(COUNTER) ?? 0
    check('counters', counted === sum, () => `${node.name} counts ${JSON.stringify(counted)}, and ${sum} were added`)
  }
}

function checkHeld(fleet: SimulatedFleet, node: SimulatedNode): void {
  if (node.isUp) fleet.witness.checkAgainstReference(node)
}

function highest(fleet: SimulatedFleet): SimulatedNode {
  const [first] = [...fleet.genesis.founders].sort(
    (left, right) => right.tier - left.tier || (left.node < right.node ? 1 : -1),
  )
  return fleet.node(nameOf(first!.node))
}

function isolate(fleet: SimulatedFleet, node: SimulatedNode): void {
  fleet.network.partition(
    [node.name],
    fleet.nodes.filter((other) => other !== node).map(({ name }) => name),
  )
}
