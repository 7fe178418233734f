import type { Figures } from './core-measure.ts'

/** One line of the table: one figure of every system. */
export interface RowKind {
  /** Which of the figures. */
  readonly figure: string
  readonly work: string
  readonly unit: string
  readonly better: 'more' | 'less'
  /** What is aimed at: how many times as good as the best peer, as the floor, or the figure itself. */
  readonly aim?: { readonly ofPeer?: number; readonly ofFloor?: number; readonly figure?: number }
  /** A system that cannot do better than in another row is compared by that. */
  readonly otherwise?: string
  readonly note?: string
}

export const ROWS: readonly RowKind[] = [
  {
    figure: 'local',
    work: 'local, one message each',
    unit: 'op/s',
    better: 'more',
    aim: { ofPeer: 1.5, ofFloor: 0.65 },
  },
  { figure: 'remote', work: 'remote, one by one', unit: 'op/s', better: 'more', aim: { ofPeer: 1.5, ofFloor: 0.65 } },
  { figure: 'bytesSingle', work: 'message of one', unit: 'B/op', better: 'less', aim: { figure: 36 } },
  { figure: 'batchLocal', work: 'local, 100 per message', unit: 'op/s', better: 'more' },
  { figure: 'batchRemote', work: 'remote, 100 per message', unit: 'op/s', better: 'more', aim: { ofPeer: 3.5 } },
  { figure: 'bytesBatched', work: 'message of 100', unit: 'B/op', better: 'less', aim: { figure: 14 } },
  {
    figure: 'mergeMs',
    work: 'merge of two partitions',
    unit: 'ms',
    better: 'less',
    aim: { ofPeer: 1 },
    note: 'tinybase, json-joy and the bare Maps keep no history: they send states, json-joy all its messages; floor-protocol sends all that the other lacks',
  },
  { figure: 'mergeKb', work: 'merge, both ways', unit: 'kB', better: 'less', aim: { ofPeer: 1 } },
  { figure: 'shortLateMean', work: 'late, into 10 k, mean', unit: 'µs', better: 'less' },
  { figure: 'longLateMean', work: 'late, into 100 k, mean', unit: 'µs', better: 'less' },
  { figure: 'longLateMedian', work: 'late, into 100 k, p50', unit: 'µs', better: 'less', aim: { figure: 5 } },
  {
    figure: 'lateGrowth',
    work: 'late, 100 k to 10 k, mean',
    unit: 'times',
    better: 'less',
    note: 'flat is 1; what keeps no history is flat by nature',
  },
  { figure: 'fleetInOrder', work: 'fleet of 50, in order', unit: '/s', better: 'more' },
  { figure: 'fleetAnyOrder', work: 'fleet of 50, any order', unit: '/s', better: 'more', aim: { ofPeer: 2 } },
  {
    figure: 'coldStartMs',
    work: 'cold start',
    unit: 'ms',
    better: 'less',
    aim: { figure: 40 },
    note: 'cold start: the import of the library, a snapshot of 1,000 paths, and 1,000 operations that were stored behind it',
  },
  { figure: 'loadMs', work: 'of which loading', unit: 'ms', better: 'less' },
  { figure: 'storedKb', work: 'snapshot', unit: 'kB', better: 'less', aim: { figure: 40 } },
  { figure: 'memoryHeap', work: 'heap, unfolded', unit: 'MiB', better: 'less' },
  { figure: 'memoryRss', work: 'RSS, unfolded', unit: 'MiB', better: 'less', aim: { figure: 12 } },
  { figure: 'foldedHeap', work: 'heap, folded', unit: 'MiB', better: 'less', otherwise: 'memoryHeap' },
  {
    figure: 'foldedRss',
    work: 'RSS, folded',
    unit: 'MiB',
    better: 'less',
    otherwise: 'memoryRss',
    aim: { figure: 5 },
    note: 'folded: everybody has everything; only fleetstep folds then, the others are as they were. Memory of all systems: with the room for new objects at its first size, as the daemon keeps it; work is measured without that',
  },
]

export function figureOf({ figure, otherwise }: RowKind, figures: Figures): number | undefined {
  return figures[figure] ?? (otherwise === undefined ? undefined : figures[otherwise])
}
