import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EXIT_CODES } from '../../runtime/base/errors.ts'
import { isRecord } from '../../runtime/gateway/control-protocol.ts'
import type { GatewayStatus } from '../../runtime/gateway/inspection.ts'
import { type PtyLine, startPtyLine } from '../support/pty-line.ts'
import { runCli } from '../support/program.ts'
import { Backbone } from './backbone.ts'
import { type BrokerProcess, brokersOn } from './brokers.ts'
import { applicationCommand, buildApplication } from './application.ts'
import { applyProfile, writeProfile } from './devices.ts'
import { Disk } from './disk.ts'
import { GatewayProcess } from './gateway-process.ts'
import { guardCauses } from './guard-causes.ts'
import { Instrument } from './instrument.ts'
import {
  addressOf,
  CABLES,
  endsOf,
  FOUNDER,
  GATEWAYS,
  type GatewayPlan,
  HOSTS,
  type LinkPlan,
  MOSQUITTO,
  NATS,
} from './plan.ts'
import { FOLDER_PREFIX, NAMESPACE_PREFIX } from './leftovers.ts'
import type { Records } from './records.ts'
import { OUR_RELEASE, type Release } from './releases.ts'
import type { AlarmCause } from './trouble.ts'

export interface FleetOptions {
  readonly records: Records
  readonly seed: number
  readonly clockLibrary: string | null
  /** Told in one line of whatever a person would want to read later. */
  readonly note: (line: string) => void
}

/** The machines, brokers, cables and gateways of a campaign, and its operator. */
export class CampaignFleet {
  readonly folder: string
  readonly backbone: Backbone
  readonly mosquitto: BrokerProcess
  readonly nats: readonly BrokerProcess[]
  readonly cables: Map<string, PtyLine> = new Map()
  readonly disks: Map<string, Disk> = new Map()
  readonly gateways: Map<string, GatewayProcess> = new Map()
  /** Which release the gateways are, and its folder. */
  release: Release = { kinds: 0, versions: 0 }
  releaseFolder: string = OUR_RELEASE
  /** All gateways that there ever were, clones too. */
  readonly known: Set<string> = new Set()
  /** Ends of daemons that nobody had asked for. */
  readonly falls: string[] = []
  /** What those explain that ended with a code of their own. */
  readonly fallCauses: AlarmCause[] = []
  /** What is wired to one of the gateways. */
  instrument: Instrument | null = null
  readonly #options: FleetOptions
  #isOver = false
  #ended: Promise<void> | null = null

  private constructor(options: FleetOptions) {
    this.#options = options
    this.folder = mkdtempSync(join(tmpdir(), `${FOLDER_PREFIX}${process.pid}-`))
    mkdirSync(join(this.folder, 'run', 'fleetstep'), { recursive: true, mode: 0o700 })
    this.backbone = new Backbone(`${NAMESPACE_PREFIX}${process.pid}`, HOSTS)
    const { mosquitto, nats } = brokersOn(this.backbone, this.folder)
    this.mosquitto = mosquitto
    this.nats = nats
  }

  /** All are members of one fleet when it resolves. */
  static async found(options: FleetOptions): Promise<CampaignFleet> {
    const fleet = new CampaignFleet(options)
    try {
      await fleet.#build()
      await fleet.#enrol()
      return fleet
    } catch (error) {
      await fleet.end()
      throw error
    }
  }

  gateway(name: string): GatewayProcess {
    const gateway = this.gateways.get(name)
    if (gateway === undefined) throw new Error(`there is no gateway ${name}`)
    return gateway
  }

  dataDirectory(name: string): string {
    return join(this.disks.get(name)?.mountPoint ?? join(this.folder, name), 'data')
  }

  /** A gateway on a machine of the campaign; its label makes it a node of its own. Not started yet. */
  addGateway(name: string, host: string, dataDirectory: string, links: readonly LinkPlan[]): GatewayProcess {
    const isApplication = GATEWAYS.some((plan) => plan.name === name && plan.isApplication)
    const gateway = new GatewayProcess({
      name,
      on: this.backbone.on(host),
      folder: this.folder,
      command: isApplication
        ? applicationCommand(this, name, this.#seedOf(name), dataDirectory)
        : this.#daemonCommand(name, dataDirectory, links),
      release: this.releaseFolder,
      clockLibrary: this.#options.clockLibrary,
      onEnd: (code, lastWords) => this.#noteFall(name, code, lastWords),
      onConnected: (watch) => this.#options.records.follow(name, watch),
    })
    this.gateways.set(name, gateway)
    this.known.add(name)
    return gateway
  }

  #daemonCommand(name: string, dataDirectory: string, links: readonly LinkPlan[]): (release: string) => string[] {
    const config = join(this.folder, `${name}.yaml`)
    const lines = [
      `fleet: { seed: ${this.#seedOf(name)} }`,
      `device: ${name}`,
      `label: ${name}`,
      `dataDirectory: ${dataDirectory}`,
      ...(GATEWAYS.some((plan) => plan.name === name) ? [`profile: ${writeProfile(this, name, 0)}`] : []),
      'logLevel: info',
      'links:',
      ...links.map((link) => `  - ${this.#linkText(link, name)}`),
    ]
    writeFileSync(config, `${lines.join('\n')}\n`)
    return (release) => [join(release, 'cli.js'), 'run', '--config', config, '--json']
  }

  #seedOf(name: string): string {
    return join(this.folder, name === FOUNDER ? 'founder.seed' : `tier-${tierOf(name)}.seed`)
  }

  /**
   * What the operator types. A gateway that is too busy to answer is asked again, and may have done it the first time.
   * @throws Error with what it printed, unless it ends with 0
   */
  async operate(...words: readonly string[]): Promise<string> {
    const environment = { XDG_RUNTIME_DIR: join(this.folder, 'run') }
    for (let attempt = 1; ; attempt += 1) {
      const { code, lines, errors } = await runCli(words, environment, this.folder)
      if (code === 0 || (attempt > 1 && code !== EXIT_CODES['daemon-unreachable'])) return lines.join('\n')
      const isBusy = code === EXIT_CODES['daemon-unreachable'] && attempt < ATTEMPTS_MAX
      if (!isBusy) throw new Error(`fleetstep ${words.join(' ')} ended with ${code}: ${errors.join(' ')}`)
    }
  }

  async statuses(): Promise<Map<string, GatewayStatus>> {
    const running = [...this.gateways.values()].filter(({ isRunning }) => isRunning)
    const answers = await Promise.allSettled(running.map(async (gateway) => await gateway.statusNow()))
    return new Map(
      answers.flatMap((answer, index) => {
        const name = running[index]?.name ?? ''
        return answer.status === 'fulfilled' ? [[name, answer.value] as const] : []
      }),
    )
  }

  async states(): Promise<Map<string, Readonly<Record<string, unknown>>>> {
    const states = new Map<string, Readonly<Record<string, unknown>>>()
    for (const [name, gateway] of this.gateways) {
      const state = await gateway.call('state.get', { settled: true })
      if (isRecord(state)) states.set(name, state)
    }
    return states
  }

  /** Takes everything away, also what stands half, and only once. */
  async end(): Promise<void> {
    this.#isOver = true
    this.#ended ??= this.#takeAway()
    await this.#ended
  }

  async #takeAway(): Promise<void> {
    // Whoever waits for a disk that stands still does not end.
    for (const disk of this.disks.values()) disk.release()
    await Promise.all([...this.gateways.values()].map(async (gateway) => await gateway.kill()))
    await Promise.all([...this.gateways.values()].map(async (gateway) => await gateway.gone()))
    await Promise.all([this.mosquitto, ...this.nats].map(async (broker) => await broker.kill()))
    for (const cable of this.cables.values()) await cable.end()
    await this.instrument?.end()
    for (const disk of this.disks.values()) await disk.remove()
    this.backbone.remove()
    await rm(this.folder, { recursive: true, force: true })
  }

  async #build(): Promise<void> {
    this.mosquitto.start()
    for (const server of this.nats) server.start()
    for (const [index, name] of CABLES.entries())
      this.cables.set(
        name,
        await startPtyLine(
          [...endsOf(name)].map((end) => cableEnd(name, end)),
          {
            baud: 115_200,
            seed: this.#options.seed + index,
          },
          this.folder,
        ),
      )
    this.instrument = await Instrument.start(this.folder)
    await buildApplication()
    for (const { name } of GATEWAYS) this.disks.set(name, await Disk.create(this.folder, name))
  }

  async #enrol(): Promise<void> {
    const founder = (await this.operate('node', 'id', '--label', FOUNDER)).trim()
    await this.operate('fleet', 'create', 'campaign', '--founder', founder, '--tier', String(tierOf(FOUNDER)))
    await this.operate('seed', 'create', 'founder.seed', '--fleet', 'campaign', '--founder')
    for (const tier of [0, 1, 2, 3])
      await this.operate(
        'seed',
        'create',
        `tier-${tier}.seed`,
        '--fleet',
        'campaign',
        '--uses',
        '100',
        '--tier',
        String(tier),
      )
    for (const { name, links } of GATEWAYS) this.addGateway(name, name, this.dataDirectory(name), links)
    await this.gateway(FOUNDER).start()
    for (const gateway of this.gateways.values()) if (!gateway.isRunning) await gateway.start()
    await this.untilAll((status) => status.status === 'member', 'all are members', FOUNDING_MS_MAX)
    for (const { name } of GATEWAYS) await applyProfile(this, name, 0)
    await this.untilAll(
      // An application has no file that it would compare.
      ({ profile }) => profile === null || profile.fleet.kind === 'in-state',
      'the profiles are in force',
      FOUNDING_MS_MAX,
    )
  }

  /** @throws Error with what each gateway shows, after `patienceMs` */
  async untilAll(
    holds: (status: GatewayStatus, all: ReadonlyMap<string, GatewayStatus>) => boolean,
    what: string,
    patienceMs: number,
  ): Promise<void> {
    for (const deadline = performance.now() + patienceMs; ; await sleep(100)) {
      const statuses = await this.statuses()
      const isWhole = statuses.size === this.gateways.size
      if (isWhole && [...statuses.values()].every((status) => holds(status, statuses))) return
      if (performance.now() > deadline)
        throw new Error(`waited in vain until ${what}:\n${linesOf(statuses, this.gateways)}`)
    }
  }

  #linkText(link: LinkPlan, name: string): string {
    switch (link.kind) {
      case 'broker': {
        const hosts =
          link.broker === 'nats'
            ? rotated(
                NATS,
                GATEWAYS.findIndex((plan) => plan.name === name),
              )
            : [MOSQUITTO]
        const servers = hosts.map(({ address }) => `'mqtt://${address}:1883'`)
        return `{ kind: mqtt, name: ${link.broker}, servers: [${servers.join(', ')}] }`
      }
      case 'cable':
        return `{ kind: serial, name: ${link.cable}, port: ${this.#device(link.cable, name)}, baud: 115200 }`
      case 'peers': {
        const listen = link.listens ? `{ host: ${addressOf(name)}, port: 1884 }` : 'null'
        const peers = link.peer === null ? '' : `'mqtt://${addressOf(link.peer)}:1884'`
        return `{ kind: peers, name: peers, listen: ${listen}, peers: [${peers}] }`
      }
    }
  }

  #device(cable: string, gateway: string): string {
    const line = this.cables.get(cable)
    if (line === undefined) throw new Error(`there is no cable ${cable}`)
    return line.device(cableEnd(cable, gateway))
  }

  /** Does what a supervisor does. */
  #noteFall(name: string, code: number | null, lastWords: string): void {
    if (this.#isOver) return
    this.falls.push(`${name} ended by itself with ${code ?? 'a signal'}: ${lastWords}`)
    this.#options.note(this.falls.at(-1) ?? '')
    if (code !== null) this.fallCauses.push(...guardCauses(name))
    setTimeout(() => {
      if (!this.#isOver) void this.gateway(name).start()
    }, RESTART_DELAY_MS)
  }
}

const RESTART_DELAY_MS = 1000
const ATTEMPTS_MAX = 10
/** A machine on which other campaigns run takes a while. */
const FOUNDING_MS_MAX = 300_000

/** So that not all are connected to the same one. */
function rotated<T>(list: readonly T[], by: number): readonly T[] {
  const first = Math.max(0, by) % list.length
  return [...list.slice(first), ...list.slice(0, first)]
}

export function cableEnd(cable: string, gateway: string): string {
  return `${cable}-${gateway}`
}

function tierOf(name: string): number {
  const plan: GatewayPlan | undefined = GATEWAYS.find((one) => one.name === name)
  return plan?.tier ?? 0
}

function linesOf(statuses: ReadonlyMap<string, GatewayStatus>, gateways: ReadonlyMap<string, GatewayProcess>): string {
  return [...gateways.keys()]
    .map((name) => {
      const status = statuses.get(name)
      if (status === undefined) return `  ${name} does not answer`
      const {
        self,
        last,
        floor,
        floorDigest,
        floorHold,
        drafts,
        members,
        refusal,
        journalLength,
        waitingList,
        dropped,
      } = status
      const links = status.links.map((link) => `${link.name} ${link.state}`).join(', ')
      return `  ${name} ${status.status} ${self}, stage ${last.stage} (${last.operation}), floor ${floor} ${floorDigest} held by ${JSON.stringify(floorHold)}, journal ${journalLength}, waiting ${waitingList.length}, drafts ${drafts}, refusal ${refusal}, members ${members.filter(({ isRetired }) => !isRetired).length}, ${links}, dropped ${JSON.stringify(dropped)}`
    })
    .join('\n')
}
