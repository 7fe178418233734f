import { SNAPSHOT_JOURNAL_BYTES } from '../../runtime/base/limits.ts'
import type { Sample } from './report.ts'

/**
 * What a gateway may hold more in the last third of a soak than in the middle one. The heap of a collected language goes up and
 * down by some MiB. In a third of two hours the fleet makes about 4,800 changes, so a leak of 2 KiB for each is seen.
 */
const MEMORY_GROWTH_BYTES_MAX = 8 * 1024 * 1024

/** The journal that a new snapshot makes needless goes once that is whole: until the second one is cut, a disk only fills. */
const DISK_CYCLE_BYTES = 2 * SNAPSHOT_JOURNAL_BYTES

/** Two segments of the journal and the snapshots themselves, one of them in the making. */
const DISK_GROWTH_BYTES_MAX = 4 * 1024 * 1024

/** @returns a line for each gateway whose memory or disk went on growing after the floor had moved many times */
export function growths(samples: readonly Sample[]): string[] {
  const gateways = [...new Set(samples.map(({ gateway }) => gateway))]
  const endMs = Math.max(0, ...samples.map(({ atMs }) => atMs))
  return gateways.flatMap((gateway) => {
    const own = samples.filter((sample) => sample.gateway === gateway && sample.isUp)
    const middle = own.filter(({ atMs }) => atMs >= endMs / 3 && atMs < (2 * endMs) / 3)
    const last = own.filter(({ atMs }) => atMs >= (2 * endMs) / 3)
    if (middle.length < 3 || last.length < 3) return []
    return [
      ...growth(gateway, 'memory', MEMORY_GROWTH_BYTES_MAX, middle, last, ({ rssKib }) => rssKib * 1024),
      ...growth(gateway, 'disk', DISK_GROWTH_BYTES_MAX, middle, last, ({ diskBytes }) =>
        Math.max(diskBytes, DISK_CYCLE_BYTES),
      ),
    ]
  })
}

function growth(
  gateway: string,
  what: string,
  bytesMax: number,
  middle: readonly Sample[],
  last: readonly Sample[],
  bytesOf: (sample: Sample) => number,
): string[] {
  const [before, after] = [median(middle.map(bytesOf)), median(last.map(bytesOf))]
  if (after - before <= bytesMax) return []
  return [
    `the ${what} of ${gateway} grew from ${mib(before)} to ${mib(after)} MiB between the second and the last third`,
  ]
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((left, right) => left - right)[Math.floor(numbers.length / 2)] ?? 0
}

function mib(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1)
}
