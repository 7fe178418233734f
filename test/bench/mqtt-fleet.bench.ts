import { type ChildProcess, spawn } from 'node:child_process'
import { connect, type MqttClient } from 'mqtt'
import { ANNOUNCE_INTERVAL_MAX_MS, ANNOUNCE_INTERVAL_MEMBERS } from '../../runtime/base/limits.ts'
import { startBenchBroker } from './bench-broker.ts'
import type { FleetCommand, FleetPartJob, FleetView } from './fleet-part.ts'

export { runFleetPart } from './fleet-part.ts'

interface Options {
  readonly smoke: boolean
  /** This file, bundled. */
  readonly module: string
}

interface Fleet {
  readonly members: number
  /** What they say is signed. */
  readonly hasKeys: boolean
}

interface Row extends Fleet {
  readonly broker: string
  /** From the start of the first gateway until all are connected. */
  readonly startedS: number
  /** From then until what 20 of them have said is everywhere. */
  readonly convergedS: number
  /** One change, until all have it. */
  readonly changeMs: number
  /** On the fleet's clock, until that is settled everywhere. */
  readonly settledS: number
  /** Announcements came at their longest intervals when the figures below were taken; false if the time was up before. */
  readonly isAtRest: boolean
  /** In idle times, what the socket of one gateway receives: topics, properties and keep-alive included. */
  readonly idleBytesPerS: number
  readonly idleMessagesPerS: number
  /** Of these, what a bare client counts, by the word behind the fleet in the topic. */
  readonly idleByTopic: string
  /** Microseconds of CPU time of one gateway in each second of the fleet's clock. */
  readonly idleCpuUs: number
  readonly ratioToAim: number
}

/** Bytes that one member may receive in each second while nothing happens. */
const AIM_BYTES_PER_S = 128
/** Members that have changed something, so that version vectors name many. */
const SPEAKERS = 20
/** Gateways of one process; more of them keep each other waiting. */
const MEMBERS_PER_PROCESS = 250
/** For a fleet until its rest is measured; then it is given up, or the row says that it was not at rest. */
const PATIENCE_MS = 500_000

/**
 * Real gateways on a real broker: how long they take to come into step, and what each receives while nothing happens. Each has
 * a connection, a link and a pump of its own; a process runs some hundred of them. Only between their last change and their
 * rest time passes faster, since a large fleet takes half an hour to it, and while that rest is measured, so that an hour's
 * announcements are counted in minutes.
 */
export async function run({ smoke, module }: Options): Promise<{ rows: Row[] }> {
  const fleets: readonly Fleet[] = smoke
    ? [{ members: 4, hasKeys: true }]
    : [
        { members: 100, hasKeys: false },
        { members: 10, hasKeys: true },
        { members: 100, hasKeys: true },
        { members: 500, hasKeys: true },
      ]
  const rows: Row[] = []
  for (const fleet of fleets) {
    if (!smoke) console.error(`a fleet of ${fleet.members}${fleet.hasKeys ? ' with keys' : ''}`)
    rows.push(await measure(fleet, module, smoke ? SMOKE : { windowMs: 60_000, speed: 16 }))
  }
  return { rows }
}

interface Window {
  readonly windowMs: number
  /** How much faster the fleet's clock runs meanwhile. */
  readonly speed: number
}

const SMOKE: Window = { windowMs: 2000, speed: 64 }

async function measure({ members, hasKeys }: Fleet, module: string, window: Window): Promise<Row> {
  const broker = await startBenchBroker()
  const witness = await TopicWitness.connect(broker.port)
  const startedAt = performance.now()
  const fleet = new FleetOfProcesses(broker.port, { members, hasKeys }, module)
  try {
    await fleet.until(({ up }) => up === members)
    const startedS = (performance.now() - startedAt) / 1000
    const issuedAt = performance.now()
    for (let index = 0; index < Math.min(SPEAKERS, members); index += 1) fleet.set(index, `node${index}/state`, 1)
    for (let index = 0; index < Math.min(SPEAKERS, members); index += 1)
      await fleet.until(({ have }) => have === members, `node${index}/state`)
    const convergedS = (performance.now() - issuedAt) / 1000
    const changedAt = performance.now()
    fleet.set(members - 1, 'line/change', 1)
    await fleet.until(({ have }) => have === members, 'line/change')
    const changeMs = performance.now() - changedAt
    const { settledS, isAtRest } = await letRest(fleet, members, window.speed)
    const idle = await measureIdle(fleet, witness, members, window)
    return {
      members,
      hasKeys,
      broker: broker.name,
      startedS,
      convergedS,
      changeMs,
      settledS,
      isAtRest,
      ...idle,
      ratioToAim: idle.idleBytesPerS / AIM_BYTES_PER_S,
    }
  } finally {
    await fleet.end()
    witness.end()
    await broker.end()
  }
}

async function letRest(
  fleet: FleetOfProcesses,
  members: number,
  speed: number,
): Promise<Pick<Row, 'settledS' | 'isAtRest'>> {
  const start = (await fleet.look('line/change')).now
  const settled = await passTime(fleet, speed, (view) => view.settled === members)
  if (!settled.isOver) throw new Error(`the fleet has not settled: ${JSON.stringify(settled.view)}`)
  // Intervals double until they are longest, which takes somewhat longer than the longest of them.
  const intervalMs = ANNOUNCE_INTERVAL_MAX_MS * Math.max(1, members / ANNOUNCE_INTERVAL_MEMBERS)
  const restAt = settled.view.now + 2 * intervalMs
  const { isOver } = await passTime(fleet, speed, ({ now }) => now > restAt)
  return { settledS: (settled.view.now - start) / 1000, isAtRest: isOver }
}

interface Passed {
  readonly view: FleetView
  /** False if the time was up before. */
  readonly isOver: boolean
}

/** Lets the fleet's clock run as fast as its processes can receive what is said. */
async function passTime(
  fleet: FleetOfProcesses,
  firstSpeed: number,
  isOver: (view: FleetView) => boolean,
): Promise<Passed> {
  for (let speed = firstSpeed, before = await fleet.look('line/change'); ;) {
    fleet.speed = speed
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    const askedAt = performance.now()
    const view = await fleet.look('line/change')
    const isLate = performance.now() - askedAt > LATE_MS
    if (isOver(view) || performance.now() > fleet.deadline) return { view, isOver: isOver(view) }
    const frames = view.frames - before.frames
    if (isLate || frames > FRAMES_PER_LOOK_MAX) speed = Math.max(1, speed / 2)
    else if (frames < FRAMES_PER_LOOK_MAX / 3) speed = Math.min(64, speed * 2)
    before = view
  }
}

/** A process that takes so long to answer has more to do than it can. */
const LATE_MS = 100
/** Between two looks at the fleet. */
const LOOK_MS = 300
/** What the processes of a fleet can receive together meanwhile. */
const FRAMES_PER_LOOK_MAX = 3000

async function measureIdle(
  fleet: FleetOfProcesses,
  witness: TopicWitness,
  members: number,
  { windowMs, speed }: Window,
): Promise<Pick<Row, 'idleBytesPerS' | 'idleMessagesPerS' | 'idleByTopic' | 'idleCpuUs'>> {
  fleet.speed = speed
  fleet.verify()
  // What was said while time passed faster arrives first.
  await new Promise((resolve) => setTimeout(resolve, windowMs / 6))
  const before = await fleet.look('')
  witness.forget()
  await new Promise((resolve) => setTimeout(resolve, windowMs))
  const after = await fleet.look('')
  const seconds = (after.now - before.now) / 1000
  const perNode = (figure: 'wireReceived' | 'frames' | 'cpuMs'): number =>
    (after[figure] - before[figure]) / members / seconds
  return {
    idleBytesPerS: perNode('wireReceived'),
    idleMessagesPerS: perNode('frames'),
    idleByTopic: witness.describe(seconds),
    idleCpuUs: 1000 * perNode('cpuMs'),
  }
}

/** The processes that run the gateways, as one. */
class FleetOfProcesses {
  readonly deadline: number = performance.now() + PATIENCE_MS
  readonly #parts: readonly FleetProcess[]

  constructor(port: number, { members, hasKeys }: Fleet, module: string) {
    const count = Math.ceil(members / MEMBERS_PER_PROCESS)
    const parts: FleetProcess[] = []
    for (let part = 0; part < count; part += 1) {
      const [from, to] = [Math.floor((part * members) / count), Math.floor(((part + 1) * members) / count)]
      parts.push(new FleetProcess(module, { port, members, from, to, hasKeys }))
    }
    this.#parts = parts
  }

  set speed(speed: number) {
    for (const part of this.#parts) part.send({ kind: 'speed', speed })
  }

  verify(): void {
    for (const part of this.#parts) part.send({ kind: 'verify' })
  }

  set(index: number, path: string, value: number): void {
    for (const part of this.#parts) part.send({ kind: 'set', index, path, value })
  }

  async look(path: string): Promise<FleetView> {
    const views = await Promise.all(this.#parts.map(async (part) => await part.look(path)))
    const sum = (figure: keyof FleetView): number => views.reduce((total, view) => total + view[figure], 0)
    return {
      up: sum('up'),
      have: sum('have'),
      settled: sum('settled'),
      wireReceived: sum('wireReceived'),
      wireSent: sum('wireSent'),
      frames: sum('frames'),
      frameBytes: sum('frameBytes'),
      cpuMs: sum('cpuMs'),
      now: Math.min(...views.map(({ now }) => now)),
    }
  }

  async until(holds: (view: FleetView) => boolean, path = ''): Promise<void> {
    for (let view = await this.look(path); !holds(view); view = await this.look(path)) {
      if (performance.now() > this.deadline)
        throw new Error(`the fleet has not come into step: ${JSON.stringify(view)}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#parts.map(async (part) => await part.end()))
  }
}

class FleetProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  readonly #answers: ((view: FleetView) => void)[] = []

  constructor(module: string, job: FleetPartJob) {
    const script = `
      const { runFleetPart } = await import(${JSON.stringify(module)})
      await runFleetPart(${JSON.stringify(job)})`
    const words = ['--input-type=module', '-e', script]
    this.#child = spawn(process.execPath, words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#child.on('message', (view: FleetView) => this.#answers.shift()?.(view))
    this.#ended = new Promise((resolve) => this.#child.once('exit', () => resolve()))
  }

  send(command: FleetCommand): void {
    if (this.#child.connected) this.#child.send(command)
  }

  /** Rejects when the process has ended. */
  async look(path: string): Promise<FleetView> {
    const answer = new Promise<FleetView>((resolve) => this.#answers.push(resolve))
    this.send({ kind: 'look', path, value: 1 })
    const gone = this.#ended.then(() => Promise.reject(new Error('a process of the fleet has ended')))
    return await Promise.race([answer, gone])
  }

  async end(): Promise<void> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000)
    this.send({ kind: 'close' })
    await this.#ended
    clearTimeout(timer)
  }
}

/** A bare client that hears what all of them hear. */
class TopicWitness {
  readonly #client: MqttClient
  readonly #bytes = new Map<string, number>()

  static async connect(port: number): Promise<TopicWitness> {
    const client = connect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4, reconnectPeriod: 0 })
    await new Promise((resolve) => client.once('connect', resolve))
    const witness = new TopicWitness(client)
    await client.subscribeAsync('fleet/#')
    return witness
  }

  private constructor(client: MqttClient) {
    this.#client = client
    client.on('message', (topic, _payload, packet) => {
      const kind = topic.split('/')[2] ?? ''
      this.#bytes.set(kind, (this.#bytes.get(kind) ?? 0) + (packet.length ?? 0))
    })
  }

  forget(): void {
    this.#bytes.clear()
  }

  /** Bytes of messages of MQTT 3.1.1 in each second, by kind of topic. */
  describe(seconds: number): string {
    const kinds = [...this.#bytes].map(([kind, bytes]) => `${kind} ${(bytes / seconds).toFixed(1)}`)
    return kinds.join(', ')
  }

  end(): void {
    this.#client.end(true)
  }
}
