import { nodeIdOf } from '../../device/identity/node-id.ts'
import { controlPath } from '../../gateway/control-path.ts'
import type { FleetDirectory } from '../../gateway/fleet-directory.ts'
import type { Children } from './children.ts'
import { differences, haveOneFloor, type NamedReading } from './compare.ts'
import { DemoGateway } from './demo-gateway.ts'
import type { Reading } from './reading.ts'
import type { Lack, Patience } from './until.ts'

/** A gateway as it was read last; null while it is down. */
export interface Sight {
  readonly gateway: DemoGateway
  readonly reading: Reading | null
}

/** Three gateways; the first has the highest priority. */
export class DemoFleet {
  readonly gateways: readonly [DemoGateway, DemoGateway, DemoGateway]

  /** Writes their configs. */
  constructor(directory: FleetDirectory, children: Children, server: string) {
    const members = TIERS.map(({ name, tier }) => ({ node: nodeIdOf('operator-override', name, ''), tier }))
    const make = ({ name, tier }: { name: string; tier: number }): DemoGateway => {
      // One that is only tried must neither be found by people nor disturb another demo.
      const controlSocket = directory.isTemporary ? directory.file(`${name}.sock`) : null
      directory.writeConfig({ name, fleet: { name: 'demo', members }, profile: 'generic-linux', server, controlSocket })
      return new DemoGateway({
        name,
        tier,
        node: nodeIdOf('operator-override', name, ''),
        configFile: directory.configFile(name),
        socket: controlSocket ?? controlPath(name),
        children,
      })
    }
    this.gateways = [make(TIERS[0]), make(TIERS[1]), make(TIERS[2])]
  }

  async start(patience: Patience): Promise<void> {
    for (const gateway of this.gateways) await gateway.assertFree()
    for (const gateway of this.gateways) gateway.start('start')
    await Promise.all(this.gateways.map((gateway) => gateway.ready(patience)))
  }

  async look(): Promise<Sight[]> {
    return await Promise.all(
      this.gateways.map(async (gateway) => ({ gateway, reading: await gateway.read().catch(() => null) })),
    )
  }

  /** The name of the gateway behind an operation's or a member's id, or that id. */
  nameOf(id: string): string {
    return this.gateways.find(({ node }) => id.startsWith(node))?.name ?? id
  }

  /** `gateway-2 #41` for an operation id. */
  shortOperation(id: string): string {
    return `${this.nameOf(id)} #${id.slice(id.indexOf(':') + 1)}`
  }

  /** @returns the names of those that others have started, and that go on */
  async stop(): Promise<string[]> {
    const stopped = await Promise.all(this.gateways.map((gateway) => gateway.stop()))
    return this.gateways.filter((_, index) => stopped[index] === false).map(({ name }) => name)
  }
}

/** All readings, or the name of one that is down. */
export function allUp(sights: readonly Sight[]): NamedReading[] | string {
  const replicas: NamedReading[] = []
  for (const { gateway, reading } of sights) {
    if (reading === null) return gateway.name
    replicas.push({ name: gateway.name, reading })
  }
  return replicas
}

/** What keeps the replicas from being the same; with `settledFrom`, also the settled parts up to that stage at least. */
export function lackOfEquality(sights: readonly Sight[], settledFrom: number | null): Lack {
  const replicas = allUp(sights)
  if (typeof replicas === 'string') return `${replicas} is down`
  const [difference] = differences(replicas)
  if (difference !== undefined) return difference
  if (settledFrom === null || haveOneFloor(replicas, settledFrom)) return null
  const floors = replicas.map(({ name, reading }) => `${name} ${reading.floor}`).join(', ')
  return `what is settled is not the same yet (needs stage ${settledFrom}; ${floors})`
}

const TIERS = [
  { name: 'gateway-1', tier: 3 },
  { name: 'gateway-2', tier: 2 },
  { name: 'gateway-3', tier: 1 },
] as const
