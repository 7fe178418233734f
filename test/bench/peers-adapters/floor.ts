import type { Messages, Peer, PeerReplica, Scalar, Write } from './peer.ts'

/** One change in the bare map: the higher counter wins, and of two equal ones the higher node. */
export interface Change {
  readonly counter: number
  readonly node: number
  readonly path: string
  readonly value: Scalar
}

export interface ChangeCodec {
  encode(changes: readonly Change[]): Uint8Array
  decode(bytes: Uint8Array): readonly Change[]
}

/**
 * The floor: a bare Map that is told of each change, without history, gaps, guards, outcomes or floors. No protocol that
 * sends its changes in the same bytes can be faster.
 */
export function floorOf({ encode, decode }: ChangeCodec): Peer {
  const open = (node: number): PeerReplica => {
    const points = new Map<string, Change>()
    let counter = 0
    return {
      write(writes: readonly Write[]): Messages {
        const changes: Change[] = []
        for (const { path, value } of writes) {
          counter += 1
          const change = { counter, node, path, value }
          points.set(path, change)
          changes.push(change)
        }
        return [encode(changes)]
      },
      receive(message: Uint8Array): void {
        for (const change of decode(message)) {
          const known = points.get(change.path)
          if (known === undefined || isNewer(change, known)) points.set(change.path, change)
          if (change.counter > counter) counter = change.counter
        }
      },
      save: (): Uint8Array => encode([...points.values()]),
      *entries(): Generator<readonly [string, unknown]> {
        for (const { path, value } of points.values()) yield [path, value]
      },
    }
  }
  return {
    fleet: (size: number): PeerReplica[] => Array.from({ length: size }, (_, index) => open(index)),
    load(snapshot: Uint8Array, journal: Messages): PeerReplica {
      const replica = open(255)
      replica.receive(snapshot)
      for (const message of journal) replica.receive(message)
      return replica
    },
    merge(left: PeerReplica, right: PeerReplica): number {
      const [toRight, toLeft] = [left.save(), right.save()]
      right.receive(toRight)
      left.receive(toLeft)
      return toRight.length + toLeft.length
    },
  }
}

function isNewer(change: Change, known: Change): boolean {
  return change.counter === known.counter ? change.node > known.node : change.counter > known.counter
}
