import type { Genesis } from '../../../runtime/sync/membership.ts'
import type { Write } from './peer.ts'
import { BatchReader, BatchWriter, Founders } from './protocol-floor-batch.ts'
import { payloadStart, PIECE_BYTES, RecordLog } from './protocol-floor-records.ts'
import { FloorState, type Listener } from './protocol-floor-state.ts'
import { NumberList } from './protocol-floor-table.ts'

/** Where everything goes that is to be done, at once. */
export interface Ports extends Listener {
  store(record: Uint8Array): void
}

/** What every member does of the protocol with plain writes of founders; what it leaves out stands at `openProtocolFloor`. */
export class FloorReplica {
  readonly founders: Founders
  readonly state: FloorState
  /** Of each member: the highest seq that is held without a gap, and the chain digest up to it. */
  readonly held: Int32Array
  readonly digestsHigh: Int32Array
  readonly digestsLow: Int32Array
  readonly #ports: Ports
  readonly #records = new RecordLog()
  readonly #writer: BatchWriter
  readonly #reader: BatchReader
  /** Of each member: seq and record of each batch. */
  readonly #logs: readonly NumberList[]
  /** Of each member, by the seq that is missing: the record of its own next batch, and those of others that follow it. */
  readonly #waiting: readonly Map<number, number>[]
  readonly #waitingOfOthers: readonly Map<number, number[]>[]
  /** Records that waited and are to be looked at again. */
  readonly #released: number[] = []

  constructor(genesis: Genesis, self: number, ports: Ports) {
    const { length } = genesis.founders
    this.founders = new Founders(genesis, self)
    this.state = new FloorState(ports)
    this.held = new Int32Array(length)
    this.digestsHigh = new Int32Array(length)
    this.digestsLow = new Int32Array(length)
    this.#ports = ports
    this.#writer = new BatchWriter(this.founders)
    this.#reader = new BatchReader(this.founders)
    this.#logs = genesis.founders.map(() => new NumberList())
    this.#waiting = genesis.founders.map(() => new Map())
    this.#waitingOfOthers = genesis.founders.map(() => new Map())
  }

  /** One operation for each of the writes, all in one batch. @returns its frame */
  write(writes: readonly Write[]): Uint8Array {
    const { self, frameStart } = this.founders
    const seq = (this.held[self] as number) + 1
    const { state } = this
    const { lastStage, lastMember, lastSeq } = state
    const writer = this.#writer
    writer.begin(lastStage, lastMember, lastSeq)
    for (let index = 0; index < writes.length; index++) {
      const { path, value } = writes[index] as Write
      const register = state.registers.of(path)
      const at = state.issue(register, value, self, seq + index)
      writer.operation(register.item, value, state.chains.fields, at, index === 0)
    }
    writer.finish(this.digestsHigh[self] as number, this.digestsLow[self] as number, seq, writes.length)
    const record = this.#records.add(writer.bytes, writer.start, writer.end)
    this.#extend(self, seq, writes.length, record)
    return this.#records.frame(record, frameStart)
  }

  receive(frame: Uint8Array): void {
    this.#takeFrame(frame)
    this.state.execute()
  }

  /** Takes all of them before anything executes again. */
  receiveAll(frames: readonly Uint8Array[]): void {
    for (const frame of frames) this.#takeFrame(frame)
    this.state.execute()
  }

  /** Takes back a record of the disk. */
  restore(record: Uint8Array): void {
    this.#take(record, 2)
    this.state.execute()
  }

  /** The frames of all batches that are not among what is `held`. */
  framesBehind(held: Int32Array): Uint8Array[] {
    const frames: Uint8Array[] = []
    for (const [member, { numbers, length }] of this.#logs.entries())
      for (let at = 0; at < length; at += 2)
        if ((numbers[at] as number) > (held[member] as number))
          frames.push(this.#records.frame(numbers[at + 1] as number, this.founders.frameStart))
    return frames
  }

  #takeFrame(frame: Uint8Array): void {
    const { frameStart } = this.founders
    for (let at = 0; at < frameStart.length; at++) if (frame[at] !== frameStart[at]) return
    this.#take(frame, frameStart.length)
  }

  /** @param at where the head of the payload stands, behind which nothing comes */
  #take(bytes: Uint8Array, at: number): void {
    const start = payloadStart(bytes, at)
    this.#reader.begin(bytes, start)
    const { origin, seq } = this.#reader
    const next = (this.held[origin] as number) + 1
    if (seq < next) return
    if (seq === next) {
      this.#integrate(this.#records.add(bytes, start, bytes.length))
      while (this.#released.length > 0) this.#takeReleased(this.#released.pop() as number)
      return
    }
    const waiting = this.#waiting[origin] as Map<number, number>
    if (!waiting.has(seq - 1)) waiting.set(seq - 1, this.#records.add(bytes, start, bytes.length))
  }

  #takeReleased(record: number): void {
    const { bytes } = this.#records.pieceOf(record)
    this.#reader.begin(bytes, payloadStart(bytes, (record % PIECE_BYTES) + 2))
    if (this.#reader.seq > (this.held[this.#reader.origin] as number)) this.#integrate(record)
  }

  /** Integrates the batch whose head was read and that is the next of its member, or keeps it until all is held that it follows. */
  #integrate(record: number): void {
    const reader = this.#reader
    const { origin, seq, count, needs } = reader
    const { values, registers } = this.state
    const known = values.length
    reader.read(values, registers)
    for (let at = 0; at < needs.length; at += 2) {
      const [member, needed] = [needs[at] as number, needs[at + 1] as number]
      if (needed <= (this.held[member] as number)) continue
      const waiting = this.#waitingOfOthers[member] as Map<number, number[]>
      waiting.set(needed, [record, ...(waiting.get(needed) ?? [])])
      values.length = known
      return
    }
    if (reader.linkHigh !== this.digestsHigh[origin] || reader.linkLow !== this.digestsLow[origin])
      throw new Error('the batch does not follow what is held of its member')
    this.#extend(origin, seq, count, record)
    this.state.place(reader.operations, count)
    this.#release(origin, seq, count)
  }

  /** What waited for these operations is to be looked at again. */
  #release(member: number, seq: number, count: number): void {
    const own = this.#waiting[member] as Map<number, number>
    const next = own.size === 0 ? undefined : own.get(seq + count - 1)
    if (next !== undefined) {
      own.delete(seq + count - 1)
      this.#released.push(next)
    }
    const others = this.#waitingOfOthers[member] as Map<number, number[]>
    if (others.size === 0) return
    for (let held = seq; held < seq + count; held++) {
      this.#released.push(...(others.get(held) ?? []))
      others.delete(held)
    }
  }

  #extend(member: number, seq: number, count: number, record: number): void {
    const records = this.#records
    records.digest(record)
    this.held[member] = seq + count - 1
    this.digestsHigh[member] = records.digestHigh
    this.digestsLow[member] = records.digestLow
    const log = this.#logs[member] as NumberList
    log.push(seq)
    log.push(record)
    this.#ports.store(records.record(record))
  }
}
