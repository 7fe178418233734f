import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

/** What devices report in the workload. */
export type Scalar = number | boolean | string

export interface Write {
  readonly path: string
  readonly value: Scalar
}

/** One of several ways to keep the same map equal on several nodes. */
export interface Peer {
  /** Replicas that start equal and empty, and know of each other what they have to know. */
  fleet(size: number): PeerReplica[]
  /** A replica out of what one has kept: its snapshot, and what it has stored one by one since. */
  load(snapshot: Uint8Array, journal: readonly Uint8Array[]): PeerReplica
  /**
   * Both learn all that the other has done in the meantime.
   * @param messages all that each has ever sent, for those that keep no history
   * @returns bytes that went in both directions
   */
  merge(left: PeerReplica, right: PeerReplica, messages: readonly [Messages, Messages]): number
  /** `receiver` asks for what it has not kept because it came out of order, until it has all that the members have done. */
  catchUp?(receiver: PeerReplica, members: readonly PeerReplica[]): void
  /** A replica that may fold whatever it can, if it makes a difference. */
  folding?(): PeerReplica
}

export type Messages = readonly Uint8Array[]

export interface PeerReplica {
  /** Does one local change of these points. @returns what tells the others: one message if that holds it */
  write(writes: readonly Write[]): Messages
  receive(message: Uint8Array): void
  /** All that it would keep on a disk. */
  save(): Uint8Array
  /** What it would have stored one by one since `save`, if that is not its messages. */
  stored?(): readonly Uint8Array[]
  /** In no order. */
  entries(): Iterable<readonly [string, unknown]>
}

/** Imports a package of test/bench/peers. @param Package what of it is used here */
export async function importPeer<Package>(name: string): Promise<Package> {
  const require = createRequire(new URL('../peers/package.json', import.meta.url))
  return (await import(pathToFileURL(require.resolve(name)).href)) as Package
}
