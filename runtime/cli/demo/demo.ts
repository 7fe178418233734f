import { relative } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { FleetstepError } from '../../base/errors.ts'
import { DEMO_VIEW_INTERVAL_MS } from '../../base/limits.ts'
import { FleetDirectory } from '../../gateway/fleet-directory.ts'
import { type DemoBroker, startBroker, useBroker } from './broker.ts'
import { Children } from './children.ts'
import { DemoFleet } from './demo-fleet.ts'
import { meetingChapter, partitionChapter } from './partition-chapter.ts'
import { restartChapter } from './restart-chapter.ts'
import { Scene } from './scene.ts'
import type { Teller } from './teller.ts'
import type { Patience } from './until.ts'
import { verdictChapter } from './verdict-chapter.ts'

export interface DemoOptions {
  /** The story alone, in a temporary folder. */
  readonly once: boolean
  readonly directory: string
  /** Address of a broker that is there; null for one of the demo's own. */
  readonly broker: string | null
  readonly stepTimeoutMs: number
  readonly teller: Teller
  /** Told when it has to end. */
  readonly signal: AbortSignal
}

/**
 * Runs the fleet, plays the story, and, unless it is played once, stays until it is told to end.
 * @throws FleetstepError `not-converged` if the story does not come out, or is interrupted while it was to be played once
 */
export async function runDemo(options: DemoOptions): Promise<void> {
  const { signal, once } = options
  const directory = new FleetDirectory(once ? null : options.directory)
  const stops: (() => Promise<void>)[] = []
  try {
    await play(options, directory, stops)
  } catch (error) {
    if (!signal.aborted) throw error
    if (once) throw new FleetstepError('not-converged', 'ended before the story was over', { cause: error })
  } finally {
    for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) await stop()
    if (directory.isTemporary) directory.remove()
  }
}

async function play(options: DemoOptions, directory: FleetDirectory, stops: (() => Promise<void>)[]): Promise<void> {
  const { teller, signal, once } = options
  const patience: Patience = { boundMs: options.stepTimeoutMs, signal }
  const children = new Children(directory)
  const broker = options.broker === null ? await startBroker(children, patience) : await useBroker(options.broker)
  stops.push(() => broker.stop())
  const fleet = new DemoFleet(directory, children, broker.url)
  introduce(teller, directory, broker)
  stops.push(() => endFleet(fleet, teller))
  await fleet.start(patience)
  const view = keepShowing(fleet, teller)
  stops.push(() => view.end())
  const scene = new Scene(fleet, teller, patience, teller.isLive && !once)
  await meetingChapter(scene)
  await partitionChapter(scene)
  await restartChapter(scene)
  await verdictChapter(scene)
  if (once) return
  teller.say(invitation(fleet))
  await stay(fleet, teller, signal)
}

async function endFleet(fleet: DemoFleet, teller: Teller): Promise<void> {
  for (const name of await fleet.stop())
    teller.say(`${name} goes on: it was started by hand, and ends with Ctrl-C there.`)
}

function introduce(teller: Teller, directory: FleetDirectory, broker: DemoBroker): void {
  const place = directory.isTemporary ? directory.path : nearPath(directory.path)
  teller.say(`A fleet of three gateways, each a process of its own, over ${broker.text}; their files: ${place}`)
}

/** What to type next, in a second terminal. */
function invitation(fleet: DemoFleet): string {
  const [, second, third] = fleet.gateways
  const words = second.words.map((word) => (word.startsWith('/') ? nearPath(word) : word))
  return [
    '',
    'The fleet stays up: Ctrl-C ends it. In a second terminal, in this folder:',
    `  npx fleetstep state get --gateway ${third.name}`,
    '  npx fleetstep state set hall/lamp true',
    `  npx fleetstep status --gateway ${second.name}`,
    '  npx fleetstep conflict list',
    `  kill -9 ${second.pid ?? 'PID'}   then start ${second.name} again:`,
    `  npx fleetstep ${words.join(' ')}`,
    '',
  ].join('\n')
}

function nearPath(path: string): string {
  const near = relative(process.cwd(), path)
  return near.startsWith('..') ? path : near
}

/** Draws the fleet again and again until it is told to end. */
function keepShowing(fleet: DemoFleet, teller: Teller): { end(): Promise<void> } {
  const ending = new AbortController()
  const drawing = (async () => {
    while (teller.isLive && !ending.signal.aborted) {
      teller.show(fleet, await fleet.look())
      await pause(DEMO_VIEW_INTERVAL_MS, undefined, ending).catch(() => undefined)
    }
  })()
  return {
    end: async () => {
      ending.abort()
      await drawing
      teller.end()
    },
  }
}

/** Until the signal; says when a gateway goes or comes. */
async function stay(fleet: DemoFleet, teller: Teller, signal: AbortSignal): Promise<void> {
  const isUp = new Map(fleet.gateways.map(({ name }) => [name, true]))
  for (;;) {
    for (const { gateway, reading } of await fleet.look()) {
      if (isUp.get(gateway.name) === (reading !== null)) continue
      isUp.set(gateway.name, reading !== null)
      teller.say(`${gateway.name} is ${reading === null ? 'down' : 'up again'}.`)
    }
    await pause(DEMO_VIEW_INTERVAL_MS, undefined, { signal })
  }
}
