import { importPeer, type Messages, type Peer, type PeerReplica, type Scalar, type Write } from './peer.ts'

interface JsonJoy {
  readonly Model: {
    create(schema: undefined, session: number): Model
    load(bytes: Uint8Array, session: number): Model
  }
}

interface JsonJoyPatch {
  readonly Patch: { fromBinary(bytes: Uint8Array): Patch }
}

interface Patch {
  toBinary(): Uint8Array
}

interface Model {
  readonly api: {
    set(value: object): unknown
    obj(path: readonly never[]): { set(values: Record<string, Scalar>): unknown }
    flush(): Patch
  }
  applyPatch(patch: Patch): void
  toBinary(): Uint8Array
  view(): unknown
}

/** It keeps no history and finds no gaps: what was lost has to be found by somebody else. */
export async function openJsonJoy(): Promise<Peer> {
  const { Model } = await importPeer<JsonJoy>('json-joy/lib/json-crdt/index.js')
  const { Patch } = await importPeer<JsonJoyPatch>('json-joy/lib/json-crdt-patch/index.js')
  const firstSession = 70_000

  const replicaOf = (model: Model): PeerReplica => {
    const points = model.api.obj([])
    return {
      write(writes: readonly Write[]): Messages {
        points.set(Object.fromEntries(writes.map(({ path, value }) => [path, value])))
        return [model.api.flush().toBinary()]
      },
      receive: (message: Uint8Array): void => model.applyPatch(Patch.fromBinary(message)),
      save: (): Uint8Array => model.toBinary(),
      entries: () => Object.entries(model.view() as object),
    }
  }
  return {
    fleet(size: number): PeerReplica[] {
      const origin = Model.create(undefined, firstSession)
      origin.api.set({})
      const bytes = origin.toBinary()
      return Array.from({ length: size }, (_, index) => replicaOf(Model.load(bytes, firstSession + 1 + index)))
    },
    load(snapshot: Uint8Array, journal: Messages): PeerReplica {
      const replica = replicaOf(Model.load(snapshot, firstSession + 999))
      for (const message of journal) replica.receive(message)
      return replica
    },
    merge(left: PeerReplica, right: PeerReplica, [fromLeft, fromRight]: readonly [Messages, Messages]): number {
      for (const message of fromLeft) right.receive(message)
      for (const message of fromRight) left.receive(message)
      return [...fromLeft, ...fromRight].reduce((total, { length }) => total + length, 0)
    },
  }
}
