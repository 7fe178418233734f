import type { MemberId } from '../base/ids.ts'
import { MEMBERS_MAX } from '../base/limits.ts'
import type { Original } from './operation.ts'
import { type Path, pathProblem } from './path.ts'

/**
 * Points that the protocol keeps for itself beside those of the device. They are cells like any other, so that membership
 * is undone, executed again, settled and carried in snapshots by the very rules of the state. Their names begin with a
 * control character, which no path of a device may hold.
 */
const MARK = '\u0000'

/** Holds the `memberValue` of a member; its writer is the join that counts, which is the first in canonical order. */
export function memberPoint(member: MemberId): Path {
  const known = memberPoints.get(member)
  if (known !== undefined) return known
  // Whoever sends ids that nobody has must not cost memory.
  if (memberPoints.size >= MEMBERS_MAX) memberPoints.clear()
  const path = `${MEMBER_PREFIX}${member}` as Path
  memberPoints.set(member, path)
  return path
}

/** Holds which originals of this kind and member came back under another id. */
export function originalPoint({ kind, id }: Original): Path {
  return `${MARK}${kind}/${id.member}` as Path
}

/** Holds the rules of a device, encoded; it is written as any point is, by those who may. */
export function rulesPoint(device: string): Path {
  return `${RULES_PREFIX}${device}` as Path
}

export function isReserved(path: Path): boolean {
  return path.charCodeAt(0) === 0
}

/** The member whose point `path` is, or null for any other point. */
export function memberOfPoint(path: Path): MemberId | null {
  return path.startsWith(MEMBER_PREFIX) ? (path.slice(MEMBER_PREFIX.length) as MemberId) : null
}

/** The member whose originals `path` tells of, or null for any other point. */
export function memberOfOriginals(path: Path): MemberId | null {
  const prefix = ORIGINAL_PREFIXES.find((one) => path.startsWith(one))
  return prefix === undefined ? null : (path.slice(prefix.length) as MemberId)
}

/** The device whose rules are at `path`, or null for any other point. */
export function deviceOfRules(path: Path): string | null {
  return isReserved(path) && path.startsWith(RULES_PREFIX) ? path.slice(RULES_PREFIX.length) : null
}

/** True for the points of rules that operations may write: a device is one name. */
export function isRulesPoint(path: Path): boolean {
  const device = deviceOfRules(path)
  return device !== null && !device.includes('/') && pathProblem(device) === null
}

/** As people see a point: one that is reserved without the mark, which no screen shows. */
export function showPoint(path: Path): string {
  return isReserved(path) ? path.slice(MARK.length) : path
}

/** Every operation of a member that has joined names its point. */
const memberPoints = new Map<MemberId, Path>()
const RULES_PREFIX = `${MARK}rules/`
const ORIGINAL_PREFIXES: readonly string[] = [`${MARK}operation/`, `${MARK}draft/`]
const MEMBER_PREFIX = `${MARK}member/`
