import { founders } from '../workload.ts'
import type { Messages, Peer, PeerReplica, Scalar, Write } from './peer.ts'
import { FloorReplica, type Ports } from './protocol-floor-replica.ts'
import { readSnapshot, writeSnapshot } from './protocol-floor-snapshot.ts'

/**
 * The least that any implementation of the consistency protocol has to do for each operation, in one flat, unchecked sketch. It
 * sends, receives and stores the same bytes as the product (runtime/sync/sync.cddl), chains batches by their digests, keeps
 * them for relays, keeps the journal by stage, the log by member and the chain of each point, decides as
 * runtime/state/executor.ts does, puts what comes late in its place and executes again what that affects, keeps what comes out
 * of order until it can take its place, and tells which values have changed.
 *
 * What it leaves out, and the product does: every check of what it reads and of what it is asked to write; joins, epochs, cuts
 * and signatures; writes other than `set`, several in one operation, guards, rules and originals; bounds, of the waiting
 * list too; seqs and stages beyond 31 bits; drafts; announcements, requests and whatever time does; settlement, so that its floor stays where it began; the
 * list of conflicts and the outcomes of operations as people are told of them; the recovery of more than one member.
 */
export function openProtocolFloor(): Promise<Peer> {
  return Promise.resolve({
    fleet: (size: number): PeerReplica[] => Array.from({ length: size }, (_, index) => new FloorPeer(size, index)),
    load(snapshot: Uint8Array, journal: Messages): PeerReplica {
      const peer = new FloorPeer(1, 0)
      peer.load(snapshot, journal)
      return peer
    },
    merge(left: FloorPeer, right: FloorPeer): number {
      const [toRight, toLeft] = [
        left.replica.framesBehind(right.replica.held),
        right.replica.framesBehind(left.replica.held),
      ]
      right.replica.receiveAll(toRight)
      left.replica.receiveAll(toLeft)
      return [...toRight, ...toLeft].reduce((total, { length }) => total + length, 0)
    },
  })
}

/** On a disk that is always ready. */
class FloorPeer implements PeerReplica, Ports {
  readonly replica: FloorReplica
  /** What people were told last. */
  last: { readonly path: string; readonly before: Scalar | undefined; readonly after: Scalar } | null = null
  #records: Uint8Array[] | null = null

  constructor(size: number, index: number) {
    this.replica = new FloorReplica(founders(size), index, this)
  }

  write(writes: readonly Write[]): Messages {
    return [this.replica.write(writes)]
  }

  receive(message: Uint8Array): void {
    this.replica.receive(message)
  }

  store(record: Uint8Array): void {
    this.#records?.push(record)
  }

  changed(path: string, before: Scalar | undefined, after: Scalar): void {
    this.last = { path, before, after }
  }

  save(): Uint8Array {
    this.#records = []
    return writeSnapshot(this.replica)
  }

  stored(): Messages {
    return this.#records ?? []
  }

  load(snapshot: Uint8Array, records: Messages): void {
    readSnapshot(this.replica, snapshot)
    for (const record of records) this.replica.restore(record)
  }

  *entries(): Generator<readonly [string, unknown]> {
    for (const { path, value } of this.replica.state.points()) yield [path, value]
  }
}
