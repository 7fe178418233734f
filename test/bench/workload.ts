import type { NodeId } from '../../runtime/base/ids.ts'
import type { Random } from '../../runtime/base/random.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { Scalar, Write } from './peers-adapters/peer.ts'

/** 1,000 paths of 20 characters: what a fleet of machines looks like. */
export const PATHS: readonly string[] = Array.from({ length: 1000 }, (_, index) =>
  `line${index % 10}/machine${String(index).padStart(4, '0')}/p`.padEnd(20, 'x').slice(0, 20),
)

/** Numbers, booleans and short texts, as devices report them. */
function drawValue(random: Random): Scalar {
  const kind = random.uint32() % 4
  if (kind === 0) return random.uint32() % 2 === 0
  if (kind === 1) return `state-${random.uint32() % 100}`
  return kind === 2 ? random.uint32() % 10_000 : (random.uint32() % 10_000) / 8
}

export function drawWrite(random: Random): Write {
  return { path: PATHS[random.uint32() % PATHS.length] as string, value: drawValue(random) }
}

export function drawWrites(random: Random, count: number): Write[] {
  return Array.from({ length: count }, () => drawWrite(random))
}

export function founders(count: number): Genesis {
  const node = (index: number): NodeId => (index + 0x1000).toString(16).padStart(16, '0') as NodeId
  return {
    name: 'bench',
    founders: Array.from({ length: count }, (_, index) => ({ node: node(index), tier: index % 256 })),
  }
}
