import type { Operation } from '../state/operation.ts'
import { belowDevice, deviceOf, type Path } from '../state/path.ts'
import { deviceOfRules, isReserved } from '../state/reserved-point.ts'
import type { Entry } from '../state/entry.ts'
import type { Register } from '../state/register.ts'
import { ruleTableAt } from '../state/rules/rules-codec.ts'
import { type RuleTable, sameRuling } from '../state/rules/rules.ts'

/**
 * Which points each device has, so that a change of its rules finds what they judge. It begins with the first rules that
 * anybody names: a state without any holds and pays nothing. A point knows the rules of its device as its `governor`.
 */
export class RuleIndex {
  #devices: Map<string, Device> | null = null

  /** The rules over a point, named or not. */
  governorOf(path: Path): Register | null {
    return this.#devices?.get(deviceOf(path))?.rules ?? null
  }

  /** A point is named for the first time. @param all the points, this one among them */
  note(register: Register, all: Iterable<Register>): void {
    const device = deviceOfRules(register.path)
    if (device !== null) this.#noteRules(device, register, all)
    else if (this.#devices !== null) this.#notePoint(register)
  }

  /** A point is as if it had never been named. */
  forget(register: Register): void {
    if (this.#devices === null || (isReserved(register.path) && deviceOfRules(register.path) === null)) return
    const name = deviceOfRules(register.path) ?? deviceOf(register.path)
    const device = this.#devices.get(name)
    if (device === undefined) return
    if (device.rules === register) {
      device.rules = null
      for (const point of device.points) point.governor = null
    } else device.points.delete(register)
    if (device.rules === null && device.points.size === 0) this.#devices.delete(name)
  }

  /**
   * The entries of the journal that the rules at `register` judge from the place of `operation` on until the next change of
   * them; only those of points whose rule differs between `before` and `after`, if these are given.
   */
  *judged(register: Register, operation: Operation, change: RulesChange | null): Generator<Entry> {
    const next = register.firstBehind(operation)?.operation ?? null
    for (const point of this.#devices?.get(deviceOfRules(register.path) ?? '')?.points ?? []) {
      if (change !== null && sameRuling(change.before, change.after, belowDevice(point.path))) continue
      yield* point.between(operation, next)
    }
  }

  #noteRules(name: string, rules: Register, all: Iterable<Register>): void {
    if (this.#devices === null) {
      this.#devices = new Map()
      for (const register of all) this.#notePoint(register)
    }
    const device = this.#deviceOf(name)
    device.rules = rules
    for (const point of device.points) point.governor = rules
  }

  #notePoint(register: Register): void {
    if (isReserved(register.path)) return
    const device = this.#deviceOf(deviceOf(register.path))
    device.points.add(register)
    register.governor = device.rules
  }

  #deviceOf(name: string): Device {
    let device = this.#devices?.get(name)
    if (device === undefined) {
      device = { rules: null, points: new Set() }
      this.#devices?.set(name, device)
    }
    return device
  }
}

/** The rules that stood over what lies behind a place, and those that do now. */
export interface RulesChange {
  readonly before: RuleTable | null
  readonly after: RuleTable | null
}

/** The rules that stand over each of an entry's points where it is executed; null if there are none over any. */
export function rulesOver(registers: readonly Register[], at: Operation | null): (RuleTable | null)[] | null {
  let rules: (RuleTable | null)[] | null = null
  for (let index = 0; index < registers.length; index++) {
    const governor = (registers[index] as Register).governor
    if (governor === null) continue
    const table = ruleTableAt(at === null ? governor.cell.value : governor.at(at).value)
    if (table === null) continue
    rules ??= registers.map(() => null)
    rules[index] = table
  }
  return rules
}

interface Device {
  rules: Register | null
  readonly points: Set<Register>
}
