import type { NodeId } from '../../runtime/base/ids.ts'
import type { Random } from '../../runtime/base/random.ts'
import type { OperationRequest } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import type { Value } from '../../runtime/state/value.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'

/** 1,000 paths of 20 characters: what a fleet of machines looks like. */
const PATHS: readonly Path[] = Array.from(
  { length: 1000 },
  (_, index) => `line${index % 10}/machine${String(index).padStart(4, '0')}/p`.padEnd(20, 'x').slice(0, 20) as Path,
)

/** Numbers, booleans and short texts, as devices report them. */
function drawValue(random: Random): Value {
  const kind = random.uint32() % 4
  if (kind === 0) return random.uint32() % 2 === 0
  if (kind === 1) return `state-${random.uint32() % 100}`
  return kind === 2 ? random.uint32() % 10_000 : (random.uint32() % 10_000) / 8
}

export function drawRequest(random: Random): OperationRequest {
  const path = PATHS[random.uint32() % PATHS.length] as Path
  return { writes: [{ path, kind: 'set', argument: drawValue(random) }], guards: [] }
}

export function founders(count: number): Genesis {
  const node = (index: number): NodeId => (index + 0x1000).toString(16).padStart(16, '0') as NodeId
  return {
    name: 'bench',
    founders: Array.from({ length: count }, (_, index) => ({ node: node(index), tier: index % 256 })),
  }
}
