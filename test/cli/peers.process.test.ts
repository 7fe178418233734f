import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { isRecord } from '../../runtime/gateway/control-protocol.ts'
import { until, untilAnswered } from '../links/clocks.ts'
import { freePort } from '../links/mosquitto.ts'
import { networkNamespace, NAMESPACE_SKIP } from '../support/network-namespace.ts'
import { fleetstep, fleetstepJson, runGateway, workplace, type Run, type Workplace } from './program.ts'

const NAMES = ['anna', 'bert', 'carl', 'dora']

describe('a fleet without a broker', () => {
  it('converges, one that only dials out too, and one that was killed catches up', async (t) => {
    const place = workplace(t)
    const port = await freePort()
    const fleet = await fleetOf(place, NAMES)
    const seed = `{ kind: peers, listen: { host: 127.0.0.1, port: ${port} } }`
    const config = (name: string, link: string): string =>
      place.file(`${name}.yaml`, `${fleet}device: ${name}\ndataDirectory: data-${name}\nlinks: [${link}]\n`)
    const others = await Promise.all(['bert', 'carl'].map(async () => await freePort()))
    const links = [
      seed,
      ...others.map(
        (own) => `{ kind: peers, listen: { host: 127.0.0.1, port: ${own} }, peers: ['mqtt://127.0.0.1:${port}'] }`,
      ),
      `{ kind: peers, listen: null, peers: ['mqtt://127.0.0.1:${port}'] }`,
    ]
    const configs = NAMES.map((name, index) => config(name, links[index] ?? ''))
    const start = async (index: number): Promise<Run> =>
      await runGateway(place, configs[index] ?? '', '--node-id', NAMES[index] ?? '')
    const runs = await Promise.all(NAMES.map(async (_name, index) => await start(index)))
    for (const name of NAMES) await set(place, name, `${name}/start`, 1)
    await sameEverywhere(place, NAMES, 4)

    const killed = runs[1]
    killed?.kill('SIGKILL')
    await killed?.ended
    await set(place, 'dora', 'meanwhile', 2)
    await set(place, 'carl', 'too', 3)
    await start(1)
    await sameEverywhere(place, NAMES, 6)

    const book = join(place.folder, 'data-bert', 'peers.json')
    const hasBoth = (text: string): boolean =>
      /^\[(\{"node":"[0-9a-f]{16}","host":"[^"]+","port":\d+\},?){2}\]$/.test(text)
    await until(
      () => existsSync(book) && hasBoth(readFileSync(book, 'utf8')),
      'bert keeps the addresses of anna and carl',
    )
    runs[0]?.kill('SIGKILL')
    await runs[0]?.ended
    await set(place, 'bert', 'without/anna', 4)
    await sameEverywhere(place, ['bert', 'carl'], 7)
  })

  it('keeps the addresses of peers beside all else that it keeps, whatever its link is called', async (t) => {
    const place = workplace(t)
    const names = ['anna', 'bert']
    const fleet = await fleetOf(place, names)
    const ports = [await freePort(), await freePort()]
    const called = ['identity', 'format']
    const configs = names.map((name, index) => {
      const listen = `listen: { host: 127.0.0.1, port: ${ports[index]} }`
      const link = `{ kind: peers, name: ${called[index]}, ${listen}, peers: ['mqtt://127.0.0.1:${ports[1 - index]}'] }`
      return place.file(`${name}.yaml`, `${fleet}device: ${name}\ndataDirectory: data-${name}\nlinks: [${link}]\n`)
    })
    for (const round of [1, 2]) {
      const runs: Run[] = []
      for (const [index, config] of configs.entries())
        runs.push(await runGateway(place, config, '--node-id', names[index] ?? ''))
      for (const name of names) await set(place, name, `${name}/start`, round)
      await sameEverywhere(place, names, 2)
      const books = names.map((name, index) => join(place.folder, `data-${name}`, `peers-${called[index]}.json`))
      await until(() => books.every((book) => existsSync(book)), 'both have kept where they met')
      for (const run of runs) run.kill('SIGTERM')
      await Promise.all(runs.map(async (run) => await run.ended))
    }
  })

  it('finds its members by multicast DNS', { skip: NAMESPACE_SKIP }, async (t) => {
    const namespace = networkNamespace(t)
    const place = workplace(t)
    const names = NAMES.slice(0, 3)
    const fleet = await fleetOf(place, names)
    for (const [index, name] of names.entries()) {
      const link = `{ kind: peers, listen: { host: 0.0.0.0, port: ${1900 + index} }, discover: true }`
      const config = place.file(
        `${name}.yaml`,
        `${fleet}device: ${name}\ndataDirectory: data-${name}\nlinks: [${link}]\n`,
      )
      await namespace.gateway(place, config, name)
    }
    for (const name of names) await set(place, name, `${name}/start`, 1)
    await sameEverywhere(place, names, 3)
  })
})

async function fleetOf(place: Workplace, names: readonly string[]): Promise<string> {
  const members: string[] = []
  for (const name of names) {
    const { stdout } = await fleetstep(place, 'node', 'id', '--node-id', name)
    members.push(`{ node: '${stdout.trim()}' }`)
  }
  return `fleet: { name: test, members: [${members.join(', ')}] }\n`
}

async function set(place: Workplace, gateway: string, path: string, value: number): Promise<void> {
  const run = await fleetstep(place, 'state', 'set', path, String(value), '--gateway', gateway)
  assert.equal(run.code, 0, run.stderr)
}

async function sameEverywhere(place: Workplace, names: readonly string[], points: number): Promise<void> {
  for (const name of names) {
    await untilAnswered(
      async () => await fleetstepJson(place, 'state', 'get', '--gateway', name),
      (state) => isRecord(state) && Object.keys(state).length === points,
      `${name} has ${points} points`,
    )
  }
}
