import type { Clock } from '../base/clock.ts'
import { FleetstepError, unreachable } from '../base/errors.ts'
import { memberIdOf, type NodeId } from '../base/ids.ts'
import { type Logger, silentLogger } from '../base/logger.ts'
import type { Random } from '../base/random.ts'
import { REPORTED_BRANCH } from '../device/profiles/points.ts'
import type { DeviceProfile } from '../device/profiles/profile.ts'
import type { Link, LinkStatus } from '../links/link.ts'
import type { Store, StoreInfo } from '../storage/store.ts'
import { CARD_ENDURANCE_TB_DEFAULT } from '../storage/wear.ts'
import { causeOf } from '../sync/alarms.ts'
import type { Inspection } from '../sync/inspection.ts'
import { fleetIdOf, type Genesis } from '../sync/membership.ts'
import type { Output } from '../sync/output.ts'
import { Replica } from '../sync/replica.ts'
import { ChangeAges } from './change-ages.ts'
import { ConflictAccess } from './conflict-access.ts'
import type { EnrolmentOptions } from './enrolment.ts'
import { FleetAccess } from './fleet-access.ts'
import { describeAlarm, type GatewayAlarm } from './gateway-alarm.ts'
import { type PointView, viewPoints } from './point-view.ts'
import { OnlineNodes } from './online-nodes.ts'
import { ProfileAccess } from './profile-access.ts'
import { ProfileCheck } from './profile-check.ts'
import { Pump } from './pump.ts'
import { Receipts } from './receipt.ts'
import { noSuchDevice, viewRemotePoints } from './remote-points.ts'
import { StateAccess } from './state-access.ts'
import { systemClock } from './system-clock.ts'
import { systemRandom } from './system-random.ts'
import { TelemetryAccess } from './telemetry-access.ts'
import { Watchers } from './watchers.ts'

/** What a link is made with once the node knows who it is and how often it has started. */
export interface LinkContext {
  /** Id of the fleet, 16 hexadecimal digits. */
  readonly fleet: string
  readonly node: NodeId
  readonly startCount: number
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

export type LinkFactory = (context: LinkContext) => Link

export interface GatewayOptions {
  /** The fleet's name and its members; the same on every gateway. */
  readonly fleet: Genesis
  /** Its key and its proof, and its judgement of others', in a fleet with keys. */
  readonly enrolment?: EnrolmentOptions | undefined
  readonly node: NodeId
  readonly storage: Store
  readonly links: readonly LinkFactory[]
  /** Checks what is set below `<device>/`; see {@link Gateway.useProfile}. */
  readonly profile?: DeviceProfile | undefined
  /** Name of this gateway's device in paths; the node id unless told otherwise. */
  readonly device?: string | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
  readonly logger?: Logger | undefined
  /** Terabytes written (TBW) that the card below is good for; CARD_ENDURANCE_TB_DEFAULT unless told otherwise. */
  readonly cardEnduranceTb?: number | undefined
  /** The store has failed for good; the process should end and be started again. */
  readonly onFatal?: ((error: unknown) => void) | undefined
}

/** One link as people see it. */
export interface LinkReport extends LinkStatus {
  readonly name: string
  readonly isOpen: boolean
}

export interface StorageReport extends StoreInfo {
  /** Own changes that are not on the disk yet. */
  readonly pendingOperations: number
  readonly pendingRecords: number
  readonly pendingBytes: number
  /** Frames of others that were dropped because too much waited for the disk. */
  readonly framesDropped: number
  readonly sinceMs: number
  /** Terabytes that the card below is good for. */
  readonly cardEnduranceTb: number
}

export type StorageObserver = (problem: FleetstepError | null) => void

/** One gateway of a fleet: its replica with its disk and its links. */
export interface Gateway {
  readonly node: NodeId
  readonly device: string
  /** Id of the fleet, 16 hexadecimal digits. */
  readonly fleet: string
  readonly state: StateAccess
  readonly conflicts: ConflictAccess
  readonly epochs: FleetAccess
  readonly profiles: ProfileAccess
  /** What this gateway's device has; null: anything. */
  readonly profile: DeviceProfile | null
  /** Checks what is set below `<device>/` by another profile from now on. */
  useProfile(profile: DeviceProfile): void
  /** The points of the profile with both their sides. */
  points(): readonly PointView[]
  /** The same of the device of another gateway, as far as it is known here. @throws FleetstepError `path-unknown` */
  pointsOf(device: string): readonly PointView[]
  /** A driver has read a resource of the profile well just now, whether it has changed or not. */
  noteReading(resource: string): void
  readonly telemetry: TelemetryAccess
  inspect(): Inspection
  links(): readonly LinkReport[]
  /** Nodes that are there, as a broker, a peer or a cable tells: a hint. */
  online(): readonly NodeId[]
  alarms(): readonly GatewayAlarm[]
  /** Why changes are refused at present: the disk is full, or has failed for good. Null while it can be written. */
  storageProblem(): FleetstepError | null
  /** What the store says of itself, and what waits for it. */
  storage(): StorageReport
  /** Calls back when that changes. @returns a function that ends it */
  observeStorage(observer: StorageObserver): () => void
  /** Calls back for everything that happens. @returns a function that ends it */
  observe(observer: (output: Output) => void): () => void
  /** Makes one more link and opens it. @throws FleetstepError `config-invalid` */
  addLink(factory: LinkFactory): void
  /** Opens or closes a link by name, for maintenance. @throws FleetstepError `path-unknown` */
  openLink(name: string): void
  closeLink(name: string): Promise<void>
  /** Commits what is pending and lets go of links and disk. */
  close(): Promise<void>
}

/**
 * Opens the store, brings the replica back from it, and starts the links.
 * @throws FleetstepError `data-directory-*`, `storage-failed`, `config-invalid`
 */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const recovered = await options.storage.open()
  try {
    for (const finding of recovered.findings) (options.logger ?? silentLogger).warn(`storage: ${finding}`)
    const replica = new Replica({
      self: memberIdOf(options.node, 0),
      genesis: options.fleet,
      ...options.enrolment,
      random: options.random ?? systemRandom,
      recovered: { snapshot: recovered.snapshot?.bytes ?? null, records: recovered.records, last: recovered.last },
    })
    const gateway = new RunningGateway(options, replica)
    if (recovered.damaged) gateway.raise({ name: 'storage-damaged', lastRecord: recovered.last })
    return gateway
  } catch (error) {
    await options.storage.close()
    throw error
  }
}

class RunningGateway implements Gateway {
  readonly node: NodeId
  readonly device: string
  readonly fleet: string
  readonly state: StateAccess
  readonly conflicts: ConflictAccess
  readonly epochs: FleetAccess
  readonly profiles: ProfileAccess
  readonly telemetry: TelemetryAccess
  readonly #replica: Replica
  readonly #pump: Pump
  readonly #links: Link[]
  readonly #linkContext: LinkContext
  readonly #clock: Clock
  readonly #openedAt: number
  readonly #cardEnduranceTb: number
  readonly #logger: Logger
  readonly #receipts: Receipts
  readonly #watchers: Watchers
  readonly #profileCheck: ProfileCheck
  readonly #changeAges: ChangeAges
  readonly #observers = new Set<(output: Output) => void>()
  readonly #storageObservers = new Set<StorageObserver>()
  readonly #online = new OnlineNodes()
  readonly #alarms: GatewayAlarm[] = []

  constructor(options: GatewayOptions, replica: Replica) {
    this.node = options.node
    this.device = options.device ?? options.node
    this.fleet = fleetIdOf(options.fleet)
    this.#replica = replica
    this.#clock = options.clock ?? systemClock
    this.#openedAt = this.#clock.now()
    this.#cardEnduranceTb = options.cardEnduranceTb ?? CARD_ENDURANCE_TB_DEFAULT
    this.#logger = options.logger ?? silentLogger
    this.#receipts = new Receipts({ member: replica.self, seq: replica.durableSeq })
    this.#watchers = new Watchers(this.#logger)
    this.#linkContext = this.#contextOf(options)
    this.#links = options.links.map((factory) => factory(this.#linkContext))
    this.#pump = new Pump({
      replica,
      store: options.storage,
      links: this.#links,
      clock: this.#clock,
      logger: this.#logger,
      onOutput: (output) => this.#note(output),
      onPresence: (node, online, link) => this.#online.note(node, online, link),
      onLinkDown: (link) => this.#online.forget(link),
      onStorageProblem: (problem) => this.#storageObservers.forEach((observer) => observer(problem)),
      onMediumError: (errors) => this.raise({ name: 'medium-failing', errors }),
      onFatal: options.onFatal ?? ((error) => this.#logger.error(`storage has failed: ${String(error)}`)),
    })
    this.#profileCheck = new ProfileCheck(this.device, this.node, options.profile ?? null)
    this.#changeAges = new ChangeAges(this.#clock)
    this.telemetry = new TelemetryAccess(replica, this.#pump, this.#clock)
    const watchers = this.#watchers
    this.state = new StateAccess(replica, this.#pump, this.#receipts, watchers, this.#profileCheck, this.telemetry)
    this.profiles = new ProfileAccess(replica, this.#pump, this.#receipts)
    this.conflicts = new ConflictAccess(replica, this.#pump, this.state, this.profiles)
    this.epochs = new FleetAccess(replica, this.#pump, this.#clock)
    this.#pump.start()
  }

  get profile(): DeviceProfile | null {
    return this.#profileCheck.profile
  }

  useProfile(profile: DeviceProfile): void {
    this.#profileCheck.use(profile)
  }

  noteReading(resource: string): void {
    for (const branch of ['', `${REPORTED_BRANCH}/`]) this.telemetry.confirm(`${this.device}/${branch}${resource}`)
    const path = this.#profileCheck.reportedPathOf(resource)
    if (path !== null) this.telemetry.vouch(path)
  }

  points(): readonly PointView[] {
    return viewPoints({
      device: this.device,
      profile: this.profile,
      get: (path) => this.state.get(path),
      changedAgoMs: (path) => this.#changeAges.of(path),
      freshness: (path) => this.telemetry.freshness(path),
    })
  }

  pointsOf(device: string): readonly PointView[] {
    if (device === this.device) return this.points()
    const standing = this.profiles.list()
    const rules = standing.find((one) => one.device === device)?.rules
    if (rules === undefined)
      throw noSuchDevice(
        device,
        standing.map((one) => one.device),
      )
    return viewRemotePoints({
      device,
      rules,
      get: (path) => this.state.get(path),
      changedAgoMs: (path) => this.#changeAges.of(path),
      freshness: (path) => this.telemetry.freshness(path),
    })
  }

  inspect(): Inspection {
    return this.#replica.inspect(this.#clock.now())
  }

  links(): readonly LinkReport[] {
    return this.#links.map((link) => ({ name: link.name, isOpen: this.#pump.isOpen(link), ...link.status() }))
  }

  online(): readonly NodeId[] {
    return this.#online.list()
  }

  alarms(): readonly GatewayAlarm[] {
    return this.#alarms
  }

  storageProblem(): FleetstepError | null {
    return this.#pump.storageProblem
  }

  storage(): StorageReport {
    const { operations, records, bytes, framesDropped } = this.#pump.pending
    const sinceMs = this.#clock.now() - this.#openedAt
    return {
      ...this.#pump.storeInfo,
      pendingOperations: operations,
      pendingRecords: records,
      pendingBytes: bytes,
      framesDropped,
      sinceMs,
      cardEnduranceTb: this.#cardEnduranceTb,
    }
  }

  observeStorage(observer: StorageObserver): () => void {
    this.#storageObservers.add(observer)
    return () => this.#storageObservers.delete(observer)
  }

  observe(observer: (output: Output) => void): () => void {
    this.#observers.add(observer)
    return () => this.#observers.delete(observer)
  }

  addLink(factory: LinkFactory): void {
    const link = factory(this.#linkContext)
    this.#links.push(link)
    this.#pump.openLink(link)
  }

  openLink(name: string): void {
    this.#pump.openLink(this.#link(name))
  }

  async closeLink(name: string): Promise<void> {
    await this.#pump.closeLink(this.#link(name))
  }

  async close(): Promise<void> {
    try {
      await this.#pump.close()
    } finally {
      this.#receipts.close()
    }
  }

  raise(alarm: GatewayAlarm): void {
    // The newest of one cause tells most; all of them would fill the list.
    const same = this.#alarms.findIndex((other) => causeOf(other) === causeOf(alarm))
    if (same >= 0) this.#alarms.splice(same, 1)
    this.#alarms.push(alarm)
    this.#logger.error(describeAlarm(alarm), { alarm })
  }

  #note(output: Output): void {
    switch (output.kind) {
      case 'change':
        this.#changeAges.note(output.change)
        this.#watchers.notify(output.change)
        break
      case 'outcome':
        this.#receipts.noteOutcome(output.operation, output.outcome, output.reason)
        break
      case 'superseded':
        for (const operation of output.operations) this.#receipts.noteOutcome(operation, 'superseded', null)
        break
      case 'durable':
        this.#receipts.noteDurable(output.through)
        break
      case 'draft-durable':
        this.#receipts.noteDraftDurable(output.draft)
        break
      case 'draft-settled':
        this.#receipts.noteDraftSettled(output.original, output.issued)
        break
      case 'removed':
        this.#receipts.noteRemoved(output.operations)
        break
      case 'standing':
        this.#noteStanding(output.draftReason)
        break
      case 'settled':
        this.#receipts.noteSettled(output.floor)
        for (const change of output.changes) this.#watchers.notify(change)
        break
      case 'alarm':
        this.raise(output.alarm)
        break
      case 'rules':
      case 'conflict':
      case 'integrated':
      case 'store':
      case 'snapshot':
      case 'evidence':
      case 'send':
        break
      default:
        unreachable(output)
    }
    if (this.#observers.size > 0) for (const observer of this.#observers) observer(output)
  }

  #noteStanding(draftReason: string | null): void {
    if (draftReason === null) this.#logger.info('this node is a member of the fleet')
    else this.#logger.warn(`this node is no member: ${draftReason}; its changes wait until it is one`)
  }

  #link(name: string): Link {
    const link = this.#links.find((candidate) => candidate.name === name)
    if (link !== undefined) return link
    const known = this.#links.map((candidate) => candidate.name).join(', ')
    throw new FleetstepError(
      'path-unknown',
      `there is no link ${name}: this gateway has ${known === '' ? 'none' : known}`,
    )
  }

  #contextOf(options: GatewayOptions): LinkContext {
    return {
      fleet: this.fleet,
      node: this.node,
      startCount: this.#replica.start,
      clock: this.#clock,
      random: options.random ?? systemRandom,
      logger: this.#logger,
    }
  }
}
