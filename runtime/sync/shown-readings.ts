import type { Monotonic } from '../base/clock.ts'
import { type MemberId, type NodeId, nodeOf } from '../base/ids.ts'
import type { Cell } from '../state/cell.ts'
import { deviceOf, type Path } from '../state/path.ts'
import { comparePriority } from '../state/priority.ts'
import { rulesPoint } from '../state/reserved-point.ts'
import { objectionToReading } from '../state/rules/judge.ts'
import { ruleTableAt } from '../state/rules/rules-codec.ts'
import type { RuleTable } from '../state/rules/rules.ts'
import { equalValues, type Value } from '../state/value.ts'
import type { HeldReading, HeldReadings } from './held-readings.ts'
import type { Quality } from './output.ts'
import type { OwnReading, OwnReadings } from './own-readings.ts'
import type { ReplicaCore } from './replica-core.ts'

/** A reading as it stands here now. */
export interface ShownReading {
  readonly path: Path
  readonly value: Value
  readonly quality: Quality
  /** At least: since it was read, less what its message spent on its way. By monotonic clocks alone. */
  readonly ageMs: number
  /** The node that has read it. */
  readonly node: NodeId
}

/**
 * What is shown of the readings that are held. A point that an operation has written is not shown as telemetry, so operations win;
 * of these the node that reads them says the same way how old they are ({@link ShownReadings.vouched}). Where rules stand for the
 * device, a point is telemetry of the one node that may write it; else of whoever says it, and of several the one of highest
 * priority is shown.
 */
export class ShownReadings {
  readonly #core: ReplicaCore
  /** What operations have made of a point, as it is seen here. */
  readonly #cellAt: (path: Path) => Cell
  readonly #own: OwnReadings
  readonly #held: HeldReadings

  constructor(core: ReplicaCore, cellAt: (path: Path) => Cell, own: OwnReadings, held: HeldReadings) {
    this.#core = core
    this.#cellAt = cellAt
    this.#own = own
    this.#held = held
  }

  /** What is shown of a point, or null: there is none, or operations have written it. */
  reading(path: Path, now: Monotonic): ShownReading | null {
    if (this.valueAt(path) !== undefined) return null
    const own = this.#own.get(path)
    const held = this.#foremost(path)
    if (own?.isVouched === false && (held === null || !this.#isAbove(held))) {
      return this.#shownOwn(own, now)
    }
    return held === null ? null : shownReading(held, now)
  }

  /**
   * How lately the value that an operation has made of a point was read, by the node whose operation it was; null where that
   * node has not said so of this very value. So what comes late, as behind a split, is of no age here until its node is heard.
   */
  vouched(path: Path, now: Monotonic): ShownReading | null {
    const { value, writer } = this.#cellAt(path)
    if (value === undefined || writer === null) return null
    const node = nodeOf(writer.id.member)
    const own = this.#own.get(path)
    if (node === this.#core.node) {
      return own !== undefined && equalValues(own.value, value) ? this.#shownOwn(own, now) : null
    }
    let youngest: ShownReading | null = null
    for (const held of this.#held.of(path)) {
      if (nodeOf(held.member) !== node || !equalValues(held.value, value) || !this.stands(held)) continue
      const shown = shownReading(held, now)
      if (youngest === null || shown.ageMs < youngest.ageMs) youngest = shown
    }
    return youngest
  }

  /** Everything that is shown, in no order. */
  *readings(now: Monotonic): Generator<ShownReading> {
    for (const path of new Set([...this.#held.paths(), ...[...this.#own.all()].map((one) => one.path)])) {
      const shown = this.reading(path, now)
      if (shown !== null) yield shown
    }
  }

  /** Why telemetry of a member counts for nothing, or null. */
  problemOfSender(member: MemberId): string | null {
    const { membership, retirement } = this.#core.history
    const known = membership.get(member)
    if (known === undefined || retirement.isRetired(member)) return 'telemetry of a node that is no member'
    return known.role === 'observer' ? 'telemetry of an observer' : null
  }

  /** Its member counts, and the rules of its device, which may be others by now, let it through. */
  stands(held: HeldReading): boolean {
    if (this.problemOfSender(held.member) !== null) return false
    const table = this.rulesOf(held.path)
    if (table === held.judgedBy) return true
    const objection = objectionToReading(held.path, held.value, nodeOf(held.member), table)
    if (objection === null) held.judgedBy = table
    return objection === null
  }

  /** The reading of another member that is shown of a point, if this node has none: one that is not stale, of highest priority. */
  #foremost(path: Path): HeldReading | null {
    let foremost: HeldReading | null = null
    for (const held of this.#held.of(path)) {
      if (!this.stands(held)) continue
      if (foremost === null || this.#compare(held, foremost) > 0) foremost = held
    }
    return foremost
  }

  #compare(left: HeldReading, right: HeldReading): number {
    if (left.isStale !== right.isStale) return left.isStale ? -1 : 1
    const { membership } = this.#core.history
    const [one, other] = [membership.get(left.member), membership.get(right.member)]
    return one === undefined || other === undefined ? 0 : comparePriority(one.priority, other.priority)
  }

  /** Above this node's own reading of the same point. */
  #isAbove({ member, isStale }: HeldReading): boolean {
    const priority = this.#core.history.membership.get(member)?.priority
    return !isStale && priority !== undefined && comparePriority(priority, this.#core.priority) > 0
  }

  #shownOwn({ path, value, quality, readAt }: OwnReading, now: Monotonic): ShownReading {
    return { path, value, quality, ageMs: Math.round(now - readAt), node: this.#core.node }
  }

  /** What operations have made of a point. */
  valueAt(path: Path): Value | undefined {
    return this.#cellAt(path).value
  }

  /** The rules of the device of a point, or null. */
  rulesOf(path: Path): RuleTable | null {
    return ruleTableAt(this.valueAt(rulesPoint(deviceOf(path))))
  }
}

function shownReading(held: HeldReading, now: Monotonic): ShownReading {
  const { path, value, quality, ageMs, heardAt, member, isStale } = held
  const wholeMs = Math.round(ageMs + now - heardAt)
  return { path, value, quality: isStale ? 'stale' : quality, ageMs: wholeMs, node: nodeOf(member) }
}
