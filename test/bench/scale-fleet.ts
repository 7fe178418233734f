import { memberIdOf } from '../../runtime/base/ids.ts'
import { fraction, type Random, seededRandom } from '../../runtime/base/random.ts'
import type { Path } from '../../runtime/state/path.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { Replica } from '../../runtime/sync/replica.ts'
import { EventQueue } from '../simulation/event-queue.ts'
import { founders } from './workload.ts'

/** Between the publication of a frame and its arrival at everybody, as a broker in the same building does it. */
const LATENCY_MS = 20
/** A commit on a card. */
const COMMIT_MS = 5
const LINK = 'broadcast'

export interface Traffic {
  readonly frames: number
  readonly bytes: number
}

/** A fleet on one broadcast link, as MQTT is: every frame reaches everybody. Time is the simulation's. */
export class ScaleFleet {
  readonly nodes: readonly ScaleNode[]
  readonly random: Random = seededRandom(11)
  readonly #queue = new EventQueue()
  /** Frames that everybody but its sender has received, so what each node receives. */
  #traffic: Traffic = { frames: 0, bytes: 0 }
  readonly #byKind = new Map<string, Traffic>()
  now = 0
  /** Who takes in what it receives: in idle times a sample will do, since what is heard then changes nothing. */
  listeners: readonly ScaleNode[]
  /** Whether a frame of operations does not reach a node. */
  loses: (to: ScaleNode) => boolean = () => false

  constructor(size: number) {
    const genesis = founders(size)
    this.nodes = genesis.founders.map(({ node }, index) => {
      const options = {
        self: memberIdOf(node, 0),
        genesis,
        random: seededRandom(1000 + index),
        recovered: { snapshot: null, records: [], last: 0 },
      }
      return new ScaleNode(new Replica(options), this)
    })
    this.listeners = this.nodes
  }

  get traffic(): Traffic {
    return this.#traffic
  }

  /** Bytes and frames of each channel so far. */
  get byKind(): ReadonlyMap<string, Traffic> {
    return this.#byKind
  }

  at(time: number, happen: () => void): void {
    this.#queue.add(time, happen)
  }

  /** Lets time pass until `until`, or until the condition holds. @returns whether it held */
  run(until: number, isDone: () => boolean = () => false): boolean {
    while (this.#queue.nextAt <= until) {
      this.now = this.#queue.nextAt
      this.#queue.take()?.()
      if (isDone()) return true
    }
    this.now = until
    return false
  }

  broadcast(output: Output & { readonly kind: 'send' }, from: ScaleNode): void {
    const { frame, to } = output
    const add = ({ frames, bytes }: Traffic): Traffic => ({ frames: frames + 1, bytes: bytes + frame.length })
    this.#traffic = add(this.#traffic)
    this.#byKind.set(to.channel, add(this.#byKind.get(to.channel) ?? { frames: 0, bytes: 0 }))
    const { loses } = this
    const isLost = (node: ScaleNode): boolean => to.channel === 'operations' && loses(node)
    this.at(this.now + LATENCY_MS, () => {
      for (const node of this.listeners) if (node !== from && !isLost(node)) node.receive(frame)
    })
  }
}

export class ScaleNode {
  readonly replica: Replica
  readonly #fleet: ScaleFleet
  /** The highest stage that is settled here. */
  floor = 0
  #wakeAt = Infinity

  constructor(replica: Replica, fleet: ScaleFleet) {
    this.replica = replica
    this.#fleet = fleet
  }

  start(): void {
    this.#carryOut(this.replica.receive({ kind: 'link-up', link: LINK }, this.#fleet.now))
  }

  set(path: string, value: number): void {
    const request = { writes: [{ path: path as Path, kind: 'set', argument: value } as const], guards: [] }
    this.#carryOut(this.replica.issue(request, 0, this.#fleet.now).outputs)
  }

  get(path: string): unknown {
    return this.replica.get(path as Path)
  }

  receive(frame: Uint8Array): void {
    this.#carryOut(this.replica.receive({ kind: 'frame', link: LINK, bytes: frame }, this.#fleet.now))
  }

  #carryOut(outputs: readonly Output[]): void {
    let through = 0
    for (const output of outputs) {
      if (output.kind === 'store') through = output.number
      else if (output.kind === 'send') this.#fleet.broadcast(output, this)
      else if (output.kind === 'settled') this.floor = output.floor
      else if (output.kind === 'alarm') throw new Error(`alarm ${output.alarm.name}`)
    }
    const { now } = this.#fleet
    if (through > 0) {
      this.#fleet.at(now + COMMIT_MS, () => {
        this.#carryOut(this.replica.receive({ kind: 'stored', through }, this.#fleet.now))
      })
    }
    this.#sleep()
  }

  #sleep(): void {
    const wakeAt = this.replica.wakeAt(this.#fleet.now) ?? Infinity
    if (wakeAt >= this.#wakeAt || wakeAt === Infinity) return
    this.#wakeAt = wakeAt
    this.#fleet.at(wakeAt, () => {
      if (this.#wakeAt !== wakeAt) return
      this.#wakeAt = Infinity
      this.#carryOut(this.replica.tick(this.#fleet.now))
    })
  }
}

export function anyOf(fleet: ScaleFleet): ScaleNode {
  return fleet.nodes[fleet.random.uint32() % fleet.nodes.length] as ScaleNode
}

export function spread(fleet: ScaleFleet, ms: number): number {
  return ms * fraction(fleet.random)
}
