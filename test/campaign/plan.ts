import type { Host } from './backbone.ts'

/** How one gateway of the campaign is connected. */
export type LinkPlan =
  | { readonly kind: 'broker'; readonly broker: 'mosquitto' | 'nats' }
  | { readonly kind: 'cable'; readonly cable: string }
  | { readonly kind: 'peers'; readonly listens: boolean; readonly peer: string | null }

export interface GatewayPlan extends Host {
  readonly tier: number
  readonly links: readonly LinkPlan[]
  /** It is no daemon but an application of its own, which uses the library. */
  readonly isApplication: boolean
}

export const MOSQUITTO: Host = { name: 'mosquitto', address: '10.78.0.101' }

export const NATS: readonly Host[] = [1, 2, 3].map((number) => ({
  name: `nats-${number}`,
  address: `10.78.0.${110 + number}`,
}))

/** Who does not belong to the fleet: clones, forgers, and clients under the ids of others. */
export const STRANGER: Host = { name: 'stranger', address: '10.78.0.99' }

/**
 * Ten daemons: three on Mosquitto, three on the cluster of which the first is on both, two pairs on a cable, a chain of
 * three over cables, and a pair without a broker, each joined to the rest by one that has two kinds of links. And on Mosquitto an
 * application of its own.
 */
export const GATEWAYS: readonly GatewayPlan[] = [
  gateway(1, 3, broker('mosquitto'), broker('nats')),
  gateway(2, 0, broker('mosquitto'), cable('pair-a')),
  gateway(3, 1, cable('pair-a')),
  gateway(4, 0, broker('nats'), cable('pair-b')),
  gateway(5, 2, cable('pair-b')),
  gateway(6, 0, broker('nats'), cable('chain-1')),
  gateway(7, 0, cable('chain-1'), cable('chain-2')),
  gateway(8, 1, cable('chain-2')),
  gateway(9, 0, broker('mosquitto'), { kind: 'peers', listens: true, peer: null }),
  gateway(10, 0, { kind: 'peers', listens: false, peer: 'gateway-9' }),
  { ...gateway(11, 0, broker('mosquitto')), isApplication: true },
]

export const FOUNDER = 'gateway-1'

export const CABLES: readonly string[] = ['pair-a', 'pair-b', 'chain-1', 'chain-2']

export const HOSTS: readonly Host[] = [...GATEWAYS, MOSQUITTO, ...NATS, STRANGER]

/** The names of those at the two ends of a cable. */
export function endsOf(cableName: string): readonly string[] {
  return GATEWAYS.filter(({ links }) => links.some((link) => link.kind === 'cable' && link.cable === cableName)).map(
    ({ name }) => name,
  )
}

export function addressOf(host: string): string {
  const found = HOSTS.find(({ name }) => name === host)
  if (found === undefined) throw new Error(`there is no machine ${host}`)
  return found.address
}

function gateway(number: number, tier: number, ...links: readonly LinkPlan[]): GatewayPlan {
  return { name: `gateway-${number}`, address: `10.78.0.${number}`, tier, links, isApplication: false }
}

function broker(name: 'mosquitto' | 'nats'): LinkPlan {
  return { kind: 'broker', broker: name }
}

function cable(name: string): LinkPlan {
  return { kind: 'cable', cable: name }
}
