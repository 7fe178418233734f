import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TELEMETRY_REFRESH_MS } from '../../runtime/base/limits.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Path } from '../../runtime/state/path.ts'
import type { Output } from '../../runtime/sync/output.ts'
import { DrivenReplica } from '../support/driven-replica.ts'
import { genesisOf } from '../support/replica-network.ts'

const MEMBERS = 4
const FLEET = genesisOf(MEMBERS)
/** Who hears whom: two media with three members each, and one cable that closes a ring. */
const MEDIA: Readonly<Record<string, readonly number[]>> = { air: [0, 1, 2], line: [1, 2, 3], cable: [0, 3] }
const POINTS = ['level', 'flow', 'mode']
const STEP_MS = 100
const SEEDS = Number(process.env['FLEETSTEP_RUNS'] ?? 6)
const FIRST_SEED = Number(process.env['FLEETSTEP_SEED'] ?? 1)

interface Flight {
  readonly at: number
  readonly to: number
  readonly link: string
  readonly bytes: Uint8Array
}

/** Members whose clocks start anywhere, on media that lose, repeat and reorder. Each reading is one more than the one before. */
class Fleet {
  readonly nodes: DrivenReplica[] = []
  readonly newest = new Map<string, number>()
  readonly #random: ReturnType<typeof seededRandom>
  #flights: Flight[] = []
  #now = 0
  frames = 0
  isLossy = true

  constructor(seed: number) {
    this.#random = seededRandom(seed)
    for (let index = 0; index < MEMBERS; index++) this.nodes.push(this.#started(index, []))
  }

  below(limit: number): number {
    return this.#random.uint32() % limit
  }

  report(index: number): void {
    const path = `device${index}/${POINTS[this.below(POINTS.length)]}`
    const value = (this.newest.get(path) ?? 0) + 1
    this.newest.set(path, value)
    this.#carry(index, this.#node(index).replica.report(readingOf(path, value), this.#node(index).now))
  }

  /** What is in the memory of a node is gone, and what others hold of it is not. */
  restart(index: number): void {
    const { records } = this.#node(index)
    this.nodes[index] = this.#started(index, records)
    for (const path of this.newest.keys()) if (path.startsWith(`device${index}/`)) this.#reportAgain(index, path)
  }

  run(durationMs: number, check: () => void): void {
    for (const until = this.#now + durationMs; this.#now < until;) {
      this.#now += STEP_MS
      for (const [index, node] of this.nodes.entries()) {
        this.#carry(index, node.wait(STEP_MS))
        this.#carry(index, node.store())
      }
      for (let round = 0; round < 20; round++) if (!this.#deliver()) break
      check()
    }
  }

  shown(index: number, path: string): number {
    const node = this.#node(index)
    return Number(node.replica.readings.shown.reading(path as Path, node.now)?.value ?? 0)
  }

  #deliver(): boolean {
    const due = this.#flights.filter(({ at }) => at <= this.#now)
    this.#flights = this.#flights.filter(({ at }) => at > this.#now)
    for (const { to, link, bytes } of due) this.#carry(to, this.#node(to).give({ kind: 'frame', link, bytes }))
    return due.length > 0
  }

  #carry(from: number, outputs: readonly Output[]): void {
    for (const output of outputs) {
      if (output.kind !== 'send' || output.to.channel !== 'telemetry') continue
      const { links } = output.to
      for (const [link, members] of Object.entries(MEDIA)) {
        const isMeant = links === 'all' || ('only' in links ? links.only === link : links.except !== link)
        if (!isMeant || !members.includes(from)) continue
        this.frames += 1
        for (const to of members) if (to !== from) this.#throw(to, link, output.frame)
      }
    }
  }

  #throw(to: number, link: string, bytes: Uint8Array): void {
    const copies = this.isLossy ? [0, 0, 1, 1, 1, 2][this.below(6)] : 1
    for (let copy = 0; copy < (copies ?? 0); copy++) {
      const delayMs = this.isLossy ? this.below(20) * this.below(20) * 10 : 0
      this.#flights.push({ at: this.#now + delayMs, to, link, bytes })
    }
  }

  #reportAgain(index: number, path: string): void {
    const value = (this.newest.get(path) ?? 0) + 1
    this.newest.set(path, value)
    this.#carry(index, this.#node(index).replica.report(readingOf(path, value), this.#node(index).now))
  }

  #started(index: number, records: readonly Uint8Array[]): DrivenReplica {
    const node = new DrivenReplica(FLEET, index, { snapshot: null, records, last: records.length })
    node.records.push(...records)
    node.give({ kind: 'link-down', link: 'air' })
    node.now = this.below(1_000_000)
    node.store()
    for (const [link, members] of Object.entries(MEDIA))
      if (members.includes(index)) node.give({ kind: 'link-up', link })
    return node
  }

  #node(index: number): DrivenReplica {
    const node = this.nodes[index]
    assert.ok(node)
    return node
  }
}

function readingOf(path: string, value: number): Parameters<DrivenReplica['replica']['report']>[0] {
  return { path: path as Path, value, quality: 'good', ageMs: 0 }
}

for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
  test(`telemetry never goes back, and every member ends with the newest of each (FLEETSTEP_SEED=${seed} FLEETSTEP_RUNS=1)`, () => {
    const fleet = new Fleet(seed)
    const highest = new Map<string, number>()
    const neverBack = (): void => {
      for (const path of fleet.newest.keys())
        for (let index = 0; index < MEMBERS; index++) {
          const at = `${index} ${path}`
          const value = fleet.shown(index, path)
          assert.ok(value >= (highest.get(at) ?? 0), `${at} went from ${highest.get(at)} to ${value}`)
          highest.set(at, value)
        }
    }
    let reports = 0
    for (let round = 0; round < 60; round++) {
      for (let count = fleet.below(6); count > 0; count--, reports++) fleet.report(fleet.below(MEMBERS))
      if (fleet.below(20) === 0) {
        const index = fleet.below(MEMBERS)
        fleet.restart(index)
        for (const at of highest.keys()) if (at.startsWith(`${index} `)) highest.delete(at)
      }
      fleet.run(500, neverBack)
    }
    const busy = fleet.frames
    assert.ok(busy < 6 * (reports + 60 * MEMBERS), `${busy} frames for ${reports} readings: no storm`)
    fleet.isLossy = false
    fleet.run(20_000 + 1.5 * TELEMETRY_REFRESH_MS, neverBack)
    assert.ok(fleet.frames - busy < 200, `${fleet.frames - busy} frames while nothing changes`)
    for (const [path, value] of fleet.newest)
      for (let index = 0; index < MEMBERS; index++) assert.equal(fleet.shown(index, path), value, `${index} ${path}`)
  })
}
