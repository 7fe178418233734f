import { importPeer, type Messages, type Peer, type PeerReplica, type Scalar, type Write } from './peer.ts'

interface Loro {
  readonly LoroDoc: new () => Doc
  readonly VersionVector: { decode(bytes: Uint8Array): Version }
}

interface Version {
  encode(): Uint8Array
}

interface Doc {
  setPeerId(id: bigint): void
  getMap(name: string): { set(path: string, value: Scalar): void; toJSON(): object }
  subscribeLocalUpdates(listener: (update: Uint8Array) => void): () => void
  commit(): void
  import(bytes: Uint8Array): unknown
  version(): Version
  export(mode: { mode: 'update'; from: Version } | { mode: 'snapshot' }): Uint8Array
}

interface LoroReplica extends PeerReplica {
  readonly doc: Doc
}

export async function openLoro(): Promise<Peer> {
  const { LoroDoc, VersionVector } = await importPeer<Loro>('loro-crdt')

  const open = (session: bigint): LoroReplica => {
    const doc = new LoroDoc()
    doc.setPeerId(session)
    const points = doc.getMap('state')
    let message = new Uint8Array(0)
    doc.subscribeLocalUpdates((update) => (message = new Uint8Array(update)))
    return {
      doc,
      write(writes: readonly Write[]): Messages {
        for (const { path, value } of writes) points.set(path, value)
        doc.commit()
        return [message]
      },
      receive: (bytes: Uint8Array): void => void doc.import(bytes),
      save: (): Uint8Array => doc.export({ mode: 'snapshot' }),
      entries: () => Object.entries(points.toJSON()),
    }
  }
  return {
    // Sessions as they are drawn at random: eight bytes.
    fleet: (size: number): PeerReplica[] =>
      Array.from({ length: size }, (_, index) => open(0x7000_0000_0000_0000n + BigInt(index))),
    load(snapshot: Uint8Array, journal: Messages): PeerReplica {
      const replica = open(0x7000_0000_0000_0999n)
      replica.receive(snapshot)
      for (const message of journal) replica.receive(message)
      return replica
    },
    merge(left: LoroReplica, right: LoroReplica): number {
      const [versionOfLeft, versionOfRight] = [left.doc.version().encode(), right.doc.version().encode()]
      const toRight = left.doc.export({ mode: 'update', from: VersionVector.decode(versionOfRight) })
      const toLeft = right.doc.export({ mode: 'update', from: VersionVector.decode(versionOfLeft) })
      right.receive(toRight)
      left.receive(toLeft)
      return versionOfLeft.length + versionOfRight.length + toRight.length + toLeft.length
    },
  }
}
