import * as v from 'valibot'
import { PEERS_MAX } from '../base/limits.ts'

/** A link without a broker: this gateway and its peers connect to each other. */
export interface PeersSettings {
  readonly kind: 'peers'
  readonly name: string
  /** Where peers connect to this gateway; null if none can. */
  readonly listen: { readonly host: string; readonly port: number } | null
  /** Those that are known; the others are heard of from them. */
  readonly peers: readonly string[]
  /** Find others on the local network, and be found. */
  readonly discover: boolean
  /** All three or none: each side shows its certificate, whose common name is its node id. */
  readonly caFile: string | null
  readonly certificateFile: string | null
  readonly keyFile: string | null
}

/** The port that a post box has unless it is told otherwise; 1883 is left to a broker. */
export const PEERS_PORT = 1884

/** @param name the check of a link's name; `file` that of a file's; `host` that of an address to listen on */
export function peersSchema(
  name: v.GenericSchema<unknown, string>,
  file: v.GenericSchema<unknown, string>,
  host: v.GenericSchema<unknown, string>,
): v.GenericSchema<unknown, PeersSettings> {
  const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535))
  const listen = v.strictObject({ host: v.optional(host, '0.0.0.0'), port: v.optional(port, PEERS_PORT) })
  const peer = v.pipe(v.string(), v.check(isPeer, 'a peer is mqtt://host:port, or mqtts://host:port with certificates'))
  const optionalFile = v.optional(v.nullable(file), null)
  const settings = v.strictObject({
    kind: v.literal('peers'),
    name: v.optional(name, 'peers'),
    listen: v.optional(v.nullable(listen), { host: '0.0.0.0', port: PEERS_PORT }),
    peers: v.optional(v.pipe(v.array(peer), v.maxLength(PEERS_MAX)), []),
    discover: v.optional(v.boolean(), false),
    caFile: optionalFile,
    certificateFile: optionalFile,
    keyFile: optionalFile,
  })
  return v.pipe(
    settings,
    v.check(
      ({ caFile, certificateFile, keyFile }) =>
        new Set([caFile, certificateFile, keyFile].map((f) => f === null)).size === 1,
      'peers show each other certificates with caFile, certificateFile and keyFile: give all three, or none',
    ),
    v.check(
      ({ caFile, peers }) => peers.every((url) => url.startsWith(caFile === null ? 'mqtt:' : 'mqtts:')),
      'peers are mqtts:// with caFile, certificateFile and keyFile, and mqtt:// without: the same for all of a fleet',
    ),
  )
}

function isPeer(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, password, port } = new URL(text)
  return (
    (protocol === 'mqtt:' || protocol === 'mqtts:') &&
    hostname !== '' &&
    username === '' &&
    password === '' &&
    port !== ''
  )
}
