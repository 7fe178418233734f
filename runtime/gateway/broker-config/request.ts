import { isIPv6 } from 'node:net'
import type { NodeId } from '../../base/ids.ts'

/** The brokers that settings are written for; `peers` is a fleet without one, whose gateways need certificates. */
export const BROKER_KINDS = ['mosquitto', 'nats', 'rabbitmq', 'peers'] as const
export type BrokerKind = (typeof BROKER_KINDS)[number]

/** What the settings of a broker are made from. */
export interface BrokerRequest {
  /** Name of the fleet, and its id: the group in the topics. */
  readonly name: string
  readonly fleet: string
  readonly nodes: readonly NodeId[]
  /** Names of tools and persons: they read the mirror and write wishes. */
  readonly people: readonly string[]
  /** How clients prove who they are. */
  readonly authentication: 'certificates' | 'passwords'
  readonly encrypted: boolean
  /** Under which the gateways reach the brokers: one, or the members of one cluster. */
  readonly servers: readonly string[]
  readonly port: number
  /** The broker keeps what is retained, and sessions, over a restart. */
  readonly persistence: boolean
  /** Where the files lie when the broker reads them. */
  readonly path: string
  readonly passwordOf: (user: string) => string
}

export interface BrokerFile {
  readonly name: string
  readonly text: string
}

/** The address that a broker listens on: one of loopback alone, else all of the machine, which `::` means for both kinds. */
export function listenAddress(server: string): string {
  if (server === 'localhost') return '127.0.0.1'
  if (server.startsWith('127.') || server === '::1') return server
  return isIPv6(server) ? '::' : '0.0.0.0'
}

/** Nodes, then people: each name is a user. */
export function usersOf(request: BrokerRequest): readonly string[] {
  return [...request.nodes, ...request.people]
}

/** A file that all of them may have under `certificates`, as `certificates.sh` makes it. */
export function certificateFile(request: BrokerRequest, name: string): string {
  return `${request.path}/certificates/${name}`
}
