import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { NodeId } from '../../../runtime/base/ids.ts'
import { seededRandom } from '../../../runtime/base/random.ts'
import { type BusPacket, decodeBusPacket, encodeBusPacket } from '../../../runtime/links/serial/bus-packet.ts'
import type { SerialLink } from '../../../runtime/links/serial/serial-link.ts'
import type { LineOptions } from '../../support/serial-line.ts'
import { acceptLink, ALICE, BOB, CAROL, type LinkHarness, patterned } from '../link-acceptance.ts'
import { lastPresence, Witness } from '../witness.ts'
import { BusRig, busNode, Machine } from './bus-fixture.ts'

const ADDRESSES = new Map([
  [ALICE, 1],
  [BOB, 2],
  [CAROL, 7],
])

function busHarness(options: Partial<LineOptions>): LinkHarness {
  const rig = new BusRig(options)
  return {
    link: (node) => rig.station(node, ADDRESSES.get(node) ?? 16),
    async cut() {
      rig.line.cut()
    },
    async heal() {
      rig.line.heal()
    },
    async until(condition, what) {
      rig.until(condition, what)
    },
    async finish(call) {
      const state = { isDone: false }
      const done = call.then(() => {
        state.isDone = true
      })
      for (let turn = 0; !state.isDone && turn < 10_000; turn += 1) {
        await Promise.resolve()
        if (!state.isDone) rig.clock.step()
      }
      await done
    },
    async end() {},
  }
}

acceptLink('a serial bus', () => Promise.resolve(busHarness({})))
acceptLink('a serial bus with adapters that hear themselves', () => Promise.resolve(busHarness({ hasEcho: true })))

interface Station {
  readonly link: SerialLink
  readonly witness: Witness
  readonly node: NodeId
}

function opened(
  rig: BusRig,
  addresses: readonly number[],
  machines: ReadonlyMap<number, Machine> = new Map(),
): Station[] {
  return addresses.map((address) => {
    const node = busNode(address)
    const station = { link: rig.station(node, address, machines.get(address)), witness: new Witness(), node }
    station.link.open(station.witness)
    return station
  })
}

function areAllTogether(stations: readonly Station[]): boolean {
  return stations.every(({ link, witness, node }) => {
    const others = stations.filter((other) => other.node !== node)
    return link.status().state === 'up' && others.every((other) => lastPresence(witness, other.node) === 'online')
  })
}

describe('a serial bus', () => {
  for (const [name, count, baud, faults, atLeast] of [
    ['of 4 stations at 115,200 baud', 4, 115_200, {}, 0.9],
    ['of 4 stations at 9,600 baud', 4, 9600, {}, 0.9],
    ['of 2 stations', 2, 115_200, {}, 0.9],
    ['of 16 stations', 16, 115_200, {}, 0.85],
    ['of 4 stations where one bit in 100,000 flips', 4, 115_200, { bitErrorRate: 1e-5 }, 0.8],
  ] as const) {
    test(`${name} carries ${100 * atLeast} % of the line, shared fairly, and every byte to everybody`, () => {
      const rig = new BusRig({ baud, ...faults })
      const stations = opened(
        rig,
        Array.from({ length: count }, (_, index) => index + 1),
      )
      rig.until(() => areAllTogether(stations), 'all are together', 120_000)
      const sent = stations.map(() => 0)
      const fill = (index: number): void => {
        const { link } = stations[index] ?? assert.fail()
        while (link.send(frameOf(index, sent[index] ?? 0), { kind: 'operations' })) sent[index] = (sent[index] ?? 0) + 1
      }
      const bytes = stations.map(() => stations.map(() => 0))
      const next = stations.map(() => stations.map(() => 0))
      for (const [at, { witness }] of stations.entries()) {
        witness.writable = () => fill(at)
        witness.frame = (frame) => {
          const from = frame[0] ?? 0
          const number = next[at]?.[from] ?? 0
          assert.deepEqual(frame, frameOf(from, number))
          next[at]![from] = number + 1
          bytes[at]![from]! += frame.length
        }
      }
      for (const index of stations.keys()) fill(index)
      const seconds = count > 8 ? 12 : baud > 20_000 ? 40 : 240
      rig.pass(seconds * 1000)
      // Each sender as the one who got least of it has it.
      const shares = stations.map((_, from) => {
        const got = stations.flatMap((__, at) => (at === from ? [] : [bytes[at]?.[from] ?? 0]))
        return Math.min(...got) / ((baud / 10) * seconds)
      })
      const total = shares.reduce((sum, share) => sum + share, 0)
      assert.ok(total >= atLeast, `carried ${total}`)
      assert.ok(Math.min(...shares) > 0.85 * (total / count), `shared ${shares.join(' ')}`)
    })
  }

  test('takes in stations that come, and goes on without those that leave or vanish', async () => {
    const rig = new BusRig()
    const first = opened(rig, [3, 5])
    rig.until(() => areAllTogether(first), 'two are together', 30_000)
    const later = opened(rig, [1, 4, 16])
    const all = [...first, ...later]
    rig.until(() => areAllTogether(all), 'five are together', 60_000)
    first[0]?.link.send(patterned(1, 3000), { kind: 'operations' })
    rig.until(() => all.filter(({ witness }) => witness.frames.length === 1).length === 4, 'all others have it', 10_000)
    // One says goodbye, the adapter of another one is pulled.
    void later[0]?.link.close()
    rig.line.unplug(`station 5 of ${busNode(5)}`)
    const rest = [first[0] ?? assert.fail(), later[1] ?? assert.fail(), later[2] ?? assert.fail()]
    rig.pass(500)
    rest[1]?.link.send(patterned(2, 3000), { kind: 'operations' })
    rig.until(
      () => [rest[0], rest[2]].every((station) => station?.witness.frames.at(-1)?.[0] === 2),
      'the rest goes on',
      20_000,
    )
    rig.until(() => lastPresence(rest[0]!.witness, busNode(5)) === 'offline', 'the pulled one is missed', 60_000)
    rig.line.plugIn(`station 5 of ${busNode(5)}`)
    rig.until(() => areAllTogether([...rest, first[1] ?? assert.fail()]), 'it is back', 60_000)
    assert.deepEqual(
      rest.flatMap(({ witness }) => witness.causes),
      [],
    )
  })

  test('finds a token that was lost, again and again', () => {
    const rig = new BusRig()
    const stations = opened(rig, [1, 2, 3])
    rig.until(() => areAllTogether(stations), 'three are together', 30_000)
    for (let round = 0; round < 50; round += 1) {
      rig.line.cut()
      rig.pass(30 + 7 * round)
      rig.line.heal()
      const sender = stations[round % 3] ?? assert.fail()
      const number = 10 + round
      assert.equal(sender.link.send(patterned(number, 200), { kind: 'operations' }), true)
      rig.until(
        () => stations.every(({ witness, link }) => link === sender.link || witness.frames.at(-1)?.[0] === number),
        `round ${round} is heard`,
        15_000,
      )
    }
    assert.deepEqual(
      stations.flatMap(({ witness }) => witness.causes),
      [],
    )
  })

  for (const hasEcho of [false, true])
    test(`goes on at once when a station vanishes, ${hasEcho ? 'also where adapters hear themselves' : 'where they do not'}`, () => {
      const rig = new BusRig({ hasEcho })
      const stations = opened(rig, [1, 2, 3])
      rig.until(() => areAllTogether(stations), 'three are together', 30_000)
      rig.line.unplug(`station 2 of ${busNode(2)}`)
      const [first, , third] = stations
      for (let number = 1; number <= 20; number += 1) {
        third?.link.send(patterned(number, 100), { kind: 'operations' })
        rig.until(
          () => first?.witness.frames.length === number,
          `message ${number} has come`,
          number === 1 ? 1500 : 200,
        )
      }
      assert.deepEqual(first?.witness.causes, [])
    })

  for (const [addresses, how] of [
    [[2, 3], 'stood still'],
    [[1, 2, 3, 4], 'stood still'],
    [[2, 3], 'heard nothing'],
    [[1, 2, 3, 4], 'heard nothing'],
  ] as const)
    test(`of ${addresses.length} hardly waits for a station that ${how} for 300 ms, and misses it at no time`, () => {
      const rig = new BusRig()
      const machine = new Machine()
      const stations = opened(rig, addresses, new Map([[3, machine]]))
      rig.until(() => areAllTogether(stations), 'all are together', 60_000)
      rig.pass(9000)
      const sender = stations.find(({ node }) => node === busNode(2))
      const hearer = stations.at(-1)
      let number = 0
      const send = (): void => {
        number += 1
        sender?.link.send(patterned(number, 200), { kind: 'operations' })
        rig.pass(50)
      }
      for (let round = 0; round < 5; round += 1) {
        machine.stop(how)
        for (let turn = 0; turn < 6; turn += 1) send()
        machine.goOn()
        for (let turn = 0; turn < 40; turn += 1) send()
        rig.until(() => hearer?.witness.frames.length === number, `round ${round} is heard`, 500)
      }
      for (const { witness, node } of stations)
        for (const other of stations) assert.equal(witness.told.includes(`${other.node} offline`), false, node)
    })

  for (const afterMs of [4000, 6000])
    test(`does not turn in circles with what comes while it invites, ${afterMs} ms after they came together`, () => {
      const rig = new BusRig()
      const stations = opened(rig, [1, 2])
      rig.until(() => areAllTogether(stations), 'two are together', 30_000)
      rig.pass(afterMs)
      rig.line.unplug(`station 2 of ${busNode(2)}`)
      const { link, witness } = stations[0] ?? assert.fail()
      rig.pass(500)
      // Nobody answers it: whatever it writes asks who is there, and what is handed over then has to wait.
      for (let bytes = link.status().line.bytesOut; witness.causes.length === 0; rig.pass(5)) {
        if (link.status().line.bytesOut === bytes) continue
        link.send(patterned(1, 20), { kind: 'operations' })
        bytes = link.status().line.bytesOut
      }
    })

  test('keeps out a second station of one address, says so, and takes it in when the first has gone', () => {
    const rig = new BusRig()
    const stations = opened(rig, [1, 2])
    rig.until(() => areAllTogether(stations), 'two are together', 30_000)
    const twin = { link: rig.station(busNode(9), 2), witness: new Witness(), node: busNode(9) }
    twin.link.open(twin.witness)
    rig.until(() => twin.witness.causes.length > 0, 'the second is told', 30_000)
    assert.match(
      twin.witness.causes[0] ?? '',
      /^another station on .* has address 2 too: give each its own, from 1 to 16$/,
    )
    stations[0]?.link.send(patterned(1, 100), { kind: 'operations' })
    rig.until(() => stations[1]?.witness.frames.length === 1, 'the two go on', 10_000)
    assert.deepEqual(
      stations.flatMap(({ witness }) => witness.causes),
      [],
    )
    void stations[1]?.link.close()
    rig.until(() => areAllTogether([stations[0] ?? assert.fail(), twin]), 'the second is in', 120_000)
  })

  test('knows a station that comes back with another address before its silence was noticed', () => {
    const rig = new BusRig()
    const stations = opened(rig, [1, 2, 3])
    rig.until(() => areAllTogether(stations), 'three are together', 30_000)
    // The next invitation is near.
    rig.pass(5000)
    rig.line.unplug(`station 2 of ${busNode(2)}`)
    const moved = { link: rig.station(busNode(2), 4), witness: new Witness(), node: busNode(2) }
    moved.link.open(moved.witness)
    const [first, , third] = stations
    const now = [first ?? assert.fail(), third ?? assert.fail(), moved]
    rig.until(() => areAllTogether(now), 'it is known', 6000)
    first?.link.send(patterned(1, 100), { kind: 'direct', to: busNode(2) })
    rig.until(() => moved.witness.frames.length === 1, 'it hears what is for it', 6000)
    rig.pass(20_000)
    assert.ok(areAllTogether(now), 'it is there, whatever has become of its former address')
  })

  test('comes up when all stations are switched on at once, two with one address among them', () => {
    const rig = new BusRig()
    const stations = opened(rig, [1, 2, 4])
    const twin = { link: rig.station(busNode(9), 4), witness: new Witness(), node: busNode(9) }
    twin.link.open(twin.witness)
    const pair = stations.slice(0, 2)
    rig.until(() => areAllTogether(pair), 'the others are together', 60_000)
    const told = [...(stations[2]?.witness.causes ?? []), ...twin.witness.causes]
    rig.until(
      () => told.length > 0 || twin.witness.causes.length + (stations[2]?.witness.causes.length ?? 0) > 0,
      'it is told',
      60_000,
    )
    rig.until(
      () => areAllTogether([...pair, stations[2] ?? assert.fail()]) || areAllTogether([...pair, twin]),
      'one of the two is in',
      300_000,
    )
  })

  test('survives noise', () => {
    const rig = new BusRig()
    const stations = opened(rig, [1, 2])
    const random = seededRandom(5)
    rig.until(() => areAllTogether(stations), 'two are together', 30_000)
    for (let round = 0; round < 2000; round += 1) {
      rig.pass(random.uint32() % 20)
      rig.line.inject(
        Uint8Array.from({ length: random.uint32() % 50 }, () => random.uint32() & 0xff),
        'nobody',
      )
    }
    stations[0]?.link.send(patterned(1, 2000), { kind: 'operations' })
    rig.until(() => stations[1]?.witness.frames.length === 1, 'frames flow', 30_000)
  })
})

test('a packet of a bus is read as it was written, and not when it is cut', () => {
  const packets: BusPacket[] = [
    { kind: 'token', from: 1, to: 16, heard: [] },
    {
      kind: 'token',
      from: 2,
      to: 3,
      heard: [
        { of: 1, ack: 9, transmission: 255, bitmap: 0 },
        { of: 16, ack: 0, transmission: 1, bitmap: 0x8000_0001 },
      ],
    },
    { kind: 'invitation', from: 4 },
    { kind: 'here', from: 5 },
    { kind: 'goodbye', from: 6 },
    {
      kind: 'data',
      from: 7,
      data: { stream: 'bulk', seq: 1, transmission: 2, isFirst: true, payload: Uint8Array.of(1) },
    },
    {
      kind: 'hello',
      from: 8,
      hello: {
        version: 1,
        fleet: '00112233445566ff',
        node: ALICE,
        incarnation: 0xffff_ffff,
        payloadMax: 1000,
        isAsking: true,
        roster: [{ address: 9, incarnation: 7, pairing: 200, start: 100 }],
      },
    },
  ]
  for (const packet of packets) {
    const bytes = encodeBusPacket(packet)
    assert.deepEqual(decodeBusPacket(bytes), packet)
    for (let length = 0; length < bytes.length; length += 1)
      assert.notDeepEqual(decodeBusPacket(bytes.subarray(0, length)), packet)
  }
  for (const bytes of [
    [0xc1, 0],
    [0xc1, 17],
    [0xc0, 1],
    [0xc0, 1, 2, 3],
    [0xd0, 1, 2, 3],
    [0xd3, 1, 2, 3, 4],
  ])
    assert.equal(decodeBusPacket(Uint8Array.from(bytes)), null)
})

/** Both ends can make it: frame `number` of station `from`. */
function frameOf(from: number, number: number): Uint8Array {
  const frame = patterned(number, 100 + ((number * 37) % 1900))
  frame[0] = from
  return frame
}
