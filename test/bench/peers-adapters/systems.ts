import { openAutomerge } from './automerge.ts'
import { openCborFloor } from './cbor-floor.ts'
import { openFleetstep } from './fleetstep.ts'
import { openJsonJoy } from './json-joy.ts'
import { openLoro } from './loro.ts'
import { openPackedFloor } from './packed-floor.ts'
import type { Peer } from './peer.ts'
import { openProtocolFloor } from './protocol-floor.ts'
import { openTinyBase } from './tinybase.ts'
import { openYjs } from './yjs.ts'

/** How much of each work; smaller for a system that would take minutes. */
export interface Sizes {
  /** Operations that are sent one by one, and in batches of 100. */
  readonly operations: number
  /** Operations of the shorter and of the longer journal into which late ones come, and the late ones. */
  readonly shortJournal: number
  readonly longJournal: number
  readonly late: number
  /** Operations in each of two partitions. */
  readonly partition: number
  /** Operations of each of the 50 in the fleet. */
  readonly fleetInOrder: number
  readonly fleetAnyOrder: number
  /** Operations before a cold start, and when memory is looked at. */
  readonly history: number
}

export interface System {
  readonly name: string
  readonly kind: 'ours' | 'peer' | 'floor'
  readonly open: () => Promise<Peer>
  readonly smaller?: Partial<Sizes>
}

export const SYSTEMS: readonly System[] = [
  { name: 'fleetstep', kind: 'ours', open: openFleetstep },
  { name: 'json-joy', kind: 'peer', open: openJsonJoy },
  { name: 'yjs', kind: 'peer', open: openYjs, smaller: { fleetAnyOrder: 20 } },
  { name: 'tinybase', kind: 'peer', open: openTinyBase },
  { name: 'loro', kind: 'peer', open: openLoro },
  {
    name: 'automerge',
    kind: 'peer',
    open: openAutomerge,
    smaller: {
      operations: 1000,
      shortJournal: 1000,
      longJournal: 10_000,
      late: 50,
      partition: 10_000,
      fleetInOrder: 5,
      fleetAnyOrder: 5,
      history: 10_000,
    },
  },
  { name: 'floor-cbor', kind: 'floor', open: openCborFloor },
  { name: 'floor-protocol', kind: 'floor', open: openProtocolFloor },
  { name: 'floor-packed', kind: 'floor', open: openPackedFloor },
]
