import type { CborReader } from '../base/cbor-reader.ts'
import type { CborWriter } from '../base/cbor-writer.ts'
import { assert } from '../base/errors.ts'
import { isFounding, isMemberId, type MemberId, memberIdToBytes } from '../base/ids.ts'
import { RULES_BYTES_MAX, VALUE_DEPTH_MAX } from '../base/limits.ts'
import type { Cell } from '../state/cell.ts'
import type { Positioned } from '../state/operation.ts'
import { notePathRead, type Path, pathProblem, recentPaths } from '../state/path.ts'
import { type Priority, priorityOf, TIER_MAX } from '../state/priority.ts'
import { areRanges } from '../state/came-back.ts'
import { isMemberValue } from '../state/member-value.ts'
import { deviceOfRules, isReserved, isRulesPoint, memberOfOriginals, memberOfPoint } from '../state/reserved-point.ts'
import { areRules } from '../state/rules/rules-codec.ts'
import { isValue, type Value } from '../state/value.ts'
import { invalid } from './codec-fields.ts'

/**
 * The settled cells of a snapshot, one after the other: by far the most of it. A cell is a list:
 * - [path, value]: nobody has set, deleted or toggled the point
 * - [path, writer, seq, stages below the floor]: a tombstone
 * - [path, writer, seq, stages below the floor, value]
 *
 * A writer is [member id, tier] where it comes first, and then its place among them: many cells have few writers.
 */
export class CellWriter {
  readonly #floor: number
  readonly #places = new Map<MemberId, number>()

  constructor(floor: number) {
    this.#floor = floor
  }

  write(writer: CborWriter, [path, cell]: readonly [Path, Cell]): void {
    const { value } = cell
    if (cell.writer === null) {
      assert(value !== undefined, 'an empty cell is settled nowhere')
      writer.list(2)
      writer.text(path)
    } else {
      writer.list(value === undefined ? 4 : 5)
      writer.text(path)
      this.#writeWriter(writer, cell.writer)
    }
    if (value !== undefined) writer.value(value)
  }

  #writeWriter(writer: CborWriter, { id, stage, priority }: Positioned): void {
    assert(stage <= this.#floor, 'what is settled was written at or below the floor')
    const place = this.#places.get(id.member)
    if (place === undefined) {
      this.#places.set(id.member, this.#places.size)
      writer.list(2)
      writer.bytes(memberIdToBytes(id.member))
      writer.uint(priority.tier)
    } else writer.uint(place)
    writer.uint(id.seq)
    writer.uint(this.#floor - stage)
  }
}

/** Every method throws FleetstepError `message-invalid`. */
export class CellReader {
  readonly #floor: number
  readonly #members: MemberId[] = []
  readonly #priorities: Priority[] = []

  constructor(floor: number) {
    this.#floor = floor
  }

  read(reader: CborReader): readonly [Path, Cell] {
    const length = reader.list('cell', 2, 5)
    if (length === 3) throw invalid('cell', 'has half a writer')
    const path = readPath(reader)
    const writer = length === 2 ? null : this.#readWriter(reader)
    const cell = { value: length === 4 ? undefined : readValue(reader, path), writer }
    if (isReserved(path) && !isReservedCell(path, cell)) throw invalid('cell', 'is none of the protocol')
    return [path, cell]
  }

  #readWriter(reader: CborReader): Positioned {
    const place = reader.isAtUint ? reader.uint('writer') : this.#readNewWriter(reader)
    const [member, priority] = [this.#members[place], this.#priorities[place]]
    if (member === undefined || priority === undefined) throw invalid('writer', 'has not come before')
    const id = { member, seq: reader.uint('seq') }
    return { id, stage: this.#floor - reader.uint('stages below the floor', this.#floor), priority }
  }

  #readNewWriter(reader: CborReader): number {
    reader.list('writer', 2, 2)
    const member = reader.memberId('member')
    this.#priorities.push(priorityOf(member, reader.uint('tier', TIER_MAX)))
    return this.#members.push(member) - 1
  }
}

/** The members and the rules have paths of their own. */
function readPath(reader: CborReader): Path {
  const recent = reader.takeRecent('path', recentPaths)
  if (recent !== null) return recent
  const path = reader.text('path') as Path
  if (isReserved(path)) return path
  if (pathProblem(path) !== null) throw invalid('path', 'is not valid')
  return notePathRead(path)
}

/** What the protocol keeps for itself: nothing else than it has put there. The value of rules was looked at when it was read. */
function isReservedCell(path: Path, { value, writer }: Cell): boolean {
  if (isRulesPoint(path)) return writer !== null
  const member = memberOfPoint(path)
  if (member !== null) return writer !== null && isMemberId(member) && !isFounding(member) && isMemberValue(value)
  const issuer = memberOfOriginals(path)
  return writer === null && issuer !== null && isMemberId(issuer) && areRanges(value)
}

/** Rules are looked at whole, since they judge from then on. */
function readValue(reader: CborReader, path: Path): Value {
  if (deviceOfRules(path) === null) {
    const value = reader.value('value', VALUE_DEPTH_MAX)
    if (!isValue(value)) throw invalid('value', 'is not valid')
    return value
  }
  if (!isRulesPoint(path)) throw invalid('rules', 'are of no device')
  const rules = new Uint8Array(reader.bytes('rules', 0, RULES_BYTES_MAX))
  if (!areRules(rules)) throw invalid('rules', 'are none')
  return rules
}
