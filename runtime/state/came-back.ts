import { CAME_BACK_RANGES_MAX } from '../base/limits.ts'
import { isList, type Value } from './value.ts'

/**
 * Which originals of one member have come back: disjoint ranges of seqs, ascending, as [from, through, from, through …]. It is
 * the value of a reserved point. A later epoch may cut more than one before, so they need not come back in order.
 */
export function hasComeBack(value: Value | undefined, seq: number): boolean {
  return rangesOf(value).some(([from, through]) => from <= seq && seq <= through)
}

/** Adds `seq`. Of too many ranges the two lowest become one: what lies between them is the longest ago. */
export function withComeBack(value: Value | undefined, seq: number): Value {
  const merged: [number, number][] = []
  const ranges = [...rangesOf(value), [seq, seq] as const].sort(([left], [right]) => left - right)
  for (const [from, through] of ranges) {
    const last = merged.at(-1)
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], through)
    else merged.push([from, through])
  }
  while (merged.length > CAME_BACK_RANGES_MAX) {
    const [lowest, next] = merged.splice(0, 2)
    merged.unshift([lowest?.[0] ?? 0, next?.[1] ?? 0])
  }
  return merged.flat()
}

function rangesOf(value: Value | undefined): (readonly [number, number])[] {
  if (!isList(value)) return []
  const ranges: (readonly [number, number])[] = []
  for (let index = 0; index + 1 < value.length; index += 2)
    ranges.push([Number(value[index]), Number(value[index + 1])])
  return ranges
}
