import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import { type MemberId, memberIdOf, type NodeId, type OperationId } from '../../runtime/base/ids.ts'
import {
  type Join,
  type Operation,
  type Original,
  pathsMet,
  pathsOf,
  type Write,
} from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import { priorityOf } from '../../runtime/state/priority.ts'
import type { Value } from '../../runtime/state/value.ts'
import { sealBatch } from '../../runtime/sync/batch-codec.ts'
import type { Batch, Previous } from '../../runtime/sync/message.ts'

/** The `nonce`-th life of the node `0a…`, `0b…`, …: founders have nonce 0. */
export function life(letter: string, nonce: number = 0): MemberId {
  const node = `${(letter.charCodeAt(0) - 0x61 + 0x0a).toString(16).padStart(2, '0')}00000000000001` as NodeId
  return memberIdOf(node, nonce)
}

/** What a test says of an operation that it makes by hand. */
export interface Handmade {
  readonly after?: Pick<Operation, 'id' | 'stage'> | null
  readonly set?: readonly [path: string, value: Value, replaces?: OperationId | null]
  readonly add?: readonly [path: string, amount: number]
  readonly write?: Pick<Write, 'path' | 'kind' | 'argument'>
  readonly join?: Join
  readonly original?: Original
}

/** Issues operations of one member by hand, each in a batch of its own, as that member would have issued them. */
export class HandIssuer {
  readonly member: MemberId
  readonly tier: number
  readonly batches: Batch[] = []
  #link = EMPTY_DIGEST

  constructor(member: MemberId, tier: number) {
    this.member = member
    this.tier = tier
  }

  issue(handmade: Handmade): Operation {
    const after = handmade.after ?? null
    const previous: Previous = { id: after?.id ?? null, stage: after?.stage ?? 0 }
    const writes = writesOf(handmade)
    const join = handmade.join ?? null
    const original = handmade.original ?? null
    const current: Operation = {
      id: { member: this.member, seq: this.batches.length + 1 },
      stage: previous.stage + 1,
      floor: 0,
      priority: priorityOf(this.member, this.tier),
      writes,
      guards: [],
      join,
      original,
      paths: pathsMet(pathsOf(writes, []), this.member, join, original),
    }
    const batch = sealBatch(this.member, this.#link, [{ current, previous }])
    this.#link = batch.digest
    this.batches.push(batch)
    return current
  }
}

/** Operations of a founder, each on a point of its own and after the one before. */
export function issuedBy(member: MemberId, length: number, value: Value = ''): HandIssuer {
  const issuer = new HandIssuer(member, 2)
  let after = null
  for (let seq = 1; seq <= length; seq++)
    after = issuer.issue({ after, set: [`of/${member.slice(0, 2)}/${seq}`, value] })
  return issuer
}

export function admit(member: MemberId, tier: number): Join {
  return { member, tier, key: new Uint8Array() }
}

function writesOf({ set, add, write }: Handmade): Write[] {
  if (write !== undefined) return [{ ...write, replaces: null }]
  if (set !== undefined) {
    return [{ path: set[0] as Path, kind: 'set', argument: set[1], replaces: set[2] ?? null }]
  }
  return add === undefined ? [] : [{ path: add[0] as Path, kind: 'add', argument: add[1], replaces: null }]
}
