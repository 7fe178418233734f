import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../support/system-programs.ts'
import type { Backbone } from './backbone.ts'
import { MOSQUITTO, NATS } from './plan.ts'

/** One server of a broker, on a machine of its own. */
export class BrokerProcess {
  readonly host: string
  readonly #command: readonly string[]
  readonly #data: string
  #child: ChildProcess | null = null

  constructor(host: string, data: string, command: readonly string[]) {
    this.host = host
    this.#data = data
    this.#command = command
  }

  start(): void {
    mkdirSync(this.#data, { recursive: true })
    this.#child = spawn('ip', this.#command, { stdio: 'ignore' })
  }

  async kill(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  /** Everything that it had kept for its clients. */
  forget(): void {
    rmSync(this.#data, { recursive: true, force: true })
  }
}

/** Mosquitto, and a cluster of three NATS servers, as their packages bring them. */
export function brokersOn(
  backbone: Backbone,
  folder: string,
): { readonly mosquitto: BrokerProcess; readonly nats: readonly BrokerProcess[] } {
  return { mosquitto: mosquittoOn(backbone, folder), nats: NATS.map((_, index) => natsOn(backbone, folder, index)) }
}

function mosquittoOn(backbone: Backbone, folder: string): BrokerProcess {
  const data = join(folder, 'mosquitto-data')
  const config = join(folder, 'mosquitto.conf')
  const lines = [
    'user root',
    `listener 1883 ${MOSQUITTO.address}`,
    'allow_anonymous true',
    'persistence true',
    `persistence_location ${data}/`,
    'autosave_interval 5',
    'max_queued_messages 100000',
    'max_inflight_messages 100',
    'message_size_limit 1048576',
  ]
  writeFileSync(config, `${lines.join('\n')}\n`)
  return new BrokerProcess(MOSQUITTO.name, data, [...backbone.on(MOSQUITTO.name), program('mosquitto'), '-c', config])
}

function natsOn(backbone: Backbone, folder: string, index: number): BrokerProcess {
  const host = NATS[index]
  if (host === undefined) throw new Error(`there is no server ${index} of NATS`)
  const { name, address } = host
  const data = join(folder, `${name}-data`)
  const config = join(folder, `${name}.conf`)
  const routes = NATS.filter((other) => other !== host).map((other) => `"nats://${other.address}:6222"`)
  const lines = [
    `server_name: ${name}`,
    `listen: "${address}:4222"`,
    `jetstream { store_dir: "${data}" }`,
    `mqtt { listen: "${address}:1883" }`,
    `cluster { name: campaign, listen: "${address}:6222", routes: [${routes.join(', ')}] }`,
  ]
  writeFileSync(config, `${lines.join('\n')}\n`)
  return new BrokerProcess(name, data, [...backbone.on(name), program('nats-server'), '-c', config])
}

function program(name: string): string {
  const path = findProgram(name)
  if (path === null) throw new Error(`${name} is not installed: apt-get install ${name}`)
  return path
}
