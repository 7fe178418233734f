import { equalBytes } from '../../runtime/base/bytes.ts'
import { type MemberId, memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { OperationRequest } from '../../runtime/state/operation.ts'
import type { Input } from '../../runtime/sync/input.ts'
import type { Inspection } from '../../runtime/sync/inspection.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { Announcement, Batch, Message } from '../../runtime/sync/message.ts'
import { decodeFrame, encodeFrame } from '../../runtime/sync/message-codec.ts'
import type { Output } from '../../runtime/sync/output.ts'
import type { Recovered } from '../../runtime/sync/recovery.ts'
import { Replica } from '../../runtime/sync/replica.ts'
import type { ReplicaOptions } from '../../runtime/sync/replica-options.ts'
import { joinPieces } from '../../runtime/sync/snapshot.ts'

/** Stands for the signature of the operator. */
export const SIGNED: Uint8Array = new TextEncoder().encode('signed')

const NOTHING_STORED: Recovered = { snapshot: null, records: [], last: 0 }

/** One replica by hand: a test decides what it gets, when its disk has written, and what time it is. */
export class DrivenReplica {
  readonly replica: Replica
  readonly outputs: Output[] = []
  /** What the disk was given and has not confirmed. */
  readonly unstored: { readonly record: Uint8Array; readonly number: number }[] = []
  readonly records: Uint8Array[] = []
  snapshot: Uint8Array | null = null
  now = 1000

  /** Number of the last record on the disk. */
  lastStored: number

  /**
   * @param which index of the founder that it is, or the node of a draft
   * @param snapshotJournalBytes journal bytes after which it cuts a snapshot, if not the usual ones
   * @param keys in a fleet with keys
   */
  constructor(
    genesis: Genesis,
    which: number | NodeId,
    recovered: Recovered = NOTHING_STORED,
    snapshotJournalBytes?: number,
    keys: Partial<ReplicaOptions> = {},
  ) {
    const self = typeof which === 'number' ? founder(genesis, which) : memberIdOf(which, 0)
    const random = seededRandom(typeof which === 'number' ? which + 1 : 99)
    const often = snapshotJournalBytes === undefined ? {} : { snapshotJournalBytes }
    const verifyEpoch = (_: Uint8Array, signature: Uint8Array): boolean => equalBytes(signature, SIGNED)
    this.replica = new Replica({ self, genesis, random, recovered, verifyEpoch, ...often, ...keys })
    this.lastStored = recovered.last
    this.#keep(this.replica.tick(this.now))
    this.give({ kind: 'link-up', link: 'air' })
  }

  give(input: Input): readonly Output[] {
    return this.#keep(this.replica.receive(input, this.now))
  }

  giveFrame(bytes: Uint8Array): readonly Output[] {
    return this.give({ kind: 'frame', link: 'air', bytes })
  }

  giveMessage(message: Message): readonly Output[] {
    return this.giveFrame(encodeFrame(this.replica.fleet, message))
  }

  issue(request: OperationRequest, commitWithinMs: number = 0): readonly Output[] {
    return this.#keep(this.replica.issue(request, commitWithinMs, this.now).outputs)
  }

  /** The disk has written all that it was given before. */
  store(): readonly Output[] {
    const last = this.unstored.at(-1)
    if (last === undefined) return []
    this.records.push(...this.unstored.map(({ record }) => record))
    this.unstored.length = 0
    this.lastStored = last.number
    return this.give({ kind: 'stored', through: last.number })
  }

  /** Lets the time pass to the next things that are due, until `durationMs` is over. The disk does not write. */
  wait(durationMs: number): readonly Output[] {
    const until = this.now + durationMs
    const outputs: Output[] = []
    for (;;) {
      const at = this.replica.wakeAt(this.now)
      if (at === null || at > until) break
      this.now = Math.max(this.now, at)
      outputs.push(...this.#keep(this.replica.tick(this.now)))
    }
    this.now = until
    return outputs
  }

  inspect(): Inspection {
    return this.replica.inspect(this.now)
  }

  messagesIn(outputs: readonly Output[]): Message[] {
    return outputs.flatMap((output) => (output.kind === 'send' ? [decodeFrame(this.replica.fleet, output.frame)] : []))
  }

  announcementsIn(outputs: readonly Output[]): Announcement[] {
    return this.messagesIn(outputs).flatMap((message) =>
      message.kind === 'announcement' ? [message.announcement] : [],
    )
  }

  batchesIn(outputs: readonly Output[]): Batch[] {
    return this.messagesIn(outputs).flatMap((message) => (message.kind === 'batch' ? [message.batch] : []))
  }

  #keep(outputs: readonly Output[]): readonly Output[] {
    this.outputs.push(...outputs)
    for (const output of outputs) {
      if (output.kind === 'store') this.unstored.push({ record: output.record, number: output.number })
      if (output.kind === 'snapshot') {
        this.snapshot = joinPieces([...output.pieces])
        this.records.length = 0
      }
    }
    return outputs
  }
}

export function founder(genesis: Genesis, index: number): MemberId {
  const node = genesis.founders[index]?.node
  if (node === undefined) throw new Error(`no founder ${index}`)
  return memberIdOf(node, 0)
}
