import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { seededRandom } from '../../runtime/base/random.ts'
import { nodeIdOf } from '../../runtime/device/identity/node-id.ts'
import { connectControl, type ControlClient } from '../../runtime/gateway/control-client.ts'
import { FleetDirectory } from '../../runtime/gateway/fleet-directory.ts'
import { untilAnswered } from '../links/clocks.ts'
import { CLI, makePlace, type Program } from '../support/program.ts'

/**
 *   round 1      writer ──▶ left:  ✓ ✓ ✓ ✓ … SIGKILL     start again: every ✓ is there
 *   round 2      writer ──▶ left:  ✓ ✓ …  SIGKILL        …
 *   in the end   right has the same, to the last one
 */
describe('A gateway that is killed with SIGKILL while somebody writes to it', () => {
  it('has every change that it confirmed when it starts again, and the others get them all', async (t) => {
    const fleet = await makeFleet(t)
    await fleet.start('right')
    const random = seededRandom(7)
    const confirmed = { points: new Map<string, number>(), count: 0 }
    let unconfirmed = 0
    for (let round = 1; round <= ROUNDS; round += 1) {
      const left = await fleet.start('left')
      await assertHolds(fleet, 'left', confirmed, unconfirmed)
      unconfirmed += await writeUntilKilled(fleet, left, round, 1 + (random.uint32() % CHANGES_MAX), confirmed)
    }
    await fleet.start('left')
    const count = await assertHolds(fleet, 'left', confirmed, unconfirmed)
    assert.ok(confirmed.count > ROUNDS, 'the rounds were long enough to mean something')
    await untilAnswered(
      async () => (await stateOf(fleet, 'right'))[COUNT],
      (counted) => counted === count,
      'right has counted all',
    )
    assert.equal(await assertHolds(fleet, 'right', confirmed, unconfirmed), count)
  })
})

const ROUNDS = 6
const CHANGES_MAX = 400
const WRITERS = 20
const COUNT = 'writer/count'

interface Confirmed {
  readonly points: Map<string, number>
  count: number
}

/**
 * Kills the gateway in the moment of a confirmation: others are on their way to the disk then, and a confirmation that
 * came before its commit would be a lie.
 * @returns how many additions were asked for and not confirmed: each of them may or may not be there
 */
async function writeUntilKilled(
  fleet: Fleet,
  gateway: Program,
  round: number,
  changes: number,
  confirmed: Confirmed,
): Promise<number> {
  const client = await connectControl(fleet.socket('left'))
  let left = changes
  const countDown = (): void => {
    left -= 1
    if (left === 0) gateway.kill('SIGKILL')
  }
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    await setAll(client, `writer/round-${round}/point-${writer}`, confirmed, countDown)
  })
  const unconfirmed = await addAll(client, confirmed)
  await Promise.all(writers)
  assert.equal(await gateway.end, 'SIGKILL')
  return unconfirmed
}

/** Sets one point again and again until the connection breaks. */
async function setAll(
  client: ControlClient,
  path: string,
  confirmed: Confirmed,
  onConfirmed: () => void,
): Promise<void> {
  for (let value = 1; ; value += 1) {
    try {
      await client.call('state.set', { path, value })
    } catch {
      return
    }
    confirmed.points.set(path, value)
    onConfirmed()
  }
}

/** Adds one after another until the connection breaks. @returns the additions that were not confirmed */
async function addAll(client: ControlClient, confirmed: Confirmed): Promise<number> {
  for (;;) {
    try {
      await client.call('state.patch', { add: { [COUNT]: 1 } })
      confirmed.count += 1
    } catch {
      return 1
    }
  }
}

/** @returns the counter */
async function assertHolds(fleet: Fleet, name: string, confirmed: Confirmed, unconfirmed: number): Promise<number> {
  const state = await stateOf(fleet, name)
  for (const [path, value] of confirmed.points) {
    // One more may have come onto the disk without a confirmation.
    const held = Number(state[path] ?? 0)
    assert.ok(held === value || held === value + 1, `${path} is ${held} on ${name}, and ${value} was confirmed`)
  }
  const count = Number(state[COUNT] ?? 0)
  const most = confirmed.count + unconfirmed
  assert.ok(count >= confirmed.count && count <= most, `${count} of ${confirmed.count} to ${most} additions on ${name}`)
  return count
}

async function stateOf(fleet: Fleet, name: string): Promise<Readonly<Record<string, unknown>>> {
  const client = await connectControl(fleet.socket(name))
  try {
    return (await client.call('state.get')) as Readonly<Record<string, unknown>>
  } finally {
    client.close()
  }
}

interface Fleet {
  socket(name: string): string
  /** Resolves once the gateway is ready. */
  start(name: string): Promise<Program>
}

async function makeFleet(t: TestContext): Promise<Fleet> {
  const place = await makePlace(t)
  const broker = place.start(process.execPath, [CLI, 'broker', '--port', '0', '--json'])
  const { port } = JSON.parse(await broker.line(/"ready"/)) as { port: number }
  const directory = new FleetDirectory(place.path)
  const members = ['left', 'right'].map((name, tier) => ({ node: nodeIdOf('operator-override', name, ''), tier }))
  const socket = (name: string): string => directory.file(`${name}.sock`)
  for (const name of ['left', 'right']) {
    directory.writeConfig({
      name,
      fleet: { name: 'killed', members },
      profile: 'generic-linux',
      server: `mqtt://127.0.0.1:${port}`,
      controlSocket: socket(name),
    })
  }
  return {
    socket,
    start: async (name) => {
      const words = ['run', '--config', directory.configFile(name), '--node-id', name]
      const gateway = place.start(process.execPath, [CLI, ...words])
      await gateway.line(/ ready /)
      return gateway
    },
  }
}
