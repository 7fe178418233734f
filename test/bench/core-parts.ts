import { memberIdOf } from '../../runtime/base/ids.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { Replica } from '../../runtime/sync/replica.ts'

/** A replica on a disk that is always ready, without time. */
export class BenchReplica {
  readonly replica: Replica
  /** Frames of operations that it has sent. */
  readonly frames: Uint8Array[] = []

  constructor(genesis: Genesis, index: number) {
    const founder = genesis.founders[index]
    if (founder === undefined) throw new Error('no such founder')
    const recovered = { snapshot: null, records: [], last: 0 }
    this.replica = new Replica({
      self: memberIdOf(founder.node, 0),
      genesis,
      random: seededRandom(index + 1),
      recovered,
    })
    this.carryOut(this.replica.tick(0))
  }

  /** Stores at once what is to be stored, and keeps what is to be sent. */
  carryOut(outputs: readonly Output[]): void {
    let through = 0
    for (const output of outputs) {
      if (output.kind === 'store') through = output.number
      else if (output.kind === 'send' && output.to.channel === 'operations') this.frames.push(output.frame)
    }
    if (through > 0) this.carryOut(this.replica.receive({ kind: 'stored', through }, 0))
  }

  receive(frame: Uint8Array): void {
    this.carryOut(this.replica.receive({ kind: 'frame', link: 'bench', bytes: frame }, 0))
  }
}

/** Makes the replicas hear each other once, so that they may speak. */
export function introduce(replicas: readonly BenchReplica[]): void {
  for (const speaker of replicas) {
    const outputs = speaker.replica.receive({ kind: 'link-up', link: 'bench' }, 0)
    speaker.carryOut(outputs)
    for (const output of outputs) {
      if (output.kind !== 'send') continue
      for (const listener of replicas) if (listener !== speaker) listener.receive(output.frame)
    }
  }
}

/** Microseconds of CPU that `work` takes. */
export function cpuOf(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const used = process.cpuUsage(before)
  return used.user + used.system
}

export function assertSame(replicas: readonly BenchReplica[]): void {
  const [first, ...others] = replicas.map(({ replica }) =>
    JSON.stringify([...replica.entries()].sort(([left], [right]) => (left < right ? -1 : 1))),
  )
  if (others.some((other) => other !== first)) throw new Error('the benchmark did not converge')
}
