import { SNAPSHOT_JOURNAL_BYTES } from '../../runtime/base/limits.ts'
import type { Sample } from './report.ts'

/**
 * What all gateways together may hold more, in the median, in the last third of a soak than in the middle one. In a third of two
 * hours the fleet makes about 4,800 changes, so a leak of 1 KiB for each is seen.
 */
const MEMORY_GROWTH_BYTES_MAX = 5 * 1024 * 1024

/** The same of one gateway. Troubles start it anew every ten minutes or so, and a heap takes as long to its full size: 12 MiB were seen. */
const MEMORY_GROWTH_OF_ONE_BYTES_MAX = 16 * 1024 * 1024

/** The journal that a new snapshot makes needless goes once that is whole: until the second one is cut, a disk only fills. */
const DISK_CYCLE_BYTES = 2 * SNAPSHOT_JOURNAL_BYTES

/** Two segments of the journal and the snapshots themselves, one of them in the making. */
const DISK_GROWTH_BYTES_MAX = 4 * 1024 * 1024

/** @returns a line for each gateway whose memory or disk went on growing after the floor had moved many times */
export function growths(samples: readonly Sample[]): string[] {
  const gateways = [...new Set(samples.map(({ gateway }) => gateway))]
  const endMs = Math.max(0, ...samples.map(({ atMs }) => atMs))
  const up = samples.filter(({ isUp }) => isUp)
  const ofOne = gateways.flatMap((gateway) => {
    const own = up.filter((sample) => sample.gateway === gateway)
    return [
      ...growth(`memory of ${gateway}`, MEMORY_GROWTH_OF_ONE_BYTES_MAX, own, endMs, memoryOf),
      ...growth(`disk of ${gateway}`, DISK_GROWTH_BYTES_MAX, own, endMs, ({ diskBytes }) =>
        Math.max(diskBytes, DISK_CYCLE_BYTES),
      ),
    ]
  })
  return [...ofOne, ...growth('memory of all gateways', MEMORY_GROWTH_BYTES_MAX, up, endMs, memoryOf)]
}

function memoryOf({ rssKib }: Sample): number {
  return rssKib * 1024
}

function growth(
  what: string,
  bytesMax: number,
  samples: readonly Sample[],
  endMs: number,
  bytesOf: (sample: Sample) => number,
): string[] {
  const middle = samples.filter(({ atMs }) => atMs >= endMs / 3 && atMs < (2 * endMs) / 3)
  const last = samples.filter(({ atMs }) => atMs >= (2 * endMs) / 3)
  if (middle.length < 3 || last.length < 3) return []
  const [before, after] = [median(middle.map(bytesOf)), median(last.map(bytesOf))]
  if (after - before <= bytesMax) return []
  return [`the ${what} grew from ${mib(before)} to ${mib(after)} MiB between the second and the last third`]
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((left, right) => left - right)[Math.floor(numbers.length / 2)] ?? 0
}

function mib(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1)
}
