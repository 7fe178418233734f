import { type Digest, EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { formatOperationId, type MemberId, memberIdOf, type NodeId, type OperationId } from '../../runtime/base/ids.ts'
import { compareCanonically, type Join, pathsMet, pathsOf, type Write } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import { priorityOf } from '../../runtime/state/priority.ts'
import { sealBatch } from '../../runtime/sync/batch-codec.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { Batch, SyncMessage } from '../../runtime/sync/message.ts'
import type { VersionEntry } from '../../runtime/sync/version-vector.ts'
import type { Scenario, ScenarioOperation } from './scenario.ts'

/** Turns the names of a scenario into ids, and its operations into batches of one with the right chain links. */
export class ScenarioFrames {
  readonly #scenario: Scenario
  readonly #names = new Map<string, string>()
  readonly #batches = new Map<string, Batch>()

  constructor(scenario: Scenario) {
    this.#scenario = scenario
    for (const name of Object.keys(scenario.ops)) {
      const key = formatOperationId(this.idOf(name))
      const other = this.#names.get(key)
      if (other !== undefined) throw new Error(`scenario ${scenario.name}: ${name} and ${other} have one id`)
      this.#names.set(key, name)
    }
  }

  genesis(): Genesis {
    const { nodes, founders = Object.keys(nodes) } = this.#scenario
    return {
      name: 'vectors',
      founders: founders.map((name) => ({ node: this.#nodeId(name), tier: this.#node(name).tier })),
    }
  }

  /** @param life 1 for the first member id of the node */
  memberOf(node: string, life: number = 1): MemberId {
    return memberIdOf(this.#nodeId(node), life - 1)
  }

  nodeName(member: MemberId): string {
    const found = Object.keys(this.#scenario.nodes).find((name) => member.startsWith(this.#nodeId(name)))
    return found ?? member
  }

  idOf(name: string): OperationId {
    const { by, member, seq } = this.#operation(name)
    return { member: this.memberOf(by, member), seq }
  }

  /** The name of an operation id, given as text; the text itself if the scenario has none for it. */
  nameOf(id: string): string {
    return this.#names.get(id) ?? id
  }

  isBefore(left: string, right: string): boolean {
    return compareCanonically(this.#messageOf(left).current, this.#messageOf(right).current) < 0
  }

  batchOf(name: string): Batch {
    let batch = this.#batches.get(name)
    if (batch === undefined) {
      const message = this.#messageOf(name)
      batch = sealBatch(message.current.id.member, this.#linkOf(message.current.id), [message])
      this.#batches.set(name, batch)
    }
    return batch
  }

  /** The last operation of `member` that has at most this seq and this stage, as an entry of a version vector. */
  entryOf(member: MemberId, seqMax: number, stageMax: number): VersionEntry {
    let entry: VersionEntry = { member, seq: 0, digest: EMPTY_DIGEST }
    for (const [name, { stage }] of Object.entries(this.#scenario.ops)) {
      const { member: origin, seq } = this.idOf(name)
      if (origin !== member || seq > seqMax || stage > stageMax || seq < entry.seq) continue
      entry = { member, seq, digest: this.batchOf(name).digest }
    }
    return entry
  }

  #linkOf(id: OperationId): Digest {
    if (id.seq === 1) return EMPTY_DIGEST
    const before = this.#names.get(formatOperationId({ member: id.member, seq: id.seq - 1 }))
    if (before === undefined) throw new Error(`scenario ${this.#scenario.name}: nothing stands before ${id.seq}`)
    return this.batchOf(before).digest
  }

  #messageOf(name: string): SyncMessage {
    const operation = this.#operation(name)
    const id = this.idOf(name)
    const writes = (operation.writes ?? []).map(([path, kind, argument = null, replaces = null]): Write => {
      return { path: path as Path, kind, argument, replaces: replaces === null ? null : this.idOf(replaces) }
    })
    const guards = (operation.guards ?? []).map(([path, comparison, value]) => {
      return { path: path as Path, comparison, value }
    })
    const join = operation.join === undefined ? null : this.#joinOf(operation.join)
    return {
      current: {
        id,
        stage: operation.stage,
        floor: operation.floor,
        priority: priorityOf(id.member, this.#node(operation.by).tier),
        writes,
        guards,
        join,
        original: null,
        paths: pathsMet(pathsOf(writes, guards), id.member, join, null),
      },
      previous:
        operation.prev === 'genesis'
          ? { id: null, stage: 0 }
          : { id: this.idOf(operation.prev), stage: this.#operation(operation.prev).stage },
    }
  }

  /** A join admits the second member id of a node. */
  #joinOf(node: string): Join {
    return { member: this.memberOf(node, 2), tier: this.#node(node).tier, key: new Uint8Array() }
  }

  #operation(name: string): ScenarioOperation {
    const operation = this.#scenario.ops[name]
    if (operation === undefined) throw new Error(`scenario ${this.#scenario.name}: ${name} is no operation`)
    return operation
  }

  #node(name: string): Scenario['nodes'][string] {
    const node = this.#scenario.nodes[name]
    if (node === undefined) throw new Error(`scenario ${this.#scenario.name}: ${name} is no node`)
    return node
  }

  #nodeId(name: string): NodeId {
    return this.#node(name).id as NodeId
  }
}
