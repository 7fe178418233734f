import type { Clock } from '../base/clock.ts'
import { FleetstepError, unreachable } from '../base/errors.ts'
import {
  COMMIT_CONGESTED_MS,
  COMMIT_GATHER_MS,
  DISK_RETRY_MS,
  PENDING_RECORD_BYTES_MAX,
  PENDING_OPERATIONS_MAX,
  PENDING_RECORDS_MAX,
  PENDING_REMOTE_FACTOR,
  SNAPSHOT_RETRY_MS,
  STORED_BATCH_BYTES_MAX,
  STORED_RECORD_HEADER_BYTES,
} from '../base/limits.ts'
import type { Logger } from '../base/logger.ts'
import type { NodeId } from '../base/ids.ts'
import type { Channel, Link } from '../links/link.ts'
import type { OperationRequest } from '../state/operation.ts'
import type { Path } from '../state/path.ts'
import type { Store, StoreInfo } from '../storage/store.ts'
import type { Epoch } from '../sync/epoch.ts'
import type { Destination, Output } from '../sync/output.ts'
import type { Input } from '../sync/input.ts'
import type { Issued } from '../sync/issue.ts'
import type { Reading } from '../sync/message.ts'
import type { Replica } from '../sync/replica.ts'
import { joinPieces } from '../sync/snapshot.ts'
import { DiskWatch } from './disk-watch.ts'

export interface PumpOptions {
  readonly replica: Replica
  readonly store: Store
  readonly links: readonly Link[]
  readonly clock: Clock
  readonly logger: Logger
  /** Gets every output that is meant for people and programs, after those before it were carried out. */
  readonly onOutput: (output: Output) => void
  readonly onPresence: (node: NodeId, online: boolean, link: string) => void
  /** Nothing can be stored at present, so changes are refused; null once it can again. */
  readonly onStorageProblem: (problem: FleetstepError | null) => void
  /** The medium refused a batch, which stands elsewhere now. @param errors how often since the start */
  readonly onMediumError: (errors: number) => void
  /** The store has failed for good, or an invariant is broken: the daemon has to end, so that its supervisor starts it again. */
  readonly onFatal: (error: unknown) => void
}

/**
 * The one loop between the replica and its ports: it hands in what happens, and carries out all outputs of one input, in
 * order, before those of the next. It decides nothing.
 */
export class Pump {
  readonly #options: PumpOptions
  readonly #disk: DiskWatch
  readonly #outputs: Output[] = []
  readonly #openLinks = new Set<Link>()
  #isDraining = false
  #isClosed = false
  #records: { readonly record: Uint8Array; readonly number: number }[] = []
  #commit: Promise<void> | null = null
  #cancelGathering: (() => void) | null = null
  /** Something that is not from others waits for the disk. */
  #hasOwnRecords = false
  /** The same waits for a link that is busy. */
  #isGatheringOwn = false
  /** What is carried out came in a frame. */
  #isOfFrame = false
  #recordBytes = 0
  /** The last own operation, and the last of them that is on the disk. */
  #issuedSeq: number
  #durableSeq: number
  #framesDropped = 0
  #storageProblem: FleetstepError | null = null
  /** What is kept for people, one after the other. */
  #evidence: Promise<void> = Promise.resolve()
  #isSnapshotAsked = false
  #snapshotRetryAt = -Infinity
  #mediumErrors = 0
  #cancelWake: (() => void) | null = null
  #endPause: () => void = () => undefined
  #wakeAt = Infinity

  constructor(options: PumpOptions) {
    this.#options = options
    this.#issuedSeq = options.replica.durableSeq
    this.#durableSeq = options.replica.durableSeq
    this.#disk = new DiskWatch(options.store, options.clock, options.logger)
  }

  /** Why no local change is taken at present, or null. */
  get storageProblem(): FleetstepError | null {
    return this.#storageProblem ?? this.#disk.refusal ?? this.#slowness()
  }

  /** What the store says of itself. */
  get storeInfo(): StoreInfo {
    return this.#options.store.info()
  }

  /** Own changes and records that wait for the disk, and frames that were dropped because too many did. */
  get pending(): {
    readonly operations: number
    readonly records: number
    readonly bytes: number
    readonly framesDropped: number
  } {
    const operations = this.#issuedSeq - this.#durableSeq
    return { operations, records: this.#records.length, bytes: this.#recordBytes, framesDropped: this.#framesDropped }
  }

  isOpen(link: Link): boolean {
    return this.#openLinks.has(link)
  }

  start(): void {
    this.#disk.start()
    this.#take(this.#options.replica.tick(this.#now()))
    for (const link of this.#options.links) this.openLink(link)
  }

  openLink(link: Link): void {
    if (this.#openLinks.has(link)) return
    this.#openLinks.add(link)
    link.open({
      up: () => this.#input({ kind: 'link-up', link: link.name }),
      down: (cause) => {
        this.#options.logger.warn(`${link.name}: ${cause}`)
        this.#input({ kind: 'link-down', link: link.name })
      },
      frame: (bytes) => this.#takeFrame(link.name, bytes),
      presence: (node, online) => this.#options.onPresence(node, online, link.name),
      // What was dropped for lack of room is found again by version vector.
      writable: () => {
        if (this.#isGatheringOwn) this.#commitNext()
      },
    })
  }

  async closeLink(link: Link): Promise<void> {
    if (!this.#openLinks.delete(link)) return
    this.#input({ kind: 'link-down', link: link.name })
    await link.close()
  }

  /** @throws FleetstepError as {@link Replica.issue}, or `disk-full`, `limit-reached` while the disk has no room or is too slow */
  issue(request: OperationRequest, commitWithinMs: number): Issued {
    const problem = this.storageProblem
    if (problem !== null) throw problem
    const issued = this.#options.replica.issue(request, commitWithinMs, this.#now())
    this.#issuedSeq = issued.id.seq
    // It may be the answer to what a frame has brought, and is carried out with that.
    if (commitWithinMs === 0) this.#hasOwnRecords = true
    this.#take(issued.outputs)
    return issued
  }

  /** A reading that no disk keeps. @throws FleetstepError as {@link Replica.report} */
  report(reading: Reading): void {
    this.#take(this.#options.replica.report(reading, this.#now()))
  }

  /** This gateway has read again what an operation of its own says. */
  vouch(reading: Omit<Reading, 'value'>): void {
    this.#options.replica.readings.vouch(reading, this.#now())
    this.#scheduleWake()
  }

  withdraw(path: Path): void {
    this.#take(this.#options.replica.withdraw(path, this.#now()))
  }

  /** The operator's epoch goes in as any other; `replica` says what became of it. */
  takeEpoch(epoch: Epoch): void {
    this.#input({ kind: 'epoch', epoch })
  }

  resolve(conflict: string): void {
    this.#input({ kind: 'resolve', conflict })
  }

  /** Commits what is pending, closes the links and the store. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#take(this.#options.replica.flush(this.#now()))
    for (this.#commitNext(); this.#commit !== null && this.#storageProblem === null; this.#commitNext())
      await this.#commit
    this.#isClosed = true
    this.#cancelWake?.()
    this.#disk.close()
    this.#endPause()
    await Promise.all([...this.#openLinks].map((link) => link.close()))
    await this.#options.store.close()
  }

  #input(input: Input): void {
    this.#step(() => this.#options.replica.receive(input, this.#now()))
  }

  /** Nobody above a port's event can handle a broken invariant: the daemon ends, and its supervisor starts it anew. */
  #step(step: () => readonly Output[]): void {
    if (this.#isClosed) return
    try {
      this.#take(step())
    } catch (error) {
      this.#isClosed = true
      this.#disk.close()
      this.#options.onFatal(error)
    }
  }

  /** A port may hand in the next input while the outputs of one are carried out: those come after. */
  #take(outputs: readonly Output[]): void {
    for (const output of outputs) this.#outputs.push(output)
    if (this.#isDraining) return
    this.#isDraining = true
    let done = 0
    try {
      // More of them may come while these are carried out.
      for (const output of this.#outputs) {
        done += 1
        this.#carryOut(output)
      }
    } finally {
      this.#outputs.splice(0, done)
      this.#isDraining = false
    }
    this.#commitSoon()
    this.#scheduleWake()
  }

  #carryOut(output: Output): void {
    switch (output.kind) {
      case 'store':
        this.#records.push(output)
        this.#recordBytes += output.record.length
        if (!this.#isOfFrame) this.#hasOwnRecords = true
        return
      case 'snapshot':
        void this.#snapshot(output.pieces, output.through)
        return
      case 'evidence':
        this.#evidence = this.#evidence.then(() => this.#keepEvidence(output.name, output.pieces))
        return
      case 'send':
        for (const link of this.#openLinks) {
          const { links } = output.to
          const isMeant = links === 'all' || ('only' in links ? links.only === link.name : links.except !== link.name)
          if (isMeant) link.send(output.frame, channelOf(output.to))
        }
        return
      case 'durable':
        this.#durableSeq = output.through.seq
        // The replica issues operations of its own too, as the join of a newcomer.
        this.#issuedSeq = Math.max(this.#issuedSeq, this.#durableSeq)
        this.#options.onOutput(output)
        return
      case 'change':
      case 'integrated':
      case 'draft-durable':
      case 'draft-settled':
      case 'standing':
      case 'removed':
      case 'outcome':
      case 'superseded':
      case 'rules':
      case 'conflict':
      case 'settled':
      case 'alarm':
        this.#options.onOutput(output)
        return
      default:
        unreachable(output)
    }
  }

  /**
   * A change of our own goes at once while no link is busy with the frame before; else it would wait behind that, and a disk
   * that is faster than the network gathers for a moment what comes next, and where frames wait in a link already until they
   * have gone: one large frame for many small ones is what a slow link needs. What others have changed waits for the end of this
   * turn: nobody waits for our disk then, while a change that answers it would wait for that commit before its own.
   */
  #commitSoon(): void {
    if (this.#commit !== null || this.#records.length === 0 || this.#isGatheringOwn) return
    const gatherMs = this.#hasOwnRecords ? this.#gatherMs() : 0
    if (this.#isClosed || (this.#hasOwnRecords && gatherMs === 0)) return this.#commitNext()
    if (!this.#hasOwnRecords) {
      this.#cancelGathering ??= afterThisTurn(() => this.#commitNext())
      return
    }
    this.#cancelGathering?.()
    this.#isGatheringOwn = true
    const { clock } = this.#options
    this.#cancelGathering = clock.schedule(clock.now() + gatherMs, () => this.#commitNext())
  }

  #gatherMs(): number {
    let gatherMs = 0
    for (const link of this.#openLinks) {
      if (link.isCongested === true) return COMMIT_CONGESTED_MS
      if (link.isBusy === true) gatherMs = COMMIT_GATHER_MS
    }
    return gatherMs
  }

  /** One commit at a time; what comes meanwhile goes into the next. */
  #commitNext(): void {
    this.#cancelGathering?.()
    this.#cancelGathering = null
    this.#isGatheringOwn = false
    if (this.#commit !== null || this.#records.length === 0 || this.#isClosed) return
    const portion = this.#nextPortion()
    this.#hasOwnRecords = portion.length < this.#records.length
    this.#commit = this.#commitRecords(portion).finally(() => {
      this.#commit = null
      this.#commitSoon()
    })
  }

  async #commitRecords(portion: readonly { readonly record: Uint8Array; readonly number: number }[]): Promise<void> {
    try {
      const through = await this.#options.store.commit(portion.map(({ record }) => record))
      if (this.#storageProblem !== null) this.#noteStorageRecovered()
      this.#records = this.#records.slice(portion.length)
      for (const { record } of portion) this.#recordBytes -= record.length
      this.#input({ kind: 'stored', through })
      this.#followStore()
    } catch (error) {
      await this.#noteStorageProblem(error)
    }
  }

  async #noteStorageProblem(error: unknown): Promise<void> {
    if (!(error instanceof FleetstepError) || error.code !== 'disk-full') {
      this.#isClosed = true
      this.#disk.close()
      this.#options.onFatal(error)
      return
    }
    if (this.#storageProblem === null) this.#options.logger.error(error.message)
    this.#storageProblem = error
    this.#options.onStorageProblem(error)
    await this.#pauseBeforeRetry()
  }

  async #pauseBeforeRetry(): Promise<void> {
    const { clock } = this.#options
    await new Promise<void>((resolve) => {
      const cancel = clock.schedule(clock.now() + DISK_RETRY_MS, resolve)
      this.#endPause = () => {
        cancel()
        resolve()
      }
    })
  }

  #noteStorageRecovered(): void {
    this.#storageProblem = null
    this.#options.logger.info('storage: writing works again')
    this.#options.onStorageProblem(null)
  }

  #nextPortion(): { readonly record: Uint8Array; readonly number: number }[] {
    let bytes = 0
    let count = 0
    for (const { record } of this.#records) {
      bytes += record.length + STORED_RECORD_HEADER_BYTES
      if (count > 0 && bytes > STORED_BATCH_BYTES_MAX) break
      count += 1
    }
    return this.#records.slice(0, count)
  }

  async #snapshot(pieces: Iterable<Uint8Array>, through: number): Promise<void> {
    const { store, logger, clock } = this.#options
    try {
      const gathered = await this.#gather(pieces)
      if (gathered === null) return
      await store.snapshot(gathered, through)
      this.#isSnapshotAsked = false
    } catch (error) {
      // The journal still holds everything. A medium that failed shows in the next commit.
      logger.error(`the snapshot was not written: ${String(error)}`)
      this.#snapshotRetryAt = clock.now() + SNAPSHOT_RETRY_MS
      this.#isSnapshotAsked = false
    }
  }

  async #keepEvidence(name: string, pieces: Iterable<Uint8Array>): Promise<void> {
    const { store, logger } = this.#options
    try {
      const gathered = await this.#gather(pieces)
      if (gathered === null) return
      const kept = await store.keepEvidence(name, gathered)
      logger.error(kept === null ? `no room to keep ${name} as evidence` : `kept as evidence: ${kept}`)
    } catch (error) {
      logger.error(`${name} was not kept as evidence: ${String(error)}`)
    }
  }

  /** Some milliseconds of work at a time. Null if the pump was closed meanwhile. */
  async #gather(pieces: Iterable<Uint8Array>): Promise<Uint8Array | null> {
    const gathered: Uint8Array[] = []
    for (const piece of pieces) {
      gathered.push(piece)
      await pause()
      if (this.#isClosed) return null
    }
    return joinPieces(gathered)
  }

  /** Hands on what a commit has made of the store. */
  #followStore(): void {
    if (this.#isClosed) return
    const { mediumErrors, snapshotDue } = this.storeInfo
    if (mediumErrors > this.#mediumErrors) this.#options.onMediumError(mediumErrors)
    this.#mediumErrors = mediumErrors
    if (!snapshotDue || this.#isSnapshotAsked || this.#now() < this.#snapshotRetryAt) return
    this.#isSnapshotAsked = true
    this.#input({ kind: 'snapshot-due' })
  }

  /** What others send is dropped only when far too much waits already; they are asked for it again. */
  #takeFrame(link: string, bytes: Uint8Array): void {
    const isFar =
      this.#records.length >= PENDING_REMOTE_FACTOR * PENDING_RECORDS_MAX ||
      this.#recordBytes >= PENDING_REMOTE_FACTOR * PENDING_RECORD_BYTES_MAX
    if (isFar) {
      this.#framesDropped += 1
      return
    }
    this.#isOfFrame = true
    this.#input({ kind: 'frame', link, bytes })
    this.#isOfFrame = false
  }

  #slowness(): FleetstepError | null {
    const waiting = this.#issuedSeq - this.#durableSeq
    if (waiting < PENDING_OPERATIONS_MAX && this.#recordBytes < PENDING_RECORD_BYTES_MAX) return null
    return new FleetstepError(
      'limit-reached',
      `${this.storeInfo.directory}: the disk is too slow, ${waiting} changes wait for it; try again shortly, or use a faster card`,
    )
  }

  #scheduleWake(): void {
    const at = this.#options.replica.wakeAt(this.#now()) ?? Infinity
    if (at === this.#wakeAt || this.#isClosed) return
    this.#cancelWake?.()
    this.#cancelWake = null
    this.#wakeAt = at
    if (at === Infinity) return
    this.#cancelWake = this.#options.clock.schedule(at, () => {
      this.#wakeAt = Infinity
      this.#step(() => this.#options.replica.tick(this.#now()))
    })
  }

  #now(): number {
    return this.#options.clock.now()
  }
}

/** Other work goes between two pieces of a long one. */
function pause(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

function afterThisTurn(work: () => void): () => void {
  const immediate = setImmediate(work)
  return () => clearImmediate(immediate)
}

function channelOf({ channel, of }: Destination): Channel {
  return channel === 'announcements' && of !== undefined ? { kind: channel, of } : { kind: channel }
}
