import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { silentLogger } from '../../runtime/base/logger.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import type { Gateway, LinkFactory } from '../../runtime/gateway/gateway.ts'
import { startEmbeddedBroker } from '../../runtime/links/mqtt/embedded-broker.ts'
import type { Link } from '../../runtime/links/link.ts'
import { realClock, until } from '../links/clocks.ts'
import { onLine } from '../links/serial/gateways.ts'
import {
  agree,
  ANNA,
  attackedFleet,
  BERT,
  linkTo,
  MALLORY,
  PATIENCE_MS,
  sees,
  standing,
} from '../support/attacked-fleet.ts'
import { EmulatedLine } from '../support/serial-line.ts'

/** Two media that only Mallory joins: each has an end for a gateway, and one for her. */
interface Gap {
  readonly anna: LinkFactory
  readonly bert: LinkFactory
  readonly mallory: readonly [LinkFactory, LinkFactory]
}

const gaps: readonly (readonly [what: string, gap: (t: TestContext) => Promise<Gap>])[] = [
  ['between two brokers', betweenBrokers],
  ['between two serial lines', () => Promise.resolve(betweenLines())],
]
for (const [what, gap] of gaps) {
  test(`what a relay ${what} alters is dropped and counted, and what it passes on as it is gets through`, async (t) => {
    const fleet = await attackedFleet(t)
    const links = await gap(t)
    const relay = relayBetween(t, links.mallory, fleet.keys.facts.id)
    const anna = await fleet.open(ANNA, { links: [links.anna] })
    const bert = await fleet.open(BERT, { links: [links.bert] })
    await sees(bert, ({ status }) => status === 'member', 'bert is a member')
    anna.state.set('lamp', 1)
    await agree([anna, bert], { lamp: 1 })
    const [members, before] = [standing(bert), countOf(bert)]
    relay.alter = flipOneBit
    const changedAgain = (): boolean => {
      anna.state.set('lamp', relay.altered)
      return relay.altered >= 20
    }
    await until(changedAgain, 'the relay has altered frames', PATIENCE_MS)
    await until(() => countOf(bert) > before, 'bert has counted what came altered', PATIENCE_MS)
    // A bit of the version makes another release of a frame, of which people are told once.
    const alarms = standing(bert).alarms.filter((name) => name !== 'newer-release')
    assert.deepEqual({ ...standing(bert), alarms, known: [] }, { ...members, known: [] })
    // A bit of a name makes a stranger of its member: that waits for his join, within the bounds for strangers.
    for (const { operations } of bert.inspect().waitingList) assert.ok(!operations[0]?.startsWith(fleet.keys.founder))
    relay.alter = (frame) => frame
    anna.state.set('lamp', 2)
    await agree([anna, bert], { lamp: 2 })
    const others = [anna, bert].flatMap((one) => one.alarms()).filter(({ name }) => name !== 'newer-release')
    assert.deepEqual(others, [])
  })
}

interface Relay {
  alter: (frame: Uint8Array, count: number) => Uint8Array
  altered: number
}

/** Passes on what comes from either side. */
function relayBetween(t: TestContext, factories: readonly [LinkFactory, LinkFactory], fleet: string): Relay {
  const relay: Relay = { alter: (frame) => frame, altered: 0 }
  const context = {
    fleet,
    node: MALLORY,
    startCount: 1,
    clock: realClock,
    random: seededRandom(9),
    logger: silentLogger,
  }
  const links = factories.map((factory) => factory(context)) as [Link, Link]
  for (const [index, link] of links.entries()) {
    const other = links[1 - index]!
    const waiting: Uint8Array[] = []
    const carryOn = (): void => {
      while (waiting.length > 0 && other.send(waiting[0]!, { kind: 'operations' })) waiting.shift()
    }
    link.open({
      up: () => undefined,
      down: () => undefined,
      presence: () => undefined,
      writable: carryOn,
      frame: (frame) => {
        const passed = relay.alter(frame, relay.altered)
        if (passed !== frame) relay.altered += 1
        waiting.push(passed)
        // A line of Mallory's that is full loses what is too much, as any other.
        if (waiting.length > 1000) waiting.shift()
        queueMicrotask(carryOn)
      },
    })
    t.after(() => link.close())
  }
  return relay
}

function flipOneBit(frame: Uint8Array, count: number): Uint8Array {
  const altered = frame.slice()
  altered[(count * 37) % altered.length]! ^= 1 << (count % 8)
  return altered
}

function countOf(gateway: Gateway): number {
  return Object.values(gateway.inspect().dropped).reduce((sum, count) => sum + count, 0)
}

async function betweenBrokers(t: TestContext): Promise<Gap> {
  const options = { host: '127.0.0.1', port: 0, logger: silentLogger }
  const brokers = [await startEmbeddedBroker(options), await startEmbeddedBroker(options)] as const
  for (const broker of brokers) t.after(() => broker.close())
  const [first, second] = brokers
  return { anna: linkTo(first.port), bert: linkTo(second.port), mallory: [linkTo(first.port), linkTo(second.port)] }
}

function betweenLines(): Gap {
  const [first, second] = [1, 2].map((seed) => new EmulatedLine({ clock: realClock, baud: BAUD, seed })) as [
    EmulatedLine,
    EmulatedLine,
  ]
  return {
    anna: onLine(first, 'anna', BAUD),
    bert: onLine(second, 'bert', BAUD),
    mallory: [onLine(first, 'mallory', BAUD), onLine(second, 'mallory', BAUD)],
  }
}

const BAUD = 921_600
