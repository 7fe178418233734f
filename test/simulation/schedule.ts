import { FleetstepError } from '../../runtime/base/errors.ts'
import type { NodeId } from '../../runtime/base/ids.ts'
import { fraction, type Random, seededRandom } from '../../runtime/base/random.ts'
import type { OperationRequest } from '../../runtime/state/operation.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { EventLog } from './event-log.ts'
import { nameOf, SimulatedFleet } from './fleet.ts'
import { InvariantBroken } from './check.ts'
import { bringToPeace, type Ending } from './liveness.ts'
import type { Domain } from './network.ts'
import type { SimulatedNode } from './node.ts'
import { below, chance, drawSwarm, type Focus, pick, type Swarm } from './swarm.ts'
import { RulesWorkload } from './rules-workload.ts'
import { withKeys } from './signing.ts'
import { Troubles } from './troubles.ts'
import { drawRequest } from './workload.ts'

/** What a schedule came to, for the totals. */
export interface ScheduleResult {
  readonly ending: Ending | 'two fleets'
  readonly troubles: readonly string[]
  readonly alarms: ReadonlyMap<string, number>
  readonly batches: number
  readonly conflicts: number
  readonly crashes: number
  readonly simulatedMs: number
}

/**
 * One schedule, all of it drawn from its seed: a fault phase, then a liveness phase in which the fleet must converge.
 * @throws whatever invariant does not hold
 */
export function runSchedule(seed: number, focus: Focus, log: EventLog | null): ScheduleResult {
  const random = seededRandom(seed)
  const swarm = drawSwarm(random, focus)
  // Rules are drawn apart, so that they change nothing in a schedule that has none.
  const rules = seed % 3 === 0 ? new RulesWorkload(seededRandom(seed + 1)) : null
  const founded = rules?.drawRoles(drawGenesis(random, swarm.founders), swarm) ?? drawGenesis(random, swarm.founders)
  const genesis = chance(seededRandom(seed + 3), 0.3) ? withKeys(founded) : founded
  log?.add(0, '', 'swarm', null, JSON.stringify(swarm))
  const fleet = new SimulatedFleet({
    genesis,
    random,
    faults: swarm.faults,
    domains: domainsOf(genesis, swarm.relays, chance(seededRandom(seed + 2), 0.5)),
    snapshotJournalBytes: swarm.snapshotJournalBytes,
    log,
  })
  equip(fleet, swarm)
  const mutes = chance(seededRandom(seed + 4), 0.2) ? seededRandom(seed + 4) : null
  const replays = chance(seededRandom(seed + 5), 0.2) ? seededRandom(seed + 5) : null
  const ending = play(fleet, swarm, { rules, mutes, replays })
  return {
    ending,
    troubles: swarm.troubles,
    alarms: fleet.witness.alarms,
    batches: fleet.witness.ledger.batches,
    conflicts: fleet.nodes[0]?.replica.conflicts().length ?? 0,
    crashes: fleet.witness.crashes,
    simulatedMs: fleet.now,
  }
}

/** What is drawn apart, so that it changes nothing in a schedule that has none of it; null for none. */
interface Apart {
  readonly rules: RulesWorkload | null
  /** Draws of whom messages of one kind are not heard. */
  readonly mutes: Random | null
  /** Draws what comes once more, long after it was sent. */
  readonly replays: Random | null
}

/** Where two operators have set two sides against each other, an alarm is all that is asked for. */
function play(fleet: SimulatedFleet, swarm: Swarm, apart: Apart): ScheduleResult['ending'] {
  const { allowances, alarms } = fleet.witness
  try {
    faultPhase(fleet, swarm, apart)
    return bringToPeace(fleet)
  } catch (error) {
    const isSaid = ['epoch-conflict', 'divergence', 'cut-below-floor'].some((alarm) => alarms.has(alarm))
    if (error instanceof InvariantBroken && allowances.hasTwoOperators && isSaid) return 'two fleets'
    throw error
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

/**
 * The first nodes are the relays, and the others stand on one side or on the other. Two relays join the same two domains, or
 * stand one behind the other, and then some of the others stand between them.
 */
function domainsOf(genesis: Genesis, relays: number, isChain: boolean): Domain[] | null {
  if (relays === 0) return null
  const names = genesis.founders.map(({ node }) => nameOf(node))
  const shared = names.slice(0, relays)
  const others = names.slice(relays)
  const links = relays > 1 && isChain ? ['air', 'wire', 'line'] : ['air', 'wire']
  return links.map((link, index) => {
    const joined = links.length === 2 ? shared : shared.slice(Math.max(0, index - 1), index + 1)
    return { link, nodes: [...joined, ...others.filter((_, other) => other % links.length === index)] }
  })
}

function equip(fleet: SimulatedFleet, swarm: Swarm): void {
  for (const node of fleet.nodes) {
    node.syncDelayMs = swarm.syncDelayMs
    if (swarm.clocksDrift) node.clock.setRate(0.5 + 1.5 * fraction(fleet.random), fleet.now)
  }
  if (swarm.slownessMs > 0) pick(fleet.random, fleet.nodes).slownessMs = swarm.slownessMs
}

function faultPhase(fleet: SimulatedFleet, swarm: Swarm, { rules, mutes, replays }: Apart): void {
  const { random } = fleet
  const silent = fleet.nodes.slice(swarm.issuers)
  const absent = swarm.absence === 'none' ? null : highest(fleet)
  const troubles = new Troubles(fleet, swarm, absent)
  if (swarm.absence === 'off' && absent !== null) fleet.crash(absent)
  let troubleAt = fleet.now
  for (let request = 0; request < swarm.requests; request++) {
    if (fleet.now >= troubleAt) {
      troubles.causeOne()
      if (swarm.absence === 'cut-off' && absent !== null) isolate(fleet, absent)
      troubleAt = fleet.now + 2 * swarm.troubleEveryMs * fraction(random)
    }
    if (mutes !== null && chance(mutes, 0.3)) mute(fleet, pick(mutes, fleet.nodes), mutes)
    if (replays !== null && chance(replays, 0.5)) replay(fleet, replays)
    const issuer = pick(
      random,
      fleet.nodes.filter((node) => !silent.includes(node)),
    )
    // The gateway refuses local changes while its disk is full.
    if (issuer.isUp && !issuer.disk.isFull) {
      const wanted = drawRequest(random, swarm.paths)
      attempt(fleet, issuer, rules?.draw(fleet, swarm.paths) ?? wanted, swarm.commitWithinMs * below(random, 2))
    }
    fleet.run(2 * swarm.issueEveryMs * fraction(random))
    const looked = pick(random, fleet.nodes)
    if (looked.isUp && chance(random, 0.05)) fleet.witness.checkAgainstReference(looked)
  }
}

/** Where rules or its role forbid it, or its journal is full, the gateway says so and nothing has happened. */
function attempt(
  fleet: SimulatedFleet,
  issuer: SimulatedNode,
  request: OperationRequest,
  commitWithinMs: number,
): void {
  try {
    fleet.issue(issuer, request, commitWithinMs)
  } catch (error) {
    if (!(error instanceof FleetstepError) || !FORBIDDEN.includes(error.code)) throw error
  }
}

const FORBIDDEN: readonly string[] = ['operation-refused', 'operation-invalid', 'path-unknown', 'limit-reached']

function highest(fleet: SimulatedFleet): SimulatedNode {
  const [first] = [...fleet.genesis.founders].sort(
    (left, right) => right.tier - left.tier || (left.node < right.node ? 1 : -1),
  )
  return fleet.node(nameOf(first!.node))
}

/** Or everybody is heard again. */
function mute({ network, log, now }: SimulatedFleet, { name }: SimulatedNode, random: Random): void {
  const kind = pick(random, MUTED)
  if (network.mute.size > 0) network.mute.clear()
  else network.mute.set(name, kind)
  log?.add(now, name, 'mute', null, network.mute.size > 0 ? `nobody hears a ${kind} of it` : 'all are heard again')
}

const MUTED = ['announcement', 'announcement', 'batch', 'request', 'epoch', 'offer', 'chunk', 'chunk-request'] as const

function replay({ network, log, now }: SimulatedFleet, random: Random): void {
  const link = pick(random, network.links)
  const kind = network.replay(link, random, now)
  log?.add(now, '', 'replay', null, `${kind ?? 'nothing'} on ${link}`)
}

function isolate(fleet: SimulatedFleet, node: SimulatedNode): void {
  fleet.network.partition(
    [node.name],
    fleet.nodes.filter((other) => other !== node).map(({ name }) => name),
  )
}
