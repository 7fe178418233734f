import { unreachable } from '../../base/errors.ts'
import { FRAME_BYTES_MAX } from '../../base/limits.ts'

/** Why a connection to a broker ended or never came about. */
export type FailureKind =
  | 'refused'
  | 'name-not-found'
  | 'unreachable'
  | 'tls'
  | 'tls-not-yet-valid'
  | 'tls-expired'
  | 'tls-own-expired'
  | 'not-authorised'
  | 'protocol-version'
  | 'identifier'
  | 'broker-unavailable'
  | 'taken-over'
  | 'later-start'
  | 'packet-too-large'
  | 'limit'
  | 'lacking'
  | 'moved'
  | 'timeout'
  | 'closed'
  | 'protocol'

/** What a person finds where the connection leads to. */
export type OtherEnd = 'broker' | 'gateway'

export interface Failure {
  readonly kind: FailureKind
  /** For people, one line, without secrets; empty if there is nothing to add. */
  readonly detail: string
}

/** Sorts an error of the socket, of TLS, or of mqtt.js, whose `code` is then the reason code of the broker. */
export function failureOf(error: unknown): Failure {
  const detail = oneLine(textOf(error))
  const code = codeOf(error)
  if (typeof code === 'number') return failureOfReason(code, detail)
  if (code !== null) return { kind: kindOfErrorCode(code), detail: detail === '' ? code : detail }
  return { kind: /timeout/i.test(detail) ? 'timeout' : 'protocol', detail }
}

/** @param reason return code of MQTT 3.1.1 (section 3.2.2.3) or reason code of MQTT 5 (section 2.4) */
export function failureOfReason(reason: number, detail: string): Failure {
  const kind = REASONS.get(reason)
  if (kind !== undefined && detail !== '') return { kind, detail }
  const code = `reason code ${reason}`
  return { kind: kind ?? 'protocol', detail: detail === '' ? code : `${detail}, ${code}` }
}

/** One line for people: what failed, where, what to do. */
export function describeFailure(failure: Failure, where: string, end: OtherEnd = 'broker'): string {
  const isBroker = end === 'broker'
  const because = failure.detail === '' ? '' : ` (${failure.detail})`
  switch (failure.kind) {
    case 'refused':
      return `${where} refused the connection: start the ${end} there, or correct the address`
    case 'name-not-found':
      return `the name in ${where} was not found: check the spelling and this machine's DNS`
    case 'unreachable':
      return `${where} cannot be reached from this network${because}: check cable, Wi-Fi and route`
    case 'tls':
      return `TLS with ${where} failed${because}: check ca, cert and key, and that the port speaks TLS`
    case 'tls-not-yet-valid':
      return `this machine's clock is wrong for TLS with ${where}${because}: set it, or let it be set by NTP, which needs no TLS`
    case 'tls-expired':
      return `the certificate of ${where} has expired${because}: renew it, unless this machine's clock is ahead`
    case 'tls-own-expired':
      return `${where} says that this node's certificate has expired: renew it, unless the clock there is ahead`
    case 'not-authorised':
      return `${where} did not authorise this node${because}: check ${isBroker ? "username, password and the broker's access list" : 'that its certificate names its node id'}`
    case 'protocol-version':
      return `${where} speaks neither MQTT 5 nor 3.1.1${because}: ${isBroker ? 'use another broker' : WRONG_PORT}`
    case 'identifier':
      return `${where} refused the client id of this node${because}: ${isBroker ? 'allow ids of 23 characters at the broker' : WRONG_PORT}`
    case 'broker-unavailable':
      return `${where} takes no clients now${because}: look at the ${end}'s log`
    case 'taken-over':
      return `${where} gave this node's place to another client with the same id: two nodes share one node id, change one`
    case 'later-start':
      return `${where} knows a later start of this node, whose data directory was lost or set back: it connects again as one after that`
    case 'packet-too-large':
      return `${where} takes no messages of ${FRAME_BYTES_MAX} bytes${because}: ${isBroker ? "raise the broker's limit" : WRONG_PORT}`
    case 'limit':
      return `${where} gets more than it takes from this node${because}: raise the ${end}'s limits`
    case 'lacking':
      return `${where} does not offer QoS 1, retained messages and wildcards, which a node needs${because}: ${isBroker ? 'allow them in its settings, or use another broker' : WRONG_PORT}`
    case 'moved':
      return `${where} sends this node to another server${because}: correct the address`
    case 'timeout':
      return `${where} did not answer in time${because}: check the ${end} and the way to it`
    case 'closed':
      return `${where} closed the connection${because}: look at the log there; if it repeats, ${isBroker ? '' : 'whether it is of this fleet, '}for a second node with this id or ${where.startsWith('mqtts:') ? 'a certificate that is not taken' : 'a port that wants mqtts://'}`
    case 'protocol':
      return `${where} did not keep to MQTT${because}: ${isBroker ? 'check that a broker listens on this port' : WRONG_PORT}`
    default:
      return unreachable(failure.kind)
  }
}

const WRONG_PORT = 'check that a gateway listens on this port'

/** OpenSSL puts numbers and the files of its sources around the reason. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'reason' in error && typeof error.reason === 'string' ? error.reason : error.message
}

/** Makes any text fit one line of a log. */
function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, 200)
}

function codeOf(error: unknown): string | number | null {
  if (typeof error !== 'object' || error === null || !('code' in error)) return null
  return typeof error.code === 'string' || typeof error.code === 'number' ? error.code : null
}

const REASONS: ReadonlyMap<number, FailureKind> = new Map([
  [0, 'closed'],
  [1, 'protocol-version'],
  [2, 'identifier'],
  [3, 'broker-unavailable'],
  [4, 'not-authorised'],
  [5, 'not-authorised'],
  [128, 'not-authorised'], // MQTT 3.1.1 has no other answer to a subscription that is not allowed
  [132, 'protocol-version'],
  [133, 'identifier'],
  [134, 'not-authorised'],
  [135, 'not-authorised'],
  [136, 'broker-unavailable'],
  [137, 'broker-unavailable'],
  [138, 'not-authorised'],
  [139, 'broker-unavailable'],
  [141, 'timeout'],
  [142, 'taken-over'],
  [143, 'not-authorised'],
  [144, 'not-authorised'],
  [147, 'limit'],
  [149, 'packet-too-large'],
  [150, 'limit'],
  [151, 'limit'],
  [152, 'broker-unavailable'],
  [154, 'lacking'],
  [155, 'lacking'],
  [156, 'moved'],
  [157, 'moved'],
  [159, 'broker-unavailable'],
  [160, 'broker-unavailable'],
  [162, 'lacking'],
])

function kindOfErrorCode(code: string): FailureKind {
  const known = ERROR_CODES.get(code)
  if (known !== undefined) return known
  if (code.endsWith('_ALERT_CERTIFICATE_EXPIRED')) return 'tls-own-expired'
  return TLS_CODE.test(code) ? 'tls' : 'closed'
}

const ERROR_CODES: ReadonlyMap<string, FailureKind> = new Map([
  ['ECONNREFUSED', 'refused'],
  ['ENOTFOUND', 'name-not-found'],
  ['EAI_AGAIN', 'name-not-found'],
  ['EHOSTUNREACH', 'unreachable'],
  ['ENETUNREACH', 'unreachable'],
  ['EHOSTDOWN', 'unreachable'],
  ['ENETDOWN', 'unreachable'],
  ['EADDRNOTAVAIL', 'unreachable'],
  ['ETIMEDOUT', 'timeout'],
  ['CERT_NOT_YET_VALID', 'tls-not-yet-valid'],
  ['CERT_HAS_EXPIRED', 'tls-expired'],
])

/** Names that Node.js and OpenSSL give to failures of TLS. */
const TLS_CODE =
  /^(ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_|INVALID_CA|EPROTO$)/
