/** Gateways over real clusters of brokers, of which one is killed under load. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeBrokerConfig, type WrittenBroker } from '../../runtime/gateway/broker-config/broker-config.ts'
import { type Gateway, openGateway } from '../../runtime/gateway/gateway.ts'
import { memoryStorage, mqtt } from '../../runtime/gateway/parts.ts'
import { founders } from '../bench/workload.ts'
import { until } from '../links/clocks.ts'
import { findProgram } from '../support/system-programs.ts'
import { assertRules, PERSON } from './broker-rules.ts'

export interface ClusterFigures {
  readonly engine: string
  readonly operations: number
  readonly serversKilled: number
  /** From the kill until all gateways had all operations, with two servers. */
  readonly convergedMs: number
  /** The same after the killed one was back and another was killed. */
  readonly convergedAgainMs: number
}

type Engine = 'nats' | 'rabbitmq'

/** Loopback has many addresses, so all servers of a cluster use the same port. */
const SERVERS: readonly string[] = ['127.0.0.1', '127.0.0.2', '127.0.0.3']
const PORT = 18_831
const genesis = founders(3)
const OPERATIONS_PER_ROUND = 300

const PROGRAMS: Readonly<Record<Engine, string>> = { nats: 'nats-server', rabbitmq: 'rabbitmq-server' }

/** Why this engine cannot be tried here, or null. */
export function obstacleToCluster(engine: Engine): string | null {
  const program = PROGRAMS[engine]
  if (findProgram(program) === null) return `${program} is missing: apt-get install ${program}`
  if (engine === 'rabbitmq' && process.getuid?.() !== 0)
    return 'rabbitmq-server is started as its own user, which takes root'
  return null
}

/** @throws Error if the gateways do not converge, or a change is missing on one */
export async function killServersOf(engine: Engine): Promise<ClusterFigures> {
  const folder = mkdtempSync(join(tmpdir(), `fleetstep-${engine}-`))
  const written = writeSettings(engine, folder)
  const cluster = engine === 'nats' ? new NatsCluster(folder) : new RabbitCluster(folder)
  const gateways: Gateway[] = []
  try {
    // As the settings for RabbitMQ say: one after the other.
    for (const [index, server] of SERVERS.entries()) {
      cluster.start(index)
      await takesClients(server)
    }
    await cluster.settle()
    for (const { node } of genesis.founders) gateways.push(await openOn(written, node))
    await until(() => gateways.every(isUp), 'all gateways are connected', 60_000)
    const [a, b, c] = genesis.founders.map(({ node }) => node)
    if (a === undefined || b === undefined || c === undefined) throw new Error('the fleet has three nodes')
    await assertRules({ written, url: `mqtt://${SERVERS[2]}:${PORT}`, nodes: [a, b, c] })
    const first = await loadWhileKilled(gateways, 1, () => cluster.kill(0))
    cluster.start(0)
    await takesClients(SERVERS[0] ?? '')
    await cluster.settle()
    const second = await loadWhileKilled(gateways, 2, () => cluster.kill(1))
    return {
      engine,
      operations: 2 * OPERATIONS_PER_ROUND,
      serversKilled: 2,
      convergedMs: Math.round(first),
      convergedAgainMs: Math.round(second),
    }
  } finally {
    for (const gateway of gateways) await gateway.close()
    for (const index of SERVERS.keys()) cluster.kill(index)
    cluster.end()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

function writeSettings(engine: Engine, folder: string): WrittenBroker {
  const members = genesis.founders.map(({ node, tier }) => `    - { node: '${node}', tier: ${tier} }`).join('\n')
  const config = join(folder, 'gateway.yaml')
  writeFileSync(config, `fleet:\n  name: ${genesis.name}\n  members:\n${members}\ndataDirectory: data\n`)
  return writeBrokerConfig({
    broker: engine,
    config,
    directory: folder,
    servers: SERVERS,
    port: PORT,
    people: [PERSON],
    passwords: true,
    plain: true,
    persistence: false,
  })
}

async function openOn({ servers, directory }: WrittenBroker, node: Gateway['node']): Promise<Gateway> {
  const password = readFileSync(join(directory, 'passwords', node), 'utf8').trimEnd()
  return await openGateway({
    fleet: genesis,
    node,
    storage: memoryStorage(),
    links: [mqtt({ servers, username: node, password })],
  })
}

function isUp(gateway: Gateway): boolean {
  return gateway.links().every(({ state }) => state === 'up')
}

/** Each gateway changes points of its own all the while. @returns milliseconds from the kill to equality */
async function loadWhileKilled(gateways: readonly Gateway[], round: number, kill: () => void): Promise<number> {
  let killedAt = 0
  for (let count = 0; count < OPERATIONS_PER_ROUND; count += 1) {
    const gateway = gateways[count % gateways.length]
    gateway?.state.set(`round${round}/point${count}`, count)
    if (count === OPERATIONS_PER_ROUND / 3) {
      killedAt = performance.now()
      kill()
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const isWhole = ({ state }: Gateway): boolean => state.entries(`round${round}`).length === OPERATIONS_PER_ROUND
  await until(() => gateways.every(isWhole), 'all gateways have all operations', 120_000)
  const convergedMs = performance.now() - killedAt
  const states = new Set(gateways.map(({ state }) => JSON.stringify(state.entries())))
  if (states.size !== 1) throw new Error('the gateways have different states')
  return convergedMs
}

async function takesClients(server: string): Promise<void> {
  let isOpen = false
  const attempt = (): void => {
    const socket = connect({ host: server, port: PORT })
    socket.once('connect', () => {
      isOpen = true
      socket.destroy()
    })
    socket.once('error', () => setTimeout(attempt, 200))
  }
  attempt()
  await until(() => isOpen, `a broker listens on ${server}:${PORT}`, 120_000)
}

abstract class Cluster {
  protected readonly folder: string
  protected readonly children = new Map<number, ChildProcess>()

  constructor(folder: string) {
    this.folder = folder
  }

  abstract start(index: number): void

  /** Waits until its members see each other. */
  async settle(): Promise<void> {}

  /** SIGKILL for the whole process group of one server. */
  kill(index: number): void {
    const child = this.children.get(index)
    this.children.delete(index)
    if (child?.pid === undefined) return
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
    }
  }

  end(): void {}
}

class NatsCluster extends Cluster {
  override start(index: number): void {
    const config = join(this.folder, `nats-server-${index + 1}.conf`)
    const program = findProgram('nats-server') ?? ''
    this.children.set(index, spawn(program, ['-c', config], { stdio: 'ignore', detached: true }))
  }
}

/** Three servers on one machine need names of their own, which the settings do not have for three machines. */
class RabbitCluster extends Cluster {
  constructor(folder: string) {
    super(folder)
    const own = Number(spawnSync('id', ['-u', 'rabbitmq'], { encoding: 'utf8' }).stdout)
    const group = Number(spawnSync('id', ['-g', 'rabbitmq'], { encoding: 'utf8' }).stdout)
    for (const index of SERVERS.keys()) {
      const file = join(folder, `rabbitmq-${index + 1}.conf`)
      const text = SERVERS.reduce(
        (before, server, other) => before.replaceAll(`rabbit@${server}`, `r${other + 1}@localhost`),
        readFileSync(file, 'utf8'),
      )
      writeFileSync(file, text)
    }
    mkdirSync(join(folder, 'home'))
    writeFileSync(join(folder, 'home', '.erlang.cookie'), 'FLEETSTEPTEST', { mode: 0o400 })
    chmodSync(folder, 0o755)
    for (const name of readdirSync(folder)) chownSync(join(folder, name), own, group)
    chownSync(join(folder, 'home', '.erlang.cookie'), own, group)
  }

  override start(index: number): void {
    this.children.set(index, spawn('setpriv', this.#words(index, 'rabbitmq-server'), this.#options(index)))
  }

  override async settle(): Promise<void> {
    await until(() => this.#clusterSize() === SERVERS.length, 'the three servers form a cluster', 120_000)
  }

  /** The port mapper of Erlang was started by the servers, and ends by its own command. */
  override end(): void {
    spawnSync('setpriv', ['--reuid=rabbitmq', '--regid=rabbitmq', '--clear-groups', 'epmd', '-kill'], this.#options(0))
  }

  #clusterSize(): number {
    const words = [...this.#words(2, 'rabbitmqctl'), '-n', 'r3@localhost', 'cluster_status', '--formatter', 'json']
    const { stdout } = spawnSync('setpriv', words, { ...this.#options(2), stdio: 'pipe', encoding: 'utf8' })
    try {
      const status: unknown = JSON.parse(stdout.slice(stdout.indexOf('{')))
      if (typeof status !== 'object' || status === null || !('running_nodes' in status)) return 0
      return Array.isArray(status.running_nodes) ? status.running_nodes.length : 0
    } catch {
      return 0
    }
  }

  #words(_index: number, program: string): string[] {
    return ['--reuid=rabbitmq', '--regid=rabbitmq', '--clear-groups', `/usr/lib/rabbitmq/bin/${program}`]
  }

  #options(index: number): { cwd: string; env: NodeJS.ProcessEnv; detached: boolean; stdio: 'ignore' } {
    const { folder } = this
    const name = `r${index + 1}`
    return {
      cwd: join(folder, 'home'),
      detached: true,
      stdio: 'ignore',
      env: {
        PATH: process.env['PATH'],
        HOME: join(folder, 'home'),
        RABBITMQ_NODENAME: `${name}@localhost`,
        RABBITMQ_CONFIG_FILE: join(folder, `rabbitmq-${index + 1}.conf`),
        RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
        RABBITMQ_MNESIA_BASE: join(folder, 'home', 'mnesia'),
        RABBITMQ_LOG_BASE: join(folder, 'home', 'log'),
        RABBITMQ_PID_FILE: join(folder, 'home', `${name}.pid`),
        RABBITMQ_DIST_PORT: String(25_671 + index),
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
        ERL_EPMD_ADDRESS: '127.0.0.1',
        ERL_EPMD_PORT: '14369',
      },
    }
  }
}
