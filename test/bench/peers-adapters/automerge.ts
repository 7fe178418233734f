import { importPeer, type Messages, type Peer, type PeerReplica, type Scalar, type Write } from './peer.ts'

interface Automerge {
  readonly ImmutableString: new (text: string) => { toString(): string }
  init(options: { actor: string }): Doc
  load(bytes: Uint8Array, options: { actor: string }): Doc
  save(doc: Doc): Uint8Array
  change(doc: Doc, change: (draft: Record<string, unknown>) => void): Doc
  getLastLocalChange(doc: Doc): Uint8Array | undefined
  applyChanges(doc: Doc, changes: readonly Uint8Array[]): [Doc]
  initSyncState(): SyncState
  generateSyncMessage(doc: Doc, state: SyncState): [SyncState, Uint8Array | null]
  receiveSyncMessage(doc: Doc, state: SyncState, message: Uint8Array): [Doc, SyncState, null]
}

type Doc = Readonly<Record<string, unknown>>
type SyncState = Readonly<Record<string, unknown>>

interface AutomergeReplica extends PeerReplica {
  doc: Doc
}

export async function openAutomerge(): Promise<Peer> {
  const automerge = await importPeer<Automerge>('@automerge/automerge')
  // Plain strings are shared texts there, edited character by character, which no device needs.
  const valueOf = (value: Scalar): unknown => (typeof value === 'string' ? new automerge.ImmutableString(value) : value)
  const actorOf = (index: number): string => (0x7000_0000 + index).toString(16).padStart(32, '0')

  const replicaOf = (opened: Doc): AutomergeReplica => {
    const replica = {
      doc: opened,
      write(writes: readonly Write[]): Messages {
        replica.doc = automerge.change(replica.doc, (draft) => {
          for (const { path, value } of writes) draft[path] = valueOf(value)
        })
        const message = automerge.getLastLocalChange(replica.doc)
        if (message === undefined) throw new Error('the change was empty')
        return [message]
      },
      receive(message: Uint8Array): void {
        replica.doc = automerge.applyChanges(replica.doc, [message])[0]
      },
      save: (): Uint8Array => automerge.save(replica.doc),
      *entries(): Generator<readonly [string, unknown]> {
        for (const [path, value] of Object.entries(replica.doc))
          yield [path, value instanceof automerge.ImmutableString ? value.toString() : value]
      },
    }
    return replica
  }
  return {
    fleet: (size: number): PeerReplica[] =>
      Array.from({ length: size }, (_, index) => replicaOf(automerge.init({ actor: actorOf(index) }))),
    load(snapshot: Uint8Array, journal: Messages): PeerReplica {
      const replica = replicaOf(automerge.load(snapshot, { actor: actorOf(999) }))
      for (const message of journal) replica.receive(message)
      return replica
    },
    merge(left: AutomergeReplica, right: AutomergeReplica): number {
      const sides = [left, right] as const
      const states = [automerge.initSyncState(), automerge.initSyncState()]
      let bytes = 0
      for (let silent = 0, from = 0; silent < 2; from = 1 - from) {
        const [speaker, listener] = [sides[from], sides[1 - from]] as [AutomergeReplica, AutomergeReplica]
        const [state, message] = automerge.generateSyncMessage(speaker.doc, states[from] as SyncState)
        states[from] = state
        silent = message === null ? silent + 1 : 0
        if (message === null) continue
        bytes += message.length
        const [doc, heard] = automerge.receiveSyncMessage(listener.doc, states[1 - from] as SyncState, message)
        listener.doc = doc
        states[1 - from] = heard
      }
      return bytes
    },
  }
}
