import { formatOperationId } from '../base/ids.ts'
import type { Path } from '../state/path.ts'
import { deviceOfRules, showPoint } from '../state/reserved-point.ts'
import { rulesDigest } from '../state/rules/rules-codec.ts'
import type { Conflict, ConflictSide } from '../sync/conflict.ts'
import { valueToJson } from './control-protocol.ts'

export function conflictToJson({ id, path, winner, loser }: Conflict): object {
  return { id, path: showPoint(path), winner: sideToJson(winner, path), loser: sideToJson(loser, path) }
}

/** Rules are told by their digest: people know them by the profile, see `gateway.profiles`. */
function sideToJson({ operation, stage, value }: ConflictSide, path: Path): object {
  const isOfRules = deviceOfRules(path) !== null && value instanceof Uint8Array
  const shown = isOfRules ? `rules ${rulesDigest(value)}` : valueToJson(value)
  return { operation: formatOperationId(operation), stage, value: shown }
}
