import { mapped } from '../base/mapped.ts'
import { type Cell, EMPTY_CELL, sameCell } from '../state/cell.ts'
import { execute, type Execution, isPlainYield, type Law, yieldsAgain, yieldTo } from '../state/executor.ts'
import { isFounding, type MemberId } from '../base/ids.ts'
import { type Path } from '../state/path.ts'
import type { Operation } from '../state/operation.ts'
import { deviceOfRules, isReserved, memberOfPoint } from '../state/reserved-point.ts'
import type { Entry } from '../state/entry.ts'
import { Register } from '../state/register.ts'
import { type Charter, OPEN_CHARTER } from '../state/role.ts'
import { ruleTableAt } from '../state/rules/rules-codec.ts'
import type { Value } from '../state/value.ts'
import type { RuleTable } from '../state/rules/rules.ts'
import type { YieldedTogether } from '../state/yielded.ts'
import { type ChangedCell, type Effects, Run } from './effects.ts'
import { LastUndo, type Undo } from './last-undo.ts'
import { RuleIndex, rulesOver } from './rule-index.ts'
import { WaitingQueue } from './waiting-queue.ts'

/**
 * The local state module: the device-state object, as the result of executing the journal's operations in canonical order
 * on the settled cells.
 *
 * Undo and redo never walk the journal. An entry that is added or removed leads along the chains of its points to the next
 * entries that meet another cell than before; those wait in the waiting queue, execute again in canonical order, and lead
 * on only where their own result differs. The result is that of executing everything again (PROTOCOL section 3).
 *
 * An operation is judged by the rules that stand over its points at its place. Where these change, so do the entries wait that
 * write points of which they say something else than before.
 */
export class LocalState {
  readonly #registers = new Map<Path, Register>()
  readonly #queue = new WaitingQueue()
  readonly #rules = new RuleIndex()
  /** What a join has settled: what these members issue from then on does not meet their points, as if they were founders. */
  readonly #settledMembers = new Map<MemberId, Value>()
  readonly #free: Law
  readonly #undo = new LastUndo()
  readonly #run = new Run()

  constructor(charter: Charter = OPEN_CHARTER) {
    this.#free = { charter, rules: null }
  }

  get(path: Path): Value | undefined {
    return this.#registers.get(path)?.cell.value
  }

  has(path: Path): boolean {
    return this.#registers.has(path)
  }

  cell(path: Path): Cell {
    return this.#registers.get(path)?.cell ?? EMPTY_CELL
  }

  /** The cell at the floor: no member can change what it says any more. */
  settledCell(path: Path): Cell {
    return this.#registers.get(path)?.settled ?? EMPTY_CELL
  }

  /** The operations of the journal that meet a point, in canonical order. */
  entriesAt(path: Path): readonly Entry[] {
    return this.#registers.get(path)?.entries ?? []
  }

  /** The rules that stand over a point, also if nobody has named it yet. */
  rulesOf(path: Path): RuleTable | null {
    const governor = this.#rules.governorOf(path)
    return governor === null ? null : ruleTableAt(governor.cell.value)
  }

  /** Points that have ever been named and are not forgotten, tombstones included. */
  get size(): number {
    return this.#registers.size
  }

  /** 0 between two inputs. */
  get waitingQueueLength(): number {
    return this.#queue.length
  }

  /** How often an entry was executed again because another one took a place before it. */
  get reexecutions(): number {
    return this.#undo.undoneTotal
  }

  /** What went through the waiting queue last, or null. */
  get lastUndo(): Undo | null {
    return this.#undo.last
  }

  *registers(): Generator<Register> {
    yield* this.#registers.values()
  }

  /** Every point that anything is settled of. */
  settledCells(): readonly (readonly [Path, Cell])[] {
    const cells: (readonly [Path, Cell])[] = []
    for (const { path, settled } of this.#registers.values()) {
      if (!sameCell(settled, EMPTY_CELL)) cells.push([path, settled])
    }
    return cells
  }

  /** Puts back a cell of a snapshot. Only before the first operation. */
  restore(path: Path, cell: Cell): void {
    const register = new Register(path, cell)
    this.#place(register)
    this.#noteSettled(register)
  }

  /**
   * Executes new entries that stand behind all others, in canonical order: nothing can be affected by them. That is how
   * nearly every operation comes.
   */
  append(entries: readonly Entry[]): Effects {
    const [only] = entries
    if (entries.length === 1 && only !== undefined) {
      const registers = this.#registersOf(only.operation)
      if (registers.length === 1) return this.#appendOne(only, registers[0] as Register)
    }
    const run = this.#run
    for (const entry of entries) {
      const registers = this.#registersOf(entry.operation)
      entry.registers = registers
      const execution = this.#executed(entry.operation, mapped(registers, cellOf), this.#lawOver(registers, null))
      entry.executed = execution
      run.executed.push({ entry, before: null, after: execution })
      for (let index = 0; index < registers.length; index++) {
        const register = registers[index] as Register
        run.note(register)
        register.append(entry, execution.after[index] as Cell)
      }
    }
    return run.effects()
  }

  /** Most come one by one, of one point: its cell is all that there is to look at. */
  #appendOne(entry: Entry, register: Register): Effects {
    const { path, cell: before } = register
    entry.registers = register.alone
    const execution = this.#executed(entry.operation, [before], this.#lawOver(register.alone, null))
    const after = execution.after[0] as Cell
    entry.executed = execution
    register.append(entry, after)
    const changed = sameCell(before, after) ? NOTHING_CHANGED : [{ path, before, after }]
    return { changed, executed: [{ entry, before: null, after: execution }], yielded: NOTHING_YIELDED }
  }

  /** Executes new entries and whatever they affect. They stand in the journal already. */
  add(entries: readonly Entry[]): Effects {
    const run = this.#run
    this.#undo.begin('late', entries)
    for (const entry of entries) {
      entry.registers = this.#registersOf(entry.operation)
      for (const register of entry.registers) {
        run.note(register)
        register.insert(entry)
      }
      this.#queue.add(entry)
    }
    return this.#finish(run)
  }

  /** Takes back entries that have left the journal, and executes again whatever that affects. */
  remove(entries: readonly Entry[]): Effects {
    const run = this.#run
    this.#undo.begin('left', entries)
    const affected = new Set<Entry>()
    for (const entry of entries) {
      for (const register of entry.registers) {
        run.note(register)
        const next = register.remove(entry)
        if (next !== undefined) affected.add(next)
      }
    }
    for (const entry of entries) {
      for (const register of rulesAmong(entry)) {
        run.rulesMoved = true
        for (const judged of this.#rules.judged(register, entry.operation, null)) affected.add(judged)
      }
    }
    for (const entry of entries) {
      entry.registers = NO_REGISTERS
      affected.delete(entry)
    }
    for (const entry of affected) this.#queue.add(entry)
    return this.#finish(run)
  }

  /** Settles the entries, which are all of the journal up to `stage`. */
  fold(entries: readonly Entry[], stage: number): void {
    for (const { registers } of entries) {
      for (const register of registers) {
        if (!register.fold(stage)) continue
        this.#noteSettled(register)
        // A point that was only guarded, or that nothing was written to in the end, is as if it had never been named.
        if (register.length === 0 && sameCell(register.settled, EMPTY_CELL)) this.#drop(register)
      }
    }
  }

  /** Forgets a point that is settled as a tombstone or was never written. */
  forget(path: Path): void {
    const register = this.#registers.get(path)
    if (register !== undefined && register.length === 0 && register.cell.value === undefined) this.#drop(register)
  }

  #finish(run: Run): Effects {
    for (let entry = this.#queue.take(); entry !== undefined; entry = this.#queue.take()) this.#execute(entry, run)
    this.#undo.end()
    return run.effects()
  }

  #execute(entry: Entry, run: Run): void {
    const [register] = entry.registers
    const isOfOnePoint = entry.registers.length === 1 && register !== undefined && !setsRules(entry)
    if (isOfOnePoint) this.#executeAlong(register, entry, run)
    else this.#executeAcross(entry, run)
  }

  /**
   * An entry of one point and those behind it in its chain, which need not wait in the queue for one another: what they meet
   * does not depend on any other point. It ends where nothing differs any more, or at an entry of several points; and at once
   * where rules of the journal stand over the point, which may have to be executed first.
   */
  #executeAlong(register: Register, first: Entry, run: Run): void {
    run.note(register)
    const mayTogether = register.governor === null || (!run.rulesMoved && !isJudgedInJournal(register))
    const step = (entry: Entry, met: readonly [Cell]): Cell | null => {
      if (entry !== first && (entry.queued || entry.registers.length > 1 || isJudgedInJournal(register))) {
        this.#queue.add(entry)
        return null
      }
      const previous = entry.execution
      const before = previous?.after[0]
      if (previous !== null) this.#undo.note(entry.operation)
      const mayYieldAgain = previous !== null && (register.governor === null || !run.rulesMoved)
      if (!mayYieldAgain || !yieldsAgain(entry.operation, previous, met)) {
        const execution = this.#executed(entry.operation, met, this.#lawOver(entry.registers, entry.operation))
        if (isPlainYield(entry.operation, execution, met)) yieldTo(execution, met)
        entry.executed = execution
        run.noteExecuted(entry, previous)
      }
      const after = entry.execution?.after[0] ?? EMPTY_CELL
      // Behind a new entry the next one looks again in any case: it has met what stood before, and that may have changed too.
      const isNoticed = before === undefined || !sameCell(before, after)
      return isNoticed || entry === register.last ? after : null
    }
    register.walk(first, mayTogether, step, (together) => {
      this.#undo.noteTogether(together.entries.length)
      run.yielded.push(together)
    })
  }

  #executeAcross(entry: Entry, run: Run): void {
    const { registers } = entry
    // No entry of a chain that is met for the first time has executed again yet: its end is what watchers know.
    for (const register of registers) run.note(register)
    const met = mapped(registers, (register) => register.before(entry))
    const previous = entry.execution
    if (previous !== null) this.#undo.note(entry.operation)
    const execution = this.#executed(entry.operation, met, this.#lawOver(registers, entry.operation))
    entry.executed = execution
    run.noteExecuted(entry, previous)
    for (const register of rulesAmong(entry)) this.#judgeAgain(register, entry, previous, run)
    for (let index = 0; index < registers.length; index++) {
      const register = registers[index] as Register
      const after = execution.after[index] as Cell
      register.follow(entry, after)
      // Behind a new entry the next one looks again in any case: it has met what stood before, and that may have changed too.
      if (previous !== null && sameCell(previous.after[index] as Cell, after)) continue
      const next = register.next(entry)
      if (next !== undefined) this.#queue.add(next)
    }
  }

  /**
   * The entries behind one that sets rules, up to the next that does. What they were judged by is known if the rules of this
   * run have not changed before: else all of the device are judged again.
   */
  #judgeAgain(register: Register, entry: Entry, previous: Execution | null, run: Run): void {
    const index = entry.registers.indexOf(register)
    const before = previous === null ? register.before(entry) : (previous.after[index] as Cell)
    const after = entry.execution?.after[index] ?? EMPTY_CELL
    const isKnown = previous !== null || !run.rulesMoved
    if (isKnown && sameCell(before, after)) return
    run.rulesMoved = true
    const change = { before: ruleTableAt(before.value), after: ruleTableAt(after.value) }
    for (const judged of this.#rules.judged(register, entry.operation, isKnown ? change : null)) this.#queue.add(judged)
  }

  #lawOver(registers: readonly Register[], at: Operation | null): Law {
    const rules = rulesOver(registers, at)
    return rules === null ? this.#free : { charter: this.#free.charter, rules }
  }

  #executed(operation: Operation, met: readonly Cell[], law: Law): Execution {
    return execute(operation, met, law, this.#settledMembers)
  }

  /** Those that an operation meets: the point of its issuer, which is the last, only while anything can change what that holds. */
  #registersOf(operation: Operation): readonly Register[] {
    const { paths } = operation
    const count = this.#hasSettledIssuer(operation) ? paths.length - 1 : paths.length
    if (count === 1) return this.#register(paths[0] as Path).alone
    return (count < paths.length ? paths.slice(0, count) : paths).map((path) => this.#register(path))
  }

  /** What admits a member, or has come back, is rare and may meet the point of its issuer always. */
  #hasSettledIssuer({ id, join, original }: Operation): boolean {
    if (this.#settledMembers.size === 0 || join !== null || original !== null) return false
    return !isFounding(id.member) && this.#settledMembers.has(id.member)
  }

  /** The first join of a member counts, and what is settled is the first: no operation above the floor can change its point. */
  #noteSettled({ path, settled }: Register): void {
    const member = isReserved(path) ? memberOfPoint(path) : null
    if (member !== null && settled.value !== undefined) this.#settledMembers.set(member, settled.value)
  }

  #register(path: Path): Register {
    let register = this.#registers.get(path)
    if (register === undefined) {
      register = new Register(path)
      this.#place(register)
    }
    return register
  }

  #place(register: Register): void {
    this.#registers.set(register.path, register)
    this.#rules.note(register, this.#registers.values())
  }

  #drop(register: Register): void {
    this.#registers.delete(register.path)
    this.#rules.forget(register)
  }
}

/** The points of rules that an operation sets; nearly always none. */
function rulesAmong(entry: Entry): readonly Register[] {
  return setsRules(entry) ? entry.registers.filter(({ path }) => deviceOfRules(path) !== null) : NO_REGISTERS
}

/** It sets rules and nothing else, or none: see `writesProblem`. */
function setsRules({ operation }: Entry): boolean {
  const [first] = operation.writes
  return first !== undefined && deviceOfRules(first.path) !== null
}

const NO_REGISTERS: readonly Register[] = []
const NOTHING_CHANGED: readonly ChangedCell[] = []
const NOTHING_YIELDED: readonly YieldedTogether[] = []

function isJudgedInJournal({ governor }: Register): boolean {
  return governor !== null && governor.length > 0
}

function cellOf(register: Register): Cell {
  return register.cell
}
