import type { Digest } from '../base/digest.ts'
import { FleetstepError } from '../base/errors.ts'
import type { OperationId } from '../base/ids.ts'
import type { Cell } from '../state/cell.ts'
import type { OperationRequest } from '../state/operation.ts'
import { belowDevice, deviceOf, type Path } from '../state/path.ts'
import { deviceOfRules, isReserved, isRulesPoint, rulesPoint } from '../state/reserved-point.ts'
import { type Objection, objectionToValue } from '../state/rules/judge.ts'
import { encodeRules, rulesDigest, ruleTableAt } from '../state/rules/rules-codec.ts'
import type { DeviceRules, RuleTable } from '../state/rules/rules.ts'
import type { Value } from '../state/value.ts'
import type { LocalState } from './local-state.ts'

/** The rules of one device as they stand here now. */
export interface StandingRules {
  readonly device: string
  readonly rules: DeviceRules
  /** Of the rules: the same on every member that has them. */
  readonly digest: Digest
  /** The operation that set them; a draft's while this node is a draft. */
  readonly by: OperationId | null
  readonly stage: number
  /** False while an operation that is not settled could still change them. */
  readonly isSettled: boolean
}

/** A value that stands although it could not be written now: it was there before the rules. It stays until it is written. */
export interface MisfitLine extends Objection {
  readonly path: Path
  readonly value: Value
}

/**
 * The operation that sets the rules of a device, or takes them away. They judge every operation behind its place in the
 * canonical order; what stands already stays, see {@link misfits}.
 * @throws FleetstepError `rules-invalid`, `operation-invalid` (the name of the device)
 */
export function rulesRequest(device: string, rules: DeviceRules | null): OperationRequest {
  const path = rulesPoint(device)
  if (!isRulesPoint(path))
    throw new FleetstepError('operation-invalid', `${JSON.stringify(device)} is no name of a device: that is one name`)
  if (rules === null) return { writes: [{ path, kind: 'delete', argument: null }], guards: [] }
  return { writes: [{ path, kind: 'set', argument: encodeRules(rules) }], guards: [] }
}

/** By device. @param drafted the cells that drafts have changed */
export function standingRules(local: LocalState, drafted: ReadonlyMap<Path, Cell>): StandingRules[] {
  const standing: StandingRules[] = []
  const held = [...local.registers()].map(({ path }) => path)
  for (const path of new Set([...held, ...drafted.keys()])) {
    const device = deviceOfRules(path)
    if (device === null) continue
    const { value, writer } = drafted.get(path) ?? local.cell(path)
    const table = ruleTableAt(value)
    if (table === null || !(value instanceof Uint8Array)) continue
    const settled = local.settledCell(path)
    standing.push({
      device,
      rules: table.rules,
      digest: rulesDigest(value),
      by: writer?.id ?? null,
      stage: writer?.stage ?? 0,
      isSettled: settled.writer !== null && settled.writer.stage === writer?.stage && settled.value === value,
    })
  }
  return standing.sort((left, right) => (left.device < right.device ? -1 : 1))
}

/** Which values of the device do not fit `table`, by path. */
export function misfits(entries: Iterable<readonly [Path, Value]>, device: string, table: RuleTable): MisfitLine[] {
  const lines: MisfitLine[] = []
  for (const [path, value] of entries) {
    if (isReserved(path) || deviceOf(path) !== device) continue
    const objection = objectionToValue(belowDevice(path), value, table)
    if (objection !== null) lines.push({ path, value, ...objection })
  }
  return lines.sort((left, right) => (left.path < right.path ? -1 : 1))
}
