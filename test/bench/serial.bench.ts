import type { NodeId } from '../../runtime/base/ids.ts'
import { silentLogger } from '../../runtime/base/logger.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { payloadFor } from '../../runtime/links/serial/pacing.ts'
import { PointToPoint } from '../../runtime/links/serial/point-to-point.ts'
import { serialPort } from '../../runtime/links/serial/port.ts'
import type { OpenSerialPort } from '../../runtime/links/serial/port-events.ts'
import { SerialLink } from '../../runtime/links/serial/serial-link.ts'
import type { Clock } from '../../runtime/base/clock.ts'
import { realClock, SteppedClock, until } from '../links/clocks.ts'
import { BusRig, busNode } from '../links/serial/bus-fixture.ts'
import { LineLoad, LoadedEnd } from '../support/line-load.ts'
import { PTY_SKIP, startPtyLine } from '../support/pty-line.ts'
import { EmulatedLine, type LineFaults } from '../support/serial-line.ts'

/** What the line carries of its own rate, beside what no protocol with frames of its header can pass. */
interface Row {
  readonly line: string
  readonly ratioOfLine: number
  readonly theoreticalLimit: number
  readonly ratioOfLimit: number
  /** User and system time of both ends and of the emulator, of one core at the pace of the line. */
  readonly cpuPercent: number
}

interface Case {
  readonly name: string
  readonly baud: number
  readonly payload?: number
  readonly isBoth?: boolean
  readonly faults?: LineFaults
}

const CASES: readonly Case[] = [
  { name: '115,200', baud: 115_200 },
  { name: '115,200, payload 120', baud: 115_200, payload: 120 },
  { name: '115,200, payload 1000', baud: 115_200, payload: 1000 },
  { name: '9,600', baud: 9600 },
  { name: '115,200 both ways', baud: 115_200, isBoth: true },
  { name: '9,600 both ways', baud: 9600, isBoth: true },
  { name: '115,200, BER 1e-6', baud: 115_200, faults: { bitErrorRate: 1e-6 } },
  { name: '115,200, BER 1e-5', baud: 115_200, faults: { bitErrorRate: 1e-5 } },
  { name: '115,200, BER 1e-4', baud: 115_200, faults: { bitErrorRate: 1e-4 } },
  { name: '115,200, 4 bytes in 100,000 lost', baud: 115_200, faults: { byteLossRate: 4e-5 } },
]

export async function run({ smoke }: { readonly smoke: boolean }): Promise<{ rows: Row[] }> {
  const rows = CASES.map((one) => measureEmulated(one, smoke ? 3 : 120))
  for (const baud of [115_200, 9600]) rows.push(measureBus(baud, 4, smoke ? 5 : 240))
  if (PTY_SKIP === false) rows.push(await measureTerminals(smoke ? 1 : 15))
  return { rows }
}

function measureEmulated({ name, baud, payload, isBoth = false, faults = {} }: Case, seconds: number): Row {
  const clock = new SteppedClock()
  const line = new EmulatedLine({ clock, baud, seed: 5, ...faults })
  const pair = linkPair(clock, baud, payload, (end) => line.port(end))
  const { loads, ends } = loadPair(pair, isBoth)
  pair.forEach((link, index) => link.open(ends[index] ?? ends[0]))
  while (!ends.every(({ isUp }) => isUp)) clock.step()
  const start = clock.now()
  const cpu = process.cpuUsage()
  while (clock.now() < start + seconds * 1000) clock.step()
  const { user, system } = process.cpuUsage(cpu)
  const limit = limitOf(payload ?? payloadFor(baud), faults)
  return row(name, baud, seconds, loads, isBoth, limit, (user + system) / 1e4 / seconds)
}

/** All stations send as much as they can; each byte counts once, when everybody has it. */
function measureBus(baud: number, count: number, seconds: number): Row {
  const rig = new BusRig({ baud })
  const addresses = Array.from({ length: count }, (_, index) => index + 1)
  const links = addresses.map((address) => rig.station(busNode(address), address))
  const received = links.map(() => 0)
  const ends = links.map((link, index) => {
    const end = new LoadedEnd()
    end.out = new LineLoad(link, index, 2000)
    end.onFrame = (frame) => {
      received[index] = (received[index] ?? 0) + frame.length
      return true
    }
    return end
  })
  links.forEach((link, index) => link.open(ends[index] ?? new LoadedEnd()))
  rig.until(() => links.every((link) => link.status().peer.split(',').length === count), 'all are together')
  rig.pass(5000)
  const before = [...received]
  const cpu = process.cpuUsage()
  rig.pass(seconds * 1000)
  const { user, system } = process.cpuUsage(cpu)
  const carried = received.reduce((sum, bytes, index) => sum + bytes - (before[index] ?? 0), 0) / (count - 1)
  const ratioOfLine = carried / ((baud / 10) * seconds)
  const theoreticalLimit = limitOf(payloadFor(baud), {})
  const line = `bus of ${count} at ${baud.toLocaleString('en')}`
  return {
    line,
    ratioOfLine,
    theoreticalLimit,
    ratioOfLimit: ratioOfLine / theoreticalLimit,
    cpuPercent: (user + system) / 1e4 / seconds,
  }
}

/** The real serial library on two terminals, with the emulator between them at the pace of a real line. */
async function measureTerminals(seconds: number): Promise<Row> {
  const baud = 115_200
  const pty = await startPtyLine(['alice', 'bob'], { baud })
  const pair = linkPair(realClock, baud, undefined, (end) => serialPort({ port: pty.device(end), baud }))
  const { loads, ends } = loadPair(pair, false)
  pair.forEach((link, index) => link.open(ends[index] ?? ends[0]))
  try {
    await until(() => ends.every(({ isUp }) => isUp), 'both are up')
    const start = performance.now()
    const [before, cpu] = [loads[0].bytes, process.cpuUsage()]
    await until(() => performance.now() > start + seconds * 1000, 'the time is over', seconds * 2000)
    const { user, system } = process.cpuUsage(cpu)
    loads[0].bytes -= before
    const name = '115,200, real terminals and library'
    return row(
      name,
      baud,
      (performance.now() - start) / 1000,
      loads,
      false,
      limitOf(480, {}),
      (user + system) / 1e4 / seconds,
    )
  } finally {
    for (const load of loads) load.end()
    await Promise.all(pair.map((link) => link.close()))
    await pty.end()
  }
}

type Pair = readonly [SerialLink, SerialLink]

function linkPair(
  clock: Clock,
  baud: number,
  payload: number | undefined,
  port: (end: string) => OpenSerialPort,
): Pair {
  const link = (where: string, node: string, seed: number): SerialLink => {
    const random = seededRandom(seed)
    const machine = new PointToPoint({ fleet: '0011223344556677', node: node as NodeId, baud, payload, random, where })
    const openPort = port(where)
    return new SerialLink({
      name: where,
      reach: 'point-to-point',
      where,
      openPort,
      machine,
      clock,
      random,
      logger: silentLogger,
    })
  }
  return [link('alice', 'aaaaaaaaaaaaaaaa', 1), link('bob', 'bbbbbbbbbbbbbbbb', 2)]
}

function loadPair([alice, bob]: Pair, isBoth: boolean): { loads: [LineLoad, LineLoad]; ends: [LoadedEnd, LoadedEnd] } {
  const loads: [LineLoad, LineLoad] = [new LineLoad(alice, 1, 4096), new LineLoad(bob, 2, 4096)]
  const ends: [LoadedEnd, LoadedEnd] = [new LoadedEnd(), new LoadedEnd()]
  ends[0].out = ends[1].into = loads[0]
  ends[0].into = loads[1]
  if (isBoth) ends[1].out = loads[1]
  return { loads, ends }
}

function row(
  line: string,
  baud: number,
  seconds: number,
  loads: readonly [LineLoad, LineLoad],
  isBoth: boolean,
  theoreticalLimit: number,
  cpuPercent: number,
): Row {
  if (loads.some(({ wrong }) => wrong > 0)) throw new Error(`${line}: bytes came wrong`)
  const capacity = (baud / 10) * seconds
  const carried = isBoth ? Math.min(loads[0].bytes, loads[1].bytes) : loads[0].bytes
  const ratioOfLine = carried / capacity
  return { line, ratioOfLine, theoreticalLimit, ratioOfLimit: ratioOfLine / theoreticalLimit, cpuPercent }
}

/** Of frames with a header of 9 bytes, with the best payload up to `payload`, on a line that damages a share of its bytes. */
function limitOf(payload: number, { bitErrorRate = 0, byteLossRate = 0 }: LineFaults): number {
  const header = 9
  const rate = 8 * bitErrorRate + byteLossRate
  const best = rate === 0 ? payload : Math.min(payload, Math.sqrt(header / rate))
  return (best / (best + header)) * (1 - rate) ** (best + header)
}
