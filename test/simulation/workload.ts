import type { Random } from '../../runtime/base/random.ts'
import { COMPARISONS, type Guard, type OperationRequest } from '../../runtime/state/operation.ts'
import type { Path } from '../../runtime/state/path.ts'
import type { Value } from '../../runtime/state/value.ts'
import { below, chance, pick } from './swarm.ts'

/** Nobody does anything but `add` here, without guards: a doubled or lost operation shows. */
const COUNTER: Path = 'count' as Path

export function drawRequest(random: Random, paths: number): OperationRequest {
  if (chance(random, 0.2))
    return { writes: [{ path: COUNTER, kind: 'add', argument: 1 + below(random, 9) }], guards: [] }
  const writes = Array.from({ length: chance(random, 0.25) ? 2 + below(random, 2) : 1 }, () => drawWrite(random, paths))
  const guards = Array.from({ length: chance(random, 0.15) ? 1 : 0 }, () => drawGuard(random, paths))
  return { writes, guards }
}

function drawWrite(random: Random, paths: number): OperationRequest['writes'][number] {
  const path = drawPath(random, paths)
  const kind = pick(random, ['set', 'set', 'set', 'delete', 'toggle', 'add', 'append'] as const)
  switch (kind) {
    case 'set':
      return { path, kind, argument: drawValue(random) }
    case 'delete':
    case 'toggle':
      return { path, kind, argument: null }
    case 'add':
      return { path, kind, argument: below(random, 9) - 4 }
    case 'append':
      return { path, kind, argument: below(random, 9) }
  }
}

function drawGuard(random: Random, paths: number): Guard {
  const path = drawPath(random, paths)
  const comparison = pick(random, COMPARISONS)
  return { path, comparison, value: comparison === 'exists' ? chance(random, 0.5) : below(random, 9) }
}

/** Some of one kind, so that adds, appends and toggles often fit. */
function drawValue(random: Random): Value {
  return pick<() => Value>(random, [
    () => below(random, 9),
    () => below(random, 9),
    () => chance(random, 0.5),
    () => [],
    () => 'auto',
  ])()
}

function drawPath(random: Random, paths: number): Path {
  return `p/${below(random, paths)}` as Path
}
