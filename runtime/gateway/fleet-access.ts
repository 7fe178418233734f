import type { Clock } from '../base/clock.ts'
import type { Digest } from '../base/digest.ts'
import { FleetstepError } from '../base/errors.ts'
import { isMemberId, isNodeId, type MemberId, type NodeId, nodeOf } from '../base/ids.ts'
import { EPOCH_STORED_POLL_MS } from '../base/limits.ts'
import { marked } from '../state/role.ts'
import { type AdmittedDraft, type Epoch, NO_CHANGE } from '../sync/epoch.ts'
import { fromHex } from '../base/bytes.ts'
import type { Inspection } from '../sync/inspection.ts'
import type { Replica } from '../sync/replica.ts'
import type { EpochDocument, ProposedEpoch } from './epoch-file.ts'
import type { Pump } from './pump.ts'

/** What the operator wants of the next epoch. Nodes and members by their ids. */
export interface EpochChange {
  /** Whose member ids are retired. */
  readonly retire: readonly string[]
  /** Nodes whose draft is let in without a token; what they were a member as before is retired. */
  readonly replace: readonly string[]
  /** Enrolment tokens that hold no more. */
  readonly revoke: readonly Digest[]
  /** Who shall count where nobody is left who does; empty unless it is forced. */
  readonly force: readonly string[]
}

/** Epochs: what the operator is to sign, and what has been signed. */
export class FleetAccess {
  readonly #replica: Replica
  readonly #pump: Pump
  readonly #clock: Clock

  constructor(replica: Replica, pump: Pump, clock: Clock) {
    this.#replica = replica
    this.#pump = pump
    this.#clock = clock
  }

  /** @throws FleetstepError `operation-refused`, `path-unknown`, `limit-reached` */
  propose({ retire, replace, revoke, force }: EpochChange): EpochDocument<ProposedEpoch> {
    const view = this.#replica.inspect(this.#clock.now())
    const members = retire.flatMap((name) => membersCalled(name, view))
    const drafts = replace.map((name) => draftOf(name, view))
    // Of two copies of a card that were both let in, the one that still asks stays.
    const replaced = drafts.flatMap(({ member }) => standing(nodeOf(member), view).filter((id) => id !== member))
    const enrolment = revoke.length + drafts.length === 0 ? NO_CHANGE : { revoke, admit: drafts }
    const all = [...members, ...replaced]
    const counting = force.flatMap((name) => membersCalled(name, view))
    const epoch =
      counting.length > 0
        ? this.#replica.forceEpoch(all, counting, enrolment)
        : this.#replica.proposeEpoch(all, enrolment)
    if (epoch.counting.length > 0) return { fleet: this.#replica.fleet, epoch }
    throw new FleetstepError(
      'operation-refused',
      'nobody would be left who counts: name members that are to count with --force; what only others hold is lost then',
    )
  }

  /**
   * Takes in what the operator has signed; it goes on to the others from here. Resolves when it is on the disk.
   * @throws FleetstepError `operation-refused`
   */
  async take({ fleet, epoch }: EpochDocument): Promise<void> {
    if (fleet !== this.#replica.fleet)
      throw new FleetstepError('operation-refused', `epoch ${epoch.number} is of fleet ${fleet}, not of this one`)
    const problem = this.#replica.problemOfEpoch(epoch)
    if (problem !== null)
      throw new FleetstepError('operation-refused', `epoch ${epoch.number} was not taken in: ${problem}`)
    this.#pump.takeEpoch(epoch)
    while (!this.#isStored(epoch)) await this.#pause()
  }

  #isStored({ number }: Epoch): boolean {
    const { epoch } = this.#replica.inspect(this.#clock.now())
    return epoch.number > number || (epoch.number === number && epoch.isStored)
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.schedule(this.#clock.now() + EPOCH_STORED_POLL_MS, resolve))
  }
}

/** A member id, or those of a node that are not retired. */
function membersCalled(name: string, view: Inspection): MemberId[] {
  if (isMemberId(name)) return [name]
  if (!isNodeId(name))
    throw new FleetstepError('request-invalid', `${name} is no node id: fleetstep fleet members lists them`)
  const members = standing(name, view)
  if (members.length > 0) return members
  throw new FleetstepError('path-unknown', `node ${name} is no member here: fleetstep fleet members lists them`)
}

function standing(node: NodeId, { members }: Inspection): MemberId[] {
  return members.filter((line) => nodeOf(line.member) === node && !line.isRetired).map(({ member }) => member)
}

/**
 * The newest draft of a node that has asked to join here. Whoever reaches a link can ask in the name of any node, with a key of his
 * own: of several keys nobody here knows which one is meant.
 */
function draftOf(name: string, { candidates, members, epoch }: Inspection): AdmittedDraft {
  const asking = candidates.filter(({ member }) => member === name || nodeOf(member) === name)
  const drafts = asking.filter(({ member }) => !epoch.retired.includes(member))
  const draft = drafts.at(-1)
  if (draft === undefined) {
    throw new FleetstepError(
      'path-unknown',
      `node ${name} has not asked this gateway to join and been refused, or has joined meanwhile: start it, then try again`,
    )
  }
  if (new Set(drafts.map(({ key }) => key)).size > 1) throw severalKeys(name, drafts)
  const { member, tier, role, key } = draft
  const known = members.find((line) => line.member === member)
  if (known !== undefined && known.key !== key) {
    const problem = `another key is bound to ${member}: retire it with fleetstep fleet retire, then the node asks anew`
    throw new FleetstepError('operation-refused', problem)
  }
  // The grant comes with the operator's signature.
  return { member, tier, ...marked(role), key: fromHex(key), grant: new Uint8Array() }
}

function severalKeys(name: string, drafts: Inspection['candidates']): FleetstepError {
  const keys = new Map(drafts.map((draft) => [draft.key, draft]))
  const shown = [...keys.values()].map(({ member, key }) => `${member} with key ${key.slice(0, 16)}`).join(', ')
  const advice = 'name the member id that fleetstep status --json on that node has as self, or make it a new seed'
  return new FleetstepError('operation-refused', `${keys.size} keys ask to join as ${name}: ${shown}; ${advice}`)
}
