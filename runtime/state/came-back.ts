import { CAME_BACK_RANGES_MAX } from '../base/limits.ts'
import { isList, type Value } from './value.ts'

/**
 * Which originals of one member have come back: disjoint ranges of seqs, ascending, as [from, through, from, through …]. It is
 * the value of a reserved point. A later epoch may cut more than one before, so they need not come back in order.
 */
export function hasComeBack(value: Value | undefined, seq: number): boolean {
  const ends = endsOf(value)
  const count = countUpTo(seq, ends)
  return count % 2 === 1 || (count > 0 && ends[count - 1] === seq)
}

/** Adds `seq`. Of too many ranges the two lowest become one: what lies between them is the longest ago. */
export function withComeBack(value: Value | undefined, seq: number): Value {
  const ends = [...endsOf(value)]
  if (hasComeBack(ends, seq)) return ends
  const at = countUpTo(seq, ends)
  const [joinsLower, joinsHigher] = [at > 0 && ends[at - 1] === seq - 1, ends[at] === seq + 1]
  if (joinsLower && joinsHigher) ends.splice(at - 1, 2)
  else if (joinsLower) ends[at - 1] = seq
  else if (joinsHigher) ends[at] = seq
  else ends.splice(at, 0, seq, seq)
  while (ends.length > 2 * CAME_BACK_RANGES_MAX) ends.splice(1, 2)
  return ends
}

/** True for what {@link withComeBack} makes. */
export function areRanges(value: Value | undefined): boolean {
  if (!isList(value) || value.length % 2 > 0 || value.length > 2 * CAME_BACK_RANGES_MAX) return false
  return value.every(
    (end, index) => Number.isSafeInteger(end) && (index === 0 || Number(value[index - 1]) <= Number(end)),
  )
}

/** How many of the ends lie at or below `seq`: an odd number if it lies within a range, and not at the end of one. */
function countUpTo(seq: number, ends: readonly Value[]): number {
  let low = 0
  let high = ends.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (Number(ends[middle]) <= seq) low = middle + 1
    else high = middle
  }
  return low
}

function endsOf(value: Value | undefined): readonly Value[] {
  return isList(value) ? value : []
}
