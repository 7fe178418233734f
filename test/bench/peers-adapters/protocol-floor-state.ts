import type { Scalar } from './peer.ts'
import {
  ChainMemory,
  FLOOR,
  MEMBERS,
  NONE,
  NUMBER,
  NumberList,
  type Register,
  REGISTER,
  RegisterTable,
  REPLACED,
  SEQ,
  STAGE,
  STANDS,
  WIDTH,
} from './protocol-floor-table.ts'

/** Who is told that a point has another value than before. */
export interface Listener {
  changed(path: string, before: Scalar | undefined, after: Scalar): void
}

/** The journal by stage, and the state as the result of executing it in canonical order (PROTOCOL section 3). */
export class FloorState {
  readonly registers: RegisterTable = new RegisterTable()
  readonly chains: ChainMemory = new ChainMemory()
  /** By the numbers of the operations. */
  readonly values: Scalar[] = []
  /** The last operation in canonical order; at stage 0 there is none. */
  lastStage = 0
  lastMember = 0
  lastSeq = 0
  readonly #listener: Listener
  /** The first entry of each stage behind `#journalStart`. */
  readonly #stages = new NumberList()
  /** Member, register, and the next entry of the stage in canonical order: with the stage, where its operation stands. */
  readonly #journal = new NumberList()
  #journalStart = 0
  /** Registers in whose chain something has come before what stood there. */
  readonly #stale: Register[] = []

  constructor(listener: Listener) {
    this.#listener = listener
  }

  /** Executes an operation of one's own: its issuer has seen all, and it stands behind all. @returns where its fields stand */
  issue(register: Register, value: Scalar, self: number, seq: number): number {
    const { chains } = this
    const stage = this.lastStage + 1
    const replaced = register.stands
    const at = chains.insert(register, register.length)
    const { fields } = chains
    let members = self
    let replacedSeq = 0
    if (replaced !== NONE) {
      members |= memberAt(fields, register.start + replaced) << 16
      replacedSeq = fields[register.start + replaced + SEQ] as number
    }
    const number = this.values.push(value) - 1
    fields[at + MEMBERS] = members
    fields[at + SEQ] = seq
    fields[at + STAGE] = stage
    fields[at + FLOOR] = 0
    fields[at + REPLACED] = replacedSeq
    fields[at + NUMBER] = number
    fields[at + STANDS] = number
    fields[at + REGISTER] = register.index
    this.#stages.push(this.#entry(self, register.index, NONE))
    this.#noteLast(stage, self, seq)
    this.#stand(register, at - register.start)
    return at
  }

  /** Puts operations in their places, and executes those that nothing stands behind. @param operations their fields */
  place(operations: Int32Array, count: number): void {
    for (let from = 0; from < count * WIDTH; from += WIDTH) {
      const register = this.registers.all[operations[from + REGISTER] as number] as Register
      this.#placeInJournal(operations, from)
      const isStale = register.firstStale !== NONE
      const position = this.#positionFor(register, operations, from)
      const isLast = position === register.length
      const at = this.chains.insert(register, position)
      const { fields } = this.chains
      for (let field = 0; field < WIDTH; field++) fields[at + field] = operations[from + field] as number
      if (isLast && !isStale) this.#executeLast(register, at)
      else this.#noteStale(register, position)
    }
  }

  /** Executes what came before others, and these again. */
  execute(): void {
    if (this.#stale.length === 0) return
    for (const register of this.#stale) {
      const { firstStale, lastStale } = register
      register.firstStale = NONE
      this.#execute(register, firstStale, lastStale)
    }
    this.#stale.length = 0
  }

  /** Takes back a cell of a snapshot, before anything else. */
  restore(path: string, value: Scalar, member: number, seq: number, stage: number): void {
    const register = this.registers.of(path)
    const at = this.chains.insert(register, 0)
    const { fields } = this.chains
    const number = this.values.push(value) - 1
    fields[at + MEMBERS] = member
    fields[at + SEQ] = seq
    fields[at + STAGE] = stage
    fields[at + NUMBER] = number
    fields[at + STANDS] = number
    register.stands = 0
    if (stage <= this.lastStage) return
    this.#journalStart = stage
    this.#noteLast(stage, member, seq)
  }

  /** What stands: values, and where the fields of their operations do. */
  points(): { readonly path: string; readonly item: Uint8Array; readonly value: Scalar; readonly at: number }[] {
    return this.registers.all
      .filter(({ stands }) => stands !== NONE)
      .map(({ path, item, start, stands }) => {
        const value = this.values[this.chains.fields[start + stands + NUMBER] as number] as Scalar
        return { path, item, value, at: start + stands }
      })
  }

  /** All operations in canonical order, and whether they are applied. */
  *journal(): Generator<{ readonly member: number; readonly seq: number; readonly isApplied: boolean }> {
    const { fields } = this.chains
    for (let index = 0; index < this.#stages.length; index++) {
      for (let entry = this.#stages.numbers[index] as number; entry !== NONE;) {
        const [member = 0, register = 0, next = NONE] = this.#journal.numbers.subarray(entry, entry + NEXT + 1)
        const { start, length } = this.registers.all[register] as Register
        const stage = this.#journalStart + 1 + index
        let at = start
        while (at < start + length && (fields[at + STAGE] !== stage || memberAt(fields, at) !== member)) at += WIDTH
        yield { member, seq: fields[at + SEQ] as number, isApplied: fields[at + STANDS] === fields[at + NUMBER] }
        entry = next
      }
    }
  }

  #noteLast(stage: number, member: number, seq: number): void {
    this.lastStage = stage
    this.lastMember = member
    this.lastSeq = seq
  }

  #entry(member: number, register: number, next: number): number {
    const entry = this.#journal.length
    this.#journal.push(member)
    this.#journal.push(register)
    this.#journal.push(next)
    return entry
  }

  #placeInJournal(operations: Int32Array, from: number): void {
    const member = memberAt(operations, from)
    const stage = operations[from + STAGE] as number
    const register = operations[from + REGISTER] as number
    const index = stage - this.#journalStart - 1
    if (index === this.#stages.length) this.#stages.push(this.#entry(member, register, NONE))
    else this.#placeInStage(index, member, register)
    if (stage > this.lastStage || (stage === this.lastStage && member > this.lastMember))
      this.#noteLast(stage, member, operations[from + SEQ] as number)
  }

  #placeInStage(index: number, member: number, register: number): void {
    const { numbers } = this.#journal
    let before = NONE
    let behind = this.#stages.numbers[index] as number
    while (behind !== NONE && (numbers[behind] as number) < member) {
      before = behind
      behind = numbers[behind + NEXT] as number
    }
    const entry = this.#entry(member, register, behind)
    if (before === NONE) this.#stages.numbers[index] = entry
    else this.#journal.numbers[before + NEXT] = entry
  }

  /** Where in its chain an operation belongs: mostly behind all. */
  #positionFor({ start, length }: Register, operations: Int32Array, from: number): number {
    const { fields } = this.chains
    if (length === 0 || isBefore(fields, start + length - WIDTH, operations, from)) return length
    let low = 0
    let high = length / WIDTH - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isBefore(fields, start + middle * WIDTH, operations, from)) low = middle + 1
      else high = middle
    }
    return low * WIDTH
  }

  /** Something has come to `position` of a chain. */
  #noteStale(register: Register, position: number): void {
    if (register.stands >= position) register.stands += WIDTH
    if (register.firstStale === NONE) {
      this.#stale.push(register)
      register.firstStale = position
      register.lastStale = position
      return
    }
    register.firstStale = Math.min(register.firstStale, position)
    register.lastStale = Math.max(register.lastStale + WIDTH, position)
  }

  #executeLast(register: Register, at: number): void {
    const { fields } = this.chains
    const { start } = register
    const isApplied = register.stands === NONE || passes(fields, at, start + register.stands)
    fields[at + STANDS] = fields[(isApplied ? at : start + register.stands) + NUMBER] as number
    if (isApplied) this.#stand(register, at - start)
  }

  /** Executes a chain from `first` to `last`, and behind that as long as something comes to another result. */
  #execute(register: Register, first: number, last: number): void {
    const { fields } = this.chains
    const { start, length } = register
    let stands = first === 0 ? NONE : standsBefore(fields, start + first)
    for (let at = start + first; at < start + length; at += WIDTH) {
      if (stands === NONE || passes(fields, at, stands)) stands = at
      const number = fields[stands + NUMBER] as number
      if (at > start + last && fields[at + STANDS] === number) return
      fields[at + STANDS] = number
    }
    if (stands - start !== register.stands) this.#stand(register, stands - start)
  }

  #stand(register: Register, position: number): void {
    const { fields } = this.chains
    const { start, stands } = register
    const before = stands === NONE ? undefined : this.values[fields[start + stands + NUMBER] as number]
    const after = this.values[fields[start + position + NUMBER] as number] as Scalar
    register.stands = position
    if (before !== after) this.#listener.changed(register.path, before, after)
  }
}

/** Of an entry of the journal, behind member and register. */
const NEXT = 2

export function memberAt(fields: Int32Array, at: number): number {
  return (fields[at + MEMBERS] as number) & 0xffff
}

/** Canonical order: by stage, then by priority. */
function isBefore(fields: Int32Array, at: number, operations: Int32Array, from: number): boolean {
  const [stage, other] = [fields[at + STAGE] as number, operations[from + STAGE] as number]
  return stage === other ? memberAt(fields, at) < memberAt(operations, from) : stage < other
}

/** Where the operation stands in the chain that stands before `at`. */
function standsBefore(fields: Int32Array, at: number): number {
  let before = at - WIDTH
  const number = fields[before + STANDS]
  while (fields[before + NUMBER] !== number) before -= WIDTH
  return before
}

/** Whether an operation is applied where it meets another one: it yields to a higher priority that its issuer had not seen. */
function passes(fields: Int32Array, at: number, met: number): boolean {
  const members = fields[at + MEMBERS] as number
  const other = memberAt(fields, met)
  if (other >= (members & 0xffff)) return true
  if ((fields[met + STAGE] as number) <= (fields[at + FLOOR] as number)) return true
  return fields[met + SEQ] === fields[at + REPLACED] && other === members >>> 16
}
