import { importPeer, type Messages, type Peer, type PeerReplica, type Scalar, type Write } from './peer.ts'

interface Yjs {
  readonly Doc: new () => Doc
  applyUpdate(doc: Doc, update: Uint8Array): void
  encodeStateVector(doc: Doc): Uint8Array
  encodeStateAsUpdate(doc: Doc, vector?: Uint8Array): Uint8Array
}

interface Doc {
  clientID: number
  getMap(name: string): { set(path: string, value: Scalar): void; entries(): IterableIterator<[string, unknown]> }
  on(event: 'update', listener: (update: Uint8Array) => void): void
  transact(change: () => void): void
}

interface YjsReplica extends PeerReplica {
  readonly doc: Doc
}

export async function openYjs(): Promise<Peer> {
  const { Doc, applyUpdate, encodeStateVector, encodeStateAsUpdate } = await importPeer<Yjs>('yjs')

  const open = (session: number): YjsReplica => {
    const doc = new Doc()
    doc.clientID = session
    const points = doc.getMap('state')
    let message = new Uint8Array(0)
    doc.on('update', (update) => (message = new Uint8Array(update)))
    return {
      doc,
      write(writes: readonly Write[]): Messages {
        doc.transact(() => {
          for (const { path, value } of writes) points.set(path, value)
        })
        return [message]
      },
      receive: (update: Uint8Array): void => applyUpdate(doc, update),
      save: (): Uint8Array => encodeStateAsUpdate(doc),
      entries: () => points.entries(),
    }
  }
  return {
    // Sessions as they are drawn at random: four bytes.
    fleet: (size: number): PeerReplica[] => Array.from({ length: size }, (_, index) => open(0x7000_0000 + index)),
    load(snapshot: Uint8Array, journal: Messages): PeerReplica {
      const replica = open(0x7000_0999)
      replica.receive(snapshot)
      for (const message of journal) replica.receive(message)
      return replica
    },
    merge(left: YjsReplica, right: YjsReplica): number {
      const [vectorOfLeft, vectorOfRight] = [encodeStateVector(left.doc), encodeStateVector(right.doc)]
      const toRight = encodeStateAsUpdate(left.doc, vectorOfRight)
      const toLeft = encodeStateAsUpdate(right.doc, vectorOfLeft)
      right.receive(toRight)
      left.receive(toLeft)
      return vectorOfLeft.length + vectorOfRight.length + toRight.length + toLeft.length
    },
  }
}
