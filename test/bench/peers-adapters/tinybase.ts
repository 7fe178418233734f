import { importPeer, type Messages, type Peer, type PeerReplica, type Scalar, type Write } from './peer.ts'

interface TinyBase {
  createMergeableStore(id: string): Store
}

type Content = readonly unknown[]

interface Store {
  setValue(path: string, value: Scalar): Store
  transaction(change: () => void): void
  addDidFinishTransactionListener(listener: () => void): string
  getTransactionMergeableChanges(): Content
  applyMergeableChanges(changes: Content): Store
  getMergeableContent(): Content
  setMergeableContent(content: Content): Store
  getValues(): Record<string, Scalar>
}

interface TinyBaseReplica extends PeerReplica {
  readonly store: Store
}

/** It keeps no history. Its own synchronizers speak JSON too. */
export async function openTinyBase(): Promise<Peer> {
  const { createMergeableStore } = await importPeer<TinyBase>('tinybase/mergeable-store')
  const encode = (content: Content): Uint8Array => new TextEncoder().encode(JSON.stringify(content))
  const decode = (bytes: Uint8Array): Content => JSON.parse(new TextDecoder().decode(bytes)) as Content

  const open = (index: number): TinyBaseReplica => {
    const store = createMergeableStore(`store${index}`)
    let changes: Content = []
    store.addDidFinishTransactionListener(() => (changes = store.getTransactionMergeableChanges()))
    return {
      store,
      write(writes: readonly Write[]): Messages {
        store.transaction(() => {
          for (const { path, value } of writes) store.setValue(path, value)
        })
        return [encode(changes)]
      },
      receive: (message: Uint8Array): void => void store.applyMergeableChanges(decode(message)),
      save: (): Uint8Array => encode(store.getMergeableContent()),
      entries: () => Object.entries(store.getValues()),
    }
  }
  return {
    fleet: (size: number): PeerReplica[] => Array.from({ length: size }, (_, index) => open(index)),
    load(snapshot: Uint8Array, journal: Messages): PeerReplica {
      const replica = open(999)
      replica.store.setMergeableContent(decode(snapshot))
      for (const message of journal) replica.receive(message)
      return replica
    },
    merge(left: TinyBaseReplica, right: TinyBaseReplica): number {
      const [toRight, toLeft] = [left.save(), right.save()]
      right.receive(toRight)
      left.receive(toLeft)
      return toRight.length + toLeft.length
    },
  }
}
