import type { MemberId } from '../base/ids.ts'
import type { Discards } from './discards.ts'
import type { MemberLog } from './member-log.ts'
import { type Batch, firstOf, type Request } from './message.ts'
import { NO_OUTPUTS, type Output } from './output.ts'
import type { Peer } from './peers.ts'
import type { ReplicaCore } from './replica-core.ts'
import { standingLife } from './used-twice.ts'
import type { VersionEntry } from './version-vector.ts'

/** Two chains of operations under one member id: of a clone, or of a node that was set back. One of the two lives stands. */
export class Forks {
  readonly #core: ReplicaCore
  readonly #discards: Discards
  /** Where the chain of a member was seen to part below what we hold: the last entry before a batch of its other life. */
  readonly #forks = new Map<MemberId, VersionEntry>()

  constructor(core: ReplicaCore, discards: Discards) {
    this.#core = core
    this.#discards = discards
  }

  /** If the batch is of another life of its member, and that one stands, what we hold of the first makes room. */
  settle(batch: Batch): readonly Output[] {
    const core = this.#core
    if (batch.origin === core.self || standingLife(batch, core.history, core.peers) !== 'theirs') return NO_OUTPUTS
    const { member, seq } = firstOf(batch).current.id
    const [other] = core.history.log(member).between(seq - 1, seq)
    const digests = [batch.digest, other?.digest ?? batch.link] as const
    const alarm = core.alarms.raise({ name: 'identity-used-twice', member, seq, digests })
    return [...alarm, ...this.#discards.truncate({ member, seq: seq - 1 }), ...core.reconsiderGone()]
  }

  /** A batch follows another operation than the one that we hold at its place: which life stands is decided further down. */
  note({ origin, messages, link }: Batch): void {
    const [first] = messages
    if (first !== undefined) this.#forks.set(origin, { member: origin, seq: first.current.id.seq - 1, digest: link })
  }

  /** Whether what is held contradicts the chain of a batch that was received behind it. */
  #isForkedBelow(seq: number, log: MemberLog): boolean {
    const fork = this.#forks.get(log.member)
    if (fork === undefined) return false
    const isForked = fork.seq > log.settled.seq && log.contradicts(fork.seq, fork.digest)
    if (!isForked) this.#forks.delete(log.member)
    return isForked && seq > fork.seq
  }

  /**
   * Where another member holds another chain under one member id, it is asked for it: one of the two lives stands. A longer
   * chain shows only with a batch that does not follow ours; then it is asked for from where both are the same.
   */
  askFor(peer: Peer): Output[] {
    const { history, self } = this.#core
    const gaps = [...peer.vector.values()].flatMap(({ member, seq, digest }) => {
      const log = history.log(member)
      if (member === self || log.settled.seq >= seq) return []
      if (!log.contradicts(seq, digest) && !this.#isForkedBelow(seq, log)) return []
      return [{ member, after: log.settled.seq, through: seq }]
    })
    if (gaps.length === 0) return []
    const request: Request = { from: self, to: peer.announcement.member, gaps }
    const asked = this.#core.requests.sign(request)
    return [this.#core.send({ kind: 'request', request: asked }, 'requests', { only: peer.link })]
  }
}
