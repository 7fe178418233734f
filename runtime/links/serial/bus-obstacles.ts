import { SERIAL_BUS_ADDRESS_MAX } from '../../base/limits.ts'
import type { BusHello } from './bus-packet.ts'
import { SERIAL_VERSION } from './packet.ts'

/** What a station knows of itself and of its port. */
interface OwnStation {
  readonly fleet: string
  readonly node: string
  readonly address: number
  readonly baud: number
  readonly where: string
}

/** Why the station at `address` cannot be spoken with, in one line; null if it can. */
export function obstacleIn(hello: BusHello, address: number, { fleet, node, where }: OwnStation): string | null {
  const station = `station ${address} on ${where}`
  if (hello.version !== SERIAL_VERSION)
    return `${station} speaks another version of the line protocol: update the older one`
  if (hello.fleet !== fleet) return `${station} belongs to another fleet: compare fleet in both configs`
  return hello.node === node ? `${station} has this node's id: give one of them another one` : null
}

/** Why nobody answers, as far as it can be heard. */
export function describeSilence({ where, baud }: OwnStation, isDamaged: boolean): string {
  return isDamaged
    ? `what comes on ${where} cannot be read: set ${baud} baud on all stations, and check A, B and ground`
    : `nobody answers on ${where}: check that other stations run, that A goes to A and B to B, and the ends of the bus`
}

export function describeTwin({ where, address }: OwnStation): string {
  return `another station on ${where} has address ${address} too: give each its own, from 1 to ${SERIAL_BUS_ADDRESS_MAX}`
}
