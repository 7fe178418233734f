import { memberIdOf } from '../../../runtime/base/ids.ts'
import { seededRandom } from '../../../runtime/base/random.ts'
import type { Path } from '../../../runtime/state/path.ts'
import type { Genesis } from '../../../runtime/sync/membership.ts'
import type { Destination, Output } from '../../../runtime/sync/output.ts'
import type { Recovered } from '../../../runtime/sync/recovery.ts'
import { Replica } from '../../../runtime/sync/replica.ts'
import { founders } from '../workload.ts'
import type { Messages, Peer, PeerReplica, Write } from './peer.ts'

const LINK = 'bench'
const EMPTY: Recovered = { snapshot: null, records: [], last: 0 }

/** The replica behind its public surface, on a disk that is always ready. Time stands still except in a merge. */
export function openFleetstep(): Promise<Peer> {
  return Promise.resolve({
    fleet(size: number): PeerReplica[] {
      const genesis = founders(size)
      const replicas = genesis.founders.map((_, index) => new FleetstepReplica(genesis, index))
      introduce(replicas)
      return replicas
    },
    load(snapshot: Uint8Array, journal: Messages): PeerReplica {
      const [{ length: last }] = [journal]
      return new FleetstepReplica(founders(1), 0, { snapshot, records: journal, last })
    },
    merge: (left: FleetstepReplica, right: FleetstepReplica) => merge([left, right]),
    catchUp,
    folding: () => new FleetstepReplica(founders(1), 0),
  })
}

class FleetstepReplica implements PeerReplica {
  readonly #replica: Replica
  #now = 0
  #frames: Uint8Array[] = []
  /** For which each of the frames is. */
  #channels: Destination['channel'][] = []
  #records: Uint8Array[] | null = null

  constructor(genesis: Genesis, index: number, recovered: Recovered = EMPTY) {
    const founder = genesis.founders[index]
    if (founder === undefined) throw new Error('no such founder')
    const self = memberIdOf(founder.node, 0)
    this.#replica = new Replica({ self, genesis, random: seededRandom(index + 1), recovered })
    this.#carryOut(this.#replica.tick(0))
  }

  write(writes: readonly Write[]): Messages {
    // What is issued within one commit window goes into one batch.
    const windowMs = writes.length > 1 ? 1000 : 0
    for (const { path, value } of writes) {
      const request = { writes: [{ path: path as Path, kind: 'set', argument: value } as const], guards: [] }
      this.#carryOut(this.#replica.issue(request, windowMs, this.#now).outputs)
    }
    if (windowMs > 0) this.#carryOut(this.#replica.flush(this.#now))
    return this.takeFrames()
  }

  receive(message: Uint8Array): void {
    this.#carryOut(this.#replica.receive({ kind: 'frame', link: LINK, bytes: message }, this.#now))
  }

  /** The snapshot as the store would write it; from then on the records behind it are kept. */
  save(): Uint8Array {
    this.#records = []
    for (const output of this.#replica.receive({ kind: 'snapshot-due' }, this.#now)) {
      if (output.kind === 'snapshot') return new Uint8Array(Buffer.concat([...output.pieces]))
    }
    throw new Error('the replica gave no snapshot')
  }

  stored(): readonly Uint8Array[] {
    return this.#records ?? []
  }

  entries(): Iterable<readonly [string, unknown]> {
    return this.#replica.entries()
  }

  connect(): void {
    this.#carryOut(this.#replica.receive({ kind: 'link-up', link: LINK }, this.#now))
  }

  get wakeAt(): number {
    return this.#replica.wakeAt(this.#now) ?? Infinity
  }

  tick(now: number): void {
    this.#now = now
    this.#carryOut(this.#replica.tick(now))
  }

  takeFrames(): readonly Uint8Array[] {
    const frames = this.#frames
    this.#frames = []
    this.#channels = []
    return frames
  }

  /** Takes those of one channel, and lets go of the others. */
  takeFramesOf(channel: Destination['channel']): readonly Uint8Array[] {
    const channels = this.#channels
    return this.takeFrames().filter((_, index) => channels[index] === channel)
  }

  /** The highest seq that it holds of each member. */
  holding(): ReadonlyMap<string, number> {
    return new Map(this.#replica.inspect(this.#now).vector.map(({ member, seq }) => [member, seq]))
  }

  holdsAllOf(other: FleetstepReplica): boolean {
    const own = this.holding()
    return [...other.holding()].every(([member, seq]) => (own.get(member) ?? 0) >= seq)
  }

  /** Stores at once what is to be stored, and keeps what is to be sent. */
  #carryOut(outputs: readonly Output[]): void {
    let through = 0
    for (const output of outputs) {
      if (output.kind === 'send') {
        this.#frames.push(output.frame)
        this.#channels.push(output.to.channel)
      }
      if (output.kind !== 'store') continue
      through = output.number
      this.#records?.push(output.record)
    }
    if (through > 0) this.#carryOut(this.#replica.receive({ kind: 'stored', through }, this.#now))
  }
}

/** Makes the replicas hear each other once, so that they may speak. */
function introduce(replicas: readonly FleetstepReplica[]): void {
  for (const speaker of replicas) {
    speaker.connect()
    const frames = speaker.takeFrames()
    for (const listener of replicas) if (listener !== speaker) for (const frame of frames) listener.receive(frame)
  }
  for (const replica of replicas) replica.takeFrames()
}

/** The link between two replicas comes up, and carries all that they have to say until they hold the same. */
function merge(pair: readonly [FleetstepReplica, FleetstepReplica]): number {
  let bytes = 0
  for (const replica of pair) replica.connect()
  for (let rounds = 0; rounds < 1_000_000; rounds++) {
    let isSilent = true
    for (const [index, speaker] of pair.entries()) {
      const frames = speaker.takeFrames()
      for (const frame of frames) {
        bytes += frame.length
        pair[1 - index]?.receive(frame)
      }
      if (frames.length > 0) isSilent = false
    }
    if (!isSilent) continue
    if (pair[0].holdsAllOf(pair[1]) && pair[1].holdsAllOf(pair[0])) return bytes
    const now = Math.min(pair[0].wakeAt, pair[1].wakeAt)
    for (const replica of pair) replica.tick(now)
  }
  throw new Error('the replicas have not come to hold the same')
}

/** The waiting list is bounded: what had no room in it is asked for again, of whoever issued it. */
function catchUp(receiver: FleetstepReplica, members: readonly FleetstepReplica[]): void {
  const others = members.filter((member) => member !== receiver)
  while (!others.every((other) => receiver.holdsAllOf(other))) {
    const now = Math.min(receiver.wakeAt, ...others.map(({ wakeAt }) => wakeAt))
    receiver.tick(now)
    const requests = receiver.takeFramesOf('requests')
    for (const other of others) {
      other.tick(now)
      for (const request of requests) other.receive(request)
      for (const answer of other.takeFramesOf('answers')) receiver.receive(answer)
    }
  }
}
