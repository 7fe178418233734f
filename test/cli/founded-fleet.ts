import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import type { GatewayStatus } from '../../runtime/gateway/inspection.ts'
import { until, untilAnswered } from '../links/clocks.ts'
import { fleetstep, fleetstepJson, type Run, runGateway, start, type Workplace, workplace } from './program.ts'

/** A fleet with keys whose gateways are processes. */
export interface Fleet {
  readonly place: Workplace
  readonly token: string
  readonly port: number
  run(name: string, options?: { readonly label?: string; readonly profile?: string }): Promise<Run>
  change(name: string, path: string, value: number): Promise<void>
  status(name: string): Promise<GatewayStatus>
  sees(name: string, condition: (status: GatewayStatus) => boolean, what: string): Promise<GatewayStatus>
  agree(names: readonly string[], state: Readonly<Record<string, unknown>>): Promise<void>
  operator(name: string, ...words: readonly string[]): Promise<void>
  /** What must not be in any log. */
  secrets(): readonly string[]
}

/** A fleet of its founder `anna` on a broker of its own, with a seed for `uses` newcomers. */
export async function foundFleet(
  t: TestContext,
  { uses, role, tier }: { readonly uses: number; readonly role?: string; readonly tier?: number },
): Promise<Fleet> {
  const place = workplace(t)
  const broker = start(place, 'broker', '--port', '0', '--json')
  await until(() => broker.stdout.includes('\n'), 'the broker is ready')
  const { port } = JSON.parse(broker.stdout) as { port: number }
  const { stdout } = await fleetstep(place, 'node', 'id', '--node-id', 'anna')
  await fleetstep(place, 'fleet', 'create', 'plant', '--founder', stdout.trim(), '--tier', '1')
  const server = ['--server', `mqtt://127.0.0.1:${port}`]
  await fleetstep(place, 'seed', 'create', 'founder.seed', '--fleet', 'plant', '--founder', ...server)
  const words = ['seed', 'create', 'cards.seed', '--fleet', 'plant', '--uses', String(uses), ...server]
  if (role !== undefined) words.push('--role', role)
  if (tier !== undefined) words.push('--tier', String(tier))
  const { token } = (await fleetstepJson(place, ...words)) as { token: string }
  const fleet = fleetAt(place, token, port)
  await fleet.run('anna')
  return fleet
}

function fleetAt(place: Workplace, token: string, port: number): Fleet {
  const status = async (name: string): Promise<GatewayStatus> =>
    (await fleetstepJson(place, '--gateway', name, 'status')) as GatewayStatus
  const sees: Fleet['sees'] = async (name, condition, what) =>
    await untilAnswered(async () => await status(name), condition, what)
  return {
    place,
    token,
    port,
    status,
    sees,
    async run(name, { label, profile } = {}) {
      const seed = name === 'anna' ? 'founder.seed' : 'cards.seed'
      const labelled = label === undefined ? '' : `label: ${label}\n`
      const profiled = profile === undefined ? '' : `profile: ${profile}\n`
      const config = `fleet: { seed: ${seed} }\ndevice: ${name}\ndataDirectory: ${name}\n${labelled}${profiled}`
      return await runGateway(place, place.file(`${name}.yaml`, config), ...(label ? [] : ['--node-id', name]))
    },
    async change(name, path, value) {
      const run = await fleetstep(place, '--gateway', name, 'state', 'set', path, String(value))
      assert.equal(run.code, 0, run.stderr)
    },
    async agree(names, state) {
      for (const name of names) {
        await untilAnswered(
          async () => await fleetstepJson(place, '--gateway', name, 'state', 'get', '--settled'),
          (seen) => isDeepStrictEqual(seen, state),
          `${name} has settled ${JSON.stringify(state)}`,
        )
      }
    },
    async operator(name, ...words) {
      const run = await fleetstep(place, '--gateway', name, 'fleet', ...words, '--fleet', 'plant')
      assert.equal(run.code, 0, run.stderr)
    },
    secrets() {
      const { enrolment } = JSON.parse(readFileSync(join(place.folder, 'cards.seed'), 'utf8')) as {
        enrolment: { tokenKey: string }
      }
      const { founderKey } = JSON.parse(readFileSync(join(place.folder, 'founder.seed'), 'utf8')) as {
        founderKey: string
      }
      return [enrolment.tokenKey, founderKey, 'PRIVATE KEY']
    },
  }
}

export async function stop(run: Run): Promise<void> {
  run.kill('SIGTERM')
  await run.ended
}
