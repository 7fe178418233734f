import type { Clock } from '../base/clock.ts'
import { FleetstepError, unreachable } from '../base/errors.ts'
import {
  COMMIT_CONGESTED_MS,
  COMMIT_GATHER_MS,
  PENDING_RECORD_BYTES_MAX,
  PENDING_OPERATIONS_MAX,
  PENDING_RECORDS_MAX,
  PENDING_REMOTE_FACTOR,
  SNAPSHOT_RETRY_MS,
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
import { CommitQueue } from './commit-queue.ts'
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
  /** What it has told of presence is void. */
  readonly onLinkDown: (link: string) => void
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
  readonly #commits: CommitQueue
  readonly #outputs: Output[] = []
  readonly #openLinks = new Set<Link>()
  #isDraining = false
  #isClosed = false
  /** What is carried out came in a frame. */
  #isOfFrame = false
  /** The last own operation, and the last of them that is on the disk. */
  #issuedSeq: number
  #durableSeq: number
  #framesDropped = 0
  /** What is kept for people, one after the other. */
  #evidence: Promise<void> = Promise.resolve()
  #isSnapshotAsked = false
  #snapshotRetryAt = -Infinity
  #mediumErrors = 0
  /** Why nothing is taken until the next start. */
  #failure: FleetstepError | null = null
  #cancelWake: (() => void) | null = null
  #wakeAt = Infinity

  constructor(options: PumpOptions) {
    this.#options = options
    this.#issuedSeq = options.replica.durableSeq
    this.#durableSeq = options.replica.durableSeq
    this.#disk = new DiskWatch(options.store, options.clock, options.logger, (error) => this.#fail(error))
    this.#commits = new CommitQueue({
      ...options,
      gatherMs: () => this.#gatherMs(),
      onStored: (through) => {
        this.#input({ kind: 'stored', through })
        this.#followStore()
      },
      onProblem: options.onStorageProblem,
      onFatal: (error) => this.#fail(error),
    })
  }

  /** Why no local change is taken at present, or null. */
  get storageProblem(): FleetstepError | null {
    return this.#failure ?? this.#commits.problem ?? this.#disk.refusal ?? this.#slowness()
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
    return { operations, records: this.#commits.length, bytes: this.#commits.bytes, framesDropped: this.#framesDropped }
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
        this.#noteDown(link)
      },
      frame: (bytes) => this.#takeFrame(link.name, bytes),
      presence: (node, online) => this.#options.onPresence(node, online, link.name),
      // What was dropped for lack of room is found again by version vector.
      writable: () => {
        this.#commits.noteWritable()
        this.#input({ kind: 'link-writable', link: link.name })
      },
    })
  }

  async closeLink(link: Link): Promise<void> {
    if (!this.#openLinks.delete(link)) return
    this.#noteDown(link)
    await link.close()
  }

  /** @throws FleetstepError as {@link Replica.issue}, or `disk-full`, `limit-reached` while the disk has no room or is too slow */
  issue(request: OperationRequest, commitWithinMs: number): Issued {
    const problem = this.storageProblem
    if (problem !== null) throw problem
    const issued = this.#options.replica.issue(request, commitWithinMs, this.#now())
    this.#issuedSeq = issued.id.seq
    // It may be the answer to what a frame has brought, and is carried out with that.
    if (commitWithinMs === 0) this.#commits.noteOwn()
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
    await this.#commits.flush()
    this.#end()
    this.#cancelWake?.()
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
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    this.#end()
    if (error instanceof FleetstepError) {
      this.#failure = error
      this.#options.onStorageProblem(error)
    }
    this.#options.onFatal(error)
  }

  /** Takes nothing in any more, and stores nothing. */
  #end(): void {
    this.#isClosed = true
    this.#disk.close()
    this.#commits.close()
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
    this.#commits.commitSoon()
    this.#scheduleWake()
  }

  #carryOut(output: Output): void {
    switch (output.kind) {
      case 'store':
        this.#commits.add(output.record)
        if (!this.#isOfFrame) this.#commits.noteOwn()
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
          if (isMeant) this.#send(link, output)
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

  #send(link: Link, { frame, to }: Output & { readonly kind: 'send' }): void {
    const isTaken = link.send(frame, channelOf(to))
    if (to.channel !== 'answers' || (isTaken && (link.waiting ?? 'nothing') === 'nothing')) return
    this.#input({ kind: 'link-congested', link: link.name })
  }

  /** For how long own changes are gathered: while a link is busy, or frames wait in it. */
  #gatherMs(): number {
    let gatherMs = 0
    for (const link of this.#openLinks) {
      if (link.waiting === 'operations') return COMMIT_CONGESTED_MS
      if (link.isBusy === true) gatherMs = COMMIT_GATHER_MS
    }
    return gatherMs
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
      this.#commits.length >= PENDING_REMOTE_FACTOR * PENDING_RECORDS_MAX ||
      this.#commits.bytes >= PENDING_REMOTE_FACTOR * PENDING_RECORD_BYTES_MAX
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
    if (waiting < PENDING_OPERATIONS_MAX && this.#commits.bytes < PENDING_RECORD_BYTES_MAX) return null
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

  #noteDown({ name }: Link): void {
    this.#options.onLinkDown(name)
    this.#input({ kind: 'link-down', link: name })
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

function channelOf({ channel, of }: Destination): Channel {
  return channel === 'announcements' && of !== undefined ? { kind: channel, of } : { kind: channel }
}
