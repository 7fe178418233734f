import type { Clock } from '../../base/clock.ts'
import { FleetstepError } from '../../base/errors.ts'
import {
  HOME_ASSISTANT_JITTER_MS,
  MIRROR_LEFT_OVER_MAX,
  MIRROR_PAYLOAD_BYTES_MAX,
  MQTT_PACKET_HEAD_BYTES_MAX,
} from '../../base/limits.ts'
import type { Logger } from '../../base/logger.ts'
import { fraction, type Random } from '../../base/random.ts'
import { HEALTH_BRANCH } from '../../device/profiles/points.ts'
import type { DeviceProfile } from '../../device/profiles/profile.ts'
import { copyCounters, countDropped, countReceived, countSent, newCounters } from '../../links/counters.ts'
import type { LinkCounters, LinkStatus } from '../../links/link.ts'
import { Courier } from '../../links/mqtt/courier.ts'
import { DEFAULT_TIMING } from '../../links/mqtt/options.ts'
import type { Outgoing } from '../../links/mqtt/outbox.ts'
import { firstServer, parseServers, type TlsFiles } from '../../links/mqtt/servers.ts'
import { clientIdOf } from '../../links/mqtt/topics.ts'
import { RareLines, shownName } from '../../links/rare-lines.ts'
import { matchesPattern, type Path } from '../../state/path.ts'
import { valueFromJson, valueToJson } from '../control-protocol.ts'
import { parseExactJson } from '../exact-json.ts'
import type { Gateway } from '../gateway.ts'
import { type PathQuality, qualitiesOf } from '../qualities.ts'
import { type Components, describedIn, discoveryOf, replacedIn } from './home-assistant.ts'
import { LeafQueue } from './leaf-queue.ts'
import { QualityLeaves } from './quality-leaves.ts'
import { mirrorTopics, pathOfTopic, topicOfPath } from './mirror-topics.ts'

export interface MirrorOptions {
  readonly gateway: Gateway
  /** The profile in force. */
  readonly profile: () => DeviceProfile | null
  readonly version: string
  readonly servers: readonly string[]
  readonly username: string | undefined
  readonly password: string | undefined
  readonly tls: TlsFiles
  /** Patterns of the points that are shown. */
  readonly paths: readonly string[]
  /** Patterns of the points that people may set. */
  readonly writes: readonly string[]
  readonly homeAssistant: boolean
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/**
 * Shows the state in JSON, one retained message for each point, and takes wishes: for people and tools without CBOR. It
 * has a connection of its own, since its broker may be another one than the fleet's.
 * @throws FleetstepError `config-invalid`
 */
export class Mirror {
  readonly #options: MirrorOptions
  readonly #topics: ReturnType<typeof mirrorTopics>
  readonly #courier: Courier
  readonly #leaves: LeafQueue
  readonly #qualities: QualityLeaves
  readonly #strangers: RareLines
  readonly #counters: LinkCounters = newCounters()
  #hasBeenUp = false
  /** Topics of points that are gone, for which the queue had no room yet. */
  readonly #leftOver = new Set<string>()
  /** The components that Home Assistant was told of last. */
  #described: Components = {}
  #stopWatch: () => void = () => {}
  #cancelDiscovery: () => void = () => {}
  #isDiscoveryDue = false
  /** The queue had no room for it. */
  #isDiscoveryOwed = false

  constructor(options: MirrorOptions) {
    const { gateway, clock, logger } = options
    this.#options = options
    this.#strangers = new RareLines(
      (line) => logger.warn(line),
      () => clock.now(),
    )
    this.#topics = mirrorTopics(gateway.fleet, gateway.node)
    this.#leaves = new LeafQueue(clock, (path) => this.#publish(this.#leaf(path)))
    this.#qualities = new QualityLeaves({
      clock,
      qualities: () => qualitiesOf(gateway),
      isShown: (path) => this.#isShown(path),
      publish: (path, quality) => this.#publishQuality(path, quality),
    })
    this.#courier = this.#makeCourier()
  }

  start(): void {
    this.#stopWatch = this.#options.gateway.state.watch('**', ({ path }) => {
      if (!this.#isShown(path)) return
      this.#leaves.add(path)
      if (isHealthPath(path)) this.#qualities.lookSoon()
    })
    this.#courier.open()
  }

  status(): LinkStatus {
    const { state, cause, label } = this.#courier
    return { state, cause, peer: label, counters: copyCounters(this.#counters) }
  }

  /** Another profile is in force: Home Assistant is told of its points, and forgets those that are gone. */
  describeAnew(): void {
    this.#publishDiscovery()
  }

  async stop(): Promise<void> {
    this.#stopWatch()
    this.#cancelDiscovery()
    this.#leaves.hold()
    this.#qualities.hold()
    await this.#courier.close(text(this.#topics.availability, 'offline'))
  }

  #makeCourier(): Courier {
    const { gateway, username, password, tls, clock, random, logger } = this.#options
    const servers = parseServers(this.#options.servers, tls)
    const topics = this.#topics
    const { leaves, qualities, wishes, assistant, discovery } = topics
    const filters = [`${leaves}#`, `${qualities}#`, `${wishes}#`, assistant, discovery]
    return new Courier(
      {
        name: 'mirror',
        clientId: `${clientIdOf(gateway.fleet, gateway.node)}-json`,
        servers,
        first: firstServer(gateway.node, servers.length),
        username,
        password,
        tls,
        subscriptions: [
          ...filters.map((filter) => ({ filter, withoutOwn: true })),
          // Its own last will would be left out too.
          { filter: topics.availability, withoutOwn: false },
        ],
        // What an earlier start has published comes back, to be tidied.
        packetBytesMax: MIRROR_PAYLOAD_BYTES_MAX + MQTT_PACKET_HEAD_BYTES_MAX,
        will: () => ({ topic: topics.availability, payload: Buffer.from('offline') }),
        timing: DEFAULT_TIMING,
        clock,
        random,
        logger,
      },
      {
        rise: () => this.#rise(),
        fall: (cause) => {
          logger.warn(`mirror: ${cause}`)
          this.#leaves.hold()
          this.#qualities.hold()
          this.#leftOver.clear()
        },
        message: (topic, payload, isRetained) => this.#receive(topic, payload, isRetained),
        skipped: (reason) => this.#skip(reason),
        sent: ({ payload }) => countSent(this.#counters, payload.length),
        refused: () => countDropped(this.#counters, 'refused-by-broker'),
        // All that is shown is said again once there is a connection.
        lost: () => undefined,
        writable: () => {
          if (this.#isDiscoveryOwed) this.#publishDiscovery()
          this.#leaves.resume()
          this.#tidyRest()
        },
      },
    )
  }

  /** A broker may have forgotten everything: all is said again. */
  #rise(): void {
    if (this.#hasBeenUp) this.#counters.reconnects += 1
    this.#hasBeenUp = true
    this.#sayOnline()
    this.#publishDiscovery()
    for (const [path] of this.#options.gateway.state.entries()) if (this.#isShown(path)) this.#leaves.add(path)
    this.#leaves.resume()
    this.#qualities.begin()
  }

  #sayOnline(): void {
    this.#courier.publish(text(this.#topics.availability, 'online'))
  }

  #publishQuality(path: Path, quality: PathQuality | null): boolean {
    const payload = quality === null ? '' : JSON.stringify(quality)
    return this.#publish(json(this.#topics.qualities + topicOfPath(path), payload, true))
  }

  #leaf(path: Path): Outgoing {
    const value = this.#options.gateway.state.get(path)
    const payload = value === undefined ? '' : JSON.stringify(valueToJson(value))
    return json(this.#topics.leaves + topicOfPath(path), payload, true)
  }

  #skip(reason: 'oversize' | 'full'): void {
    countDropped(this.#counters, reason)
    const what =
      reason === 'oversize'
        ? `somebody publishes more than ${MIRROR_PAYLOAD_BYTES_MAX} bytes`
        : 'too much lies at the broker'
    this.#strangers.say(`mirror: ${what}; it is left out`)
  }

  /** For what nobody comes back to; without a connection nothing is lost, since all is said again with the next one. */
  #publishOnce(message: Outgoing): void {
    if (!this.#publish(message) && this.#courier.isUp) countDropped(this.#counters, 'full')
  }

  /** @returns false to be asked again when there is room */
  #publish(message: Outgoing): boolean {
    if (this.#courier.mayCarry(message)) return this.#courier.publish(message)
    // What lies there of it is older, and would be taken for the value of now.
    if (message.retain && message.payload.length > 0 && !this.#publish(json(message.topic, '', true))) return false
    countDropped(this.#counters, 'over-broker-limit')
    this.#strangers.say(
      `mirror: ${this.#courier.label} takes no message of ${message.payload.length} bytes, so ${shownName(message.topic)} is left out: raise the broker's limit`,
    )
    return true
  }

  #publishDiscovery(): void {
    this.#isDiscoveryOwed = !this.#describe()
  }

  /** @returns false if there is no room for it now */
  #describe(): boolean {
    const { gateway, version, homeAssistant } = this.#options
    const profile = this.#options.profile()
    if (!homeAssistant || profile === null) return true
    const { node, device } = gateway
    const mayWrite = (path: Path): boolean => this.#isWritable(path)
    const isShown = (path: Path): boolean => this.#isShown(path)
    const source = { node, device, profile, version, topics: this.#topics, isShown, mayWrite }
    const discovery = discoveryOf(source, this.#described)
    const replaced = replacedIn(this.#described, discovery.cmps)
    const message = json(this.#topics.discovery, JSON.stringify(discovery), true)
    if (message.payload.length > MIRROR_PAYLOAD_BYTES_MAX) {
      this.#options.logger.warn('mirror: the profile has too many points for one discovery message')
      return true
    }
    // What has another platform now stays beside the new one, unless it is taken away first.
    const takingAway = json(this.#topics.discovery, JSON.stringify({ ...discovery, cmps: replaced }), true)
    if (Object.keys(replaced).length > 0 && !this.#publish(takingAway)) return false
    if (!this.#publish(message)) return false
    this.#described = discovery.cmps
    return true
  }

  /** Called by the broker's client, which a throw would break. */
  #receive(topic: string, payload: Buffer, isRetained: boolean): void {
    countReceived(this.#counters, payload.length)
    const { leaves, qualities, wishes, availability, assistant, discovery } = this.#topics
    try {
      if (topic.startsWith(wishes)) this.#wish(topic.slice(wishes.length), payload, isRetained)
      else if (topic.startsWith(leaves) || topic.startsWith(qualities)) this.#tidy(topic, payload)
      else if (topic === assistant && payload.toString('utf8') === 'online') this.#discoverSoon()
      else if (topic === discovery && isRetained) this.#tidyDiscovery(payload)
      // The will of an earlier connection came late, as from another server of a cluster, or somebody cleared what is retained.
      else if (topic === availability && payload.toString('utf8') !== 'online') this.#sayOnline()
    } catch (error) {
      this.#options.logger.error('mirror: a message could not be handled; this is a bug', { error })
    }
  }

  /** What lies there of a point that is gone, from before this start or by a stranger, is taken away. */
  #tidy(topic: string, payload: Buffer): void {
    if (payload.length > 0) this.#takeAwayIfGone(topic)
  }

  /** @returns false if there is no room for it now */
  #takeAwayIfGone(topic: string): boolean {
    const { leaves, qualities } = this.#topics
    const isLeaf = topic.startsWith(leaves)
    const path = pathOfTopic(topic.slice((isLeaf ? leaves : qualities).length))
    const isKnown = (shown: Path): boolean =>
      isLeaf ? this.#options.gateway.state.get(shown) !== undefined : this.#qualities.has(shown)
    if (path !== null && this.#isShown(path) && isKnown(path)) return true
    if (this.#publish(json(topic, '', true))) return true
    // What is no path may be of any length.
    if (path !== null && this.#leftOver.size < MIRROR_LEFT_OVER_MAX) this.#leftOver.add(topic)
    else countDropped(this.#counters, 'full')
    return false
  }

  #tidyRest(): void {
    for (const topic of this.#leftOver) {
      this.#leftOver.delete(topic)
      if (!this.#takeAwayIfGone(topic)) return
    }
  }

  /** Home Assistant forgets what was described before this start and is not any more. */
  #tidyDiscovery(payload: Buffer): void {
    const before = describedIn(payload)
    if (before === null) return
    if (!this.#options.homeAssistant || this.#options.profile() === null)
      return this.#publishOnce(json(this.#topics.discovery, '', true))
    const isAllThere = Object.entries(before).every(([name, { p }]) => this.#described[name]?.['p'] === p)
    this.#described = { ...this.#described, ...before }
    if (!isAllThere) this.#publishDiscovery()
  }

  #wish(topic: string, payload: Buffer, isRetained: boolean): void {
    // A wish that lies there would be granted again after each restart, long after its time.
    if (isRetained) return this.#refuse(topic, 'request-invalid', 'a wish is not retained: publish it without retain')
    const path = pathOfTopic(topic)
    if (path === null)
      return this.#refuse(topic, 'request-invalid', 'this is no path: see how others are written below s/')
    try {
      if (!this.#isWritable(path)) {
        throw new FleetstepError(
          'operation-refused',
          `${path} may not be set from here: see mirror.writes in the config`,
        )
      }
      const receipt = this.#options.gateway.state.set(path, valueFromJson(parseJson(payload)))
      if (receipt.outcome === 'applied') return
      throw new FleetstepError('operation-refused', receipt.reason ?? 'a change of higher priority stands')
    } catch (error) {
      if (!(error instanceof FleetstepError)) throw error
      this.#refuse(path, error.code, error.message)
      // A tool may show already what it wished for. Of points that are not there nothing is kept: strangers could name any number.
      if (this.#isShown(path)) this.#showAgain(path)
    }
  }

  #showAgain(path: Path): void {
    if (this.#options.gateway.state.get(path) === undefined) this.#publishOnce(this.#leaf(path))
    else this.#leaves.add(path)
  }

  #refuse(path: string, code: string, message: string): void {
    this.#publishOnce(json(this.#topics.errors, JSON.stringify({ path, code, message }), false))
  }

  /** All devices of a house would answer in one instant. */
  #discoverSoon(): void {
    const { clock, random } = this.#options
    // Whoever says it again and again must not put it off for ever.
    if (this.#isDiscoveryDue) return
    this.#isDiscoveryDue = true
    const at = clock.now() + fraction(random) * HOME_ASSISTANT_JITTER_MS
    this.#cancelDiscovery = clock.schedule(at, () => {
      this.#isDiscoveryDue = false
      this.#publishDiscovery()
    })
  }

  #isShown(path: Path): boolean {
    return this.#options.paths.some((pattern) => matchesPattern(path, pattern))
  }

  #isWritable(path: Path): boolean {
    return this.#options.writes.some((pattern) => matchesPattern(path, pattern))
  }
}

function isHealthPath(path: Path): boolean {
  return path.split('/')[1] === HEALTH_BRANCH
}

/** @throws FleetstepError `request-invalid` */
function parseJson(payload: Buffer): unknown {
  const shown = payload.toString('utf8').slice(0, 40)
  if (payload.length === 0 || payload.length > MIRROR_PAYLOAD_BYTES_MAX) {
    // An empty message is how people clear one that was retained, so it must not take a point away.
    const message = `a wish has 1 to ${MIRROR_PAYLOAD_BYTES_MAX} bytes; an empty one deletes nothing: fleetstep state rm does`
    throw new FleetstepError('request-invalid', message)
  }
  try {
    return parseExactJson(payload.toString('utf8'), 'request-invalid')
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    const message = `${JSON.stringify(shown)} is not JSON: text stands in double quotes, as in "on"`
    throw new FleetstepError('request-invalid', message, { cause })
  }
}

function json(topic: string, payload: string, retain: boolean): Outgoing {
  return { topic, payload: Buffer.from(payload, 'utf8'), retain, priority: 'operations', isJson: true }
}

function text(topic: string, payload: string): Outgoing {
  return { topic, payload: Buffer.from(payload), retain: true, priority: 'control' }
}
