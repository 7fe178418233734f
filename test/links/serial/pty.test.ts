import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { silentLogger } from '../../../runtime/base/logger.ts'
import type { NodeId } from '../../../runtime/base/ids.ts'
import { seededRandom } from '../../../runtime/base/random.ts'
import { BusStation } from '../../../runtime/links/serial/bus-station.ts'
import { PointToPoint } from '../../../runtime/links/serial/point-to-point.ts'
import { serialPort } from '../../../runtime/links/serial/port.ts'
import { SerialLink } from '../../../runtime/links/serial/serial-link.ts'
import { PTY_SKIP, startPtyLine } from '../../support/pty-line.ts'
import { LineLoad, LoadedEnd } from '../../support/line-load.ts'
import { realClock, until } from '../clocks.ts'
import { acceptLink, ALICE, BOB, type LinkHarness, patterned } from '../link-acceptance.ts'
import { Witness } from '../witness.ts'
import { busNode } from './bus-fixture.ts'
import { FLEET } from './serial-fixture.ts'

const BAUD = 921_600

function linkOn(device: string, node: NodeId, baud: number): SerialLink {
  const random = seededRandom(Number.parseInt(node.slice(0, 4), 16))
  return new SerialLink({
    name: 'serial',
    reach: 'point-to-point',
    where: device,
    openPort: serialPort({ port: device, baud }),
    machine: new PointToPoint({ fleet: FLEET, node, baud, random, where: device }),
    clock: realClock,
    random,
    logger: silentLogger,
  })
}

async function ptyHarness(): Promise<LinkHarness> {
  const pty = await startPtyLine(['alice', 'bob'], { baud: BAUD })
  return {
    link: (node) => linkOn(pty.device(node === ALICE ? 'alice' : 'bob'), node, BAUD),
    async cut() {
      await pty.unplug('alice')
      await pty.unplug('bob')
    },
    async heal() {
      await pty.plugIn('alice')
      await pty.plugIn('bob')
    },
    until,
    finish: (call) => call,
    end: () => pty.end(),
  }
}

// socat makes the terminals.
acceptLink('serial over real terminals', ptyHarness, PTY_SKIP, 'point-to-point')

describe('over real terminals and the real serial library', { skip: PTY_SKIP }, () => {
  test('a terminal whose other side takes nothing has little kept for it', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'fleetstep-port-'))
    t.after(() => rm(directory, { recursive: true, force: true }))
    const device = join(directory, 'mute')
    const socat = spawn('socat', [`PTY,raw,echo=0,link=${device}`, 'STDIO'], { stdio: ['pipe', 'pipe', 'inherit'] })
    t.after(() => void socat.kill())
    await until(() => existsSync(device), 'the terminal is there')
    let isOpen = false
    const port = serialPort({ port: device, baud: BAUD })({
      opened: () => (isOpen = true),
      data: () => undefined,
      gone: (cause) => assert.fail(cause),
    })
    await until(() => isOpen, 'it is open')
    const written = 4 * 1024 * 1024
    for (let bytes = 0; bytes < written; bytes += 1024) {
      port.write(new Uint8Array(1023).fill(1))
      port.write(Uint8Array.of(0))
      if (bytes % 65_536 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    let came = 0
    let isLast = false
    socat.stdout.on('data', (chunk: Buffer) => {
      came += chunk.length
      isLast ||= chunk.includes(2)
    })
    // Once there is room again, it writes.
    await until(() => {
      port.write(Uint8Array.of(2))
      return isLast
    }, 'what is written now comes')
    assert.ok(came < written / 4, `${came} bytes were kept`)
    await port.close()
  })

  test('a line at 115,200 baud with errors carries both ways at once, every byte right', async () => {
    const pty = await startPtyLine(['alice', 'bob'], { baud: 115_200, bitErrorRate: 1e-6, seed: 3 })
    const [alice, bob] = [linkOn(pty.device('alice'), ALICE, 115_200), linkOn(pty.device('bob'), BOB, 115_200)]
    const ends = [new LoadedEnd(), new LoadedEnd()] as const
    const loads = [new LineLoad(alice, 1, 3000), new LineLoad(bob, 2, 3000)] as const
    ends[0].out = ends[1].into = loads[0]
    ends[1].out = ends[0].into = loads[1]
    alice.open(ends[0])
    bob.open(ends[1])
    try {
      await until(() => loads.every(({ bytes }) => bytes > 15_000), 'both have much')
      assert.deepEqual(
        loads.map(({ wrong }) => wrong),
        [0, 0],
      )
    } finally {
      await Promise.all([alice.close(), bob.close()])
      await pty.end()
    }
  })

  test('three stations on one pair of wires hear each other, though each machine takes its time', async () => {
    const names = ['one', 'two', 'three']
    const pty = await startPtyLine(names, { baud: 115_200, isShared: true, sliceMs: 4 })
    const links = names.map((name, index) => {
      const random = seededRandom(index + 1)
      const where = pty.device(name)
      const line = { fleet: FLEET, node: busNode(index + 1), baud: 115_200, random, where }
      const machine = new BusStation({ ...line, address: index + 1 })
      const openPort = serialPort({ port: where, baud: 115_200 })
      return new SerialLink({
        name,
        reach: 'broadcast',
        where,
        openPort,
        machine,
        clock: realClock,
        random,
        logger: silentLogger,
      })
    })
    const witnesses = links.map(() => new Witness())
    links.forEach((link, index) => link.open(witnesses[index] ?? new Witness()))
    try {
      await until(() => links.every((link) => link.status().peer.split(',').length === 3), 'all are together')
      for (let round = 0; round < 3; round += 1)
        for (const [index, link] of links.entries())
          link.send(patterned(10 * index + round, 1500), { kind: 'operations' })
      await until(() => witnesses.every(({ frames }) => frames.length === 6), 'each has those of the two others')
      for (const [index, { frames }] of witnesses.entries())
        for (const other of [0, 1, 2].filter((from) => from !== index))
          for (const round of [0, 1, 2])
            assert.ok(frames.some((frame) => Buffer.compare(frame, patterned(10 * other + round, 1500)) === 0))
    } finally {
      await Promise.all(links.map((link) => link.close()))
      await pty.end()
    }
  })

  test('a port that is held is told, with its holder', async () => {
    const pty = await startPtyLine(['alice'], { baud: BAUD })
    const first = linkOn(pty.device('alice'), ALICE, BAUD)
    first.open(new Witness())
    await until(() => first.status().peer.length > 0 && first.status().line.bytesOut > 0, 'alice holds the port')
    const second = linkOn(pty.device('alice'), BOB, BAUD)
    const witness = new Witness()
    second.open(witness)
    await until(() => witness.causes.length > 0, 'bob is told')
    assert.match(
      witness.causes[0] ?? '',
      /^\/.*alice is in use by another link or instrument of this gateway: give one of them another port$/,
    )
    await Promise.all([first.close(), second.close()])
    await pty.end()
  })

  test('a port that is not there is told, and found when it comes', async () => {
    const pty = await startPtyLine(['alice', 'bob'], { baud: BAUD })
    await pty.unplug('alice')
    const [alice, bob] = [linkOn(pty.device('alice'), ALICE, BAUD), linkOn(pty.device('bob'), BOB, BAUD)]
    const [atAlice, atBob] = [new Witness(), new Witness()]
    alice.open(atAlice)
    bob.open(atBob)
    await until(() => atAlice.causes.length > 0, 'alice is told')
    assert.match(atAlice.causes[0] ?? '', /alice is not there: plug it in; fleetstep serial list shows what is$/)
    await pty.plugIn('alice')
    await until(() => atAlice.ups === 1 && atBob.ups === 1, 'both are up')
    alice.send(patterned(1, 5000), { kind: 'operations' })
    await until(() => atBob.frames.length === 1, 'bob has it')
    assert.deepEqual(atBob.frames, [patterned(1, 5000)])
    await Promise.all([alice.close(), bob.close()])
    await pty.end()
  })
})
