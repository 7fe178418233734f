import type { NodeId } from '../../runtime/base/ids.ts'
import type { OperationRequest } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import type { Value } from '../../runtime/state/value.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { Replica } from '../../runtime/sync/replica.ts'

/** A genesis of founders named `a`, `b`, `c` …; the first has the highest priority. */
export function genesisOf(count: number): Genesis {
  const founders = Array.from({ length: count }, (_, index) => ({
    node: `${(0x0a + index).toString(16).padStart(2, '0')}00000000000001` as NodeId,
    tier: count - index,
  }))
  return { name: 'test', founders }
}

export function stateOf(replica: Replica): Record<string, Value> {
  return Object.fromEntries([...replica.entries()].sort(([left], [right]) => (left < right ? -1 : 1)))
}

export function set(path: string, value: Value): OperationRequest {
  return { writes: [{ path: path as Path, kind: 'set', argument: value }], guards: [] }
}
