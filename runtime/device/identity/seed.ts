import * as v from 'valibot'
import { type Digest, isDigest } from '../../base/digest.ts'
import { FleetstepError } from '../../base/errors.ts'
import { isNodeId, type NodeId } from '../../base/ids.ts'
import { KEY_BYTES, LINKS_MAX, MQTT_SERVERS_MAX, SEED_BYTES_MAX } from '../../base/limits.ts'
import { TIER_MAX } from '../../state/priority.ts'
import { type Enrolment, openToken, type Token } from './enrolment.ts'
import { type SigningKey, signingKeyFromSecret } from './keys.ts'

/** What everybody in a fleet knows of it from the start; its digest is the fleet's id. */
export interface FleetFacts {
  readonly id: Digest
  readonly name: string
  /** Public key of the operator. */
  readonly operator: Uint8Array
  readonly founder: { readonly node: NodeId; readonly tier: number; readonly key: Uint8Array }
}

/** What a card needs in order to belong to a fleet: the file that `fleetstep seed create` writes. */
export interface Seed {
  readonly fleet: FleetFacts
  /** The key of the founder, in its seed alone. */
  readonly founderKey: SigningKey | null
  /** Null in the seed of the founder, who needs none. */
  readonly enrolment: Enrolment | null
  /** The newest epoch when it was made: its card believes no sponsor that shows an older one. Null if there was none. */
  readonly epoch: SeedEpoch | null
  /** Servers of the MQTT links, for a config that names none. */
  readonly links: readonly { readonly servers: readonly string[] }[]
}

/** Names an epoch that the operator has signed. */
export interface SeedEpoch {
  readonly number: number
  readonly digest: Digest
}

/** The text of a seed file. It holds a secret: mode 0600. */
export function seedText({ fleet, founderKey, enrolment, epoch, links }: Seed): string {
  const file = {
    format: FORMAT,
    fleet: factsToJson(fleet),
    founderKey: founderKey === null ? null : toBase64(founderKey.secret),
    enrolment:
      enrolment === null
        ? null
        : {
            token: toBase64(enrolment.token.bytes),
            signature: toBase64(enrolment.token.signature),
            tokenKey: toBase64(enrolment.tokenKey.secret),
          },
    epoch,
    links,
  }
  return `${JSON.stringify(file, null, 2)}\n`
}

/** Checks a seed whole, but not against the time. @param where names the file in errors @throws FleetstepError `seed-invalid` */
export function parseSeed(text: string, where: string): Seed {
  const wrong = (what: string): FleetstepError =>
    new FleetstepError('seed-invalid', `${where} ${what}; copy it again, or make one with fleetstep seed create`)
  if (Buffer.byteLength(text) > SEED_BYTES_MAX) throw wrong('is too long for a seed')
  const parsed = v.safeParse(SEED, jsonOf(text))
  if (!parsed.success) throw wrong('is no seed of a fleet')
  const { fleet: facts, founderKey, enrolment, epoch, links } = parsed.output
  const fleet = factsFromJson(facts)
  const founder = founderKey === null ? null : signingKeyFromSecret(fromBase64(founderKey))
  if (founder !== null && toBase64(founder.publicKey) !== facts.founder.key)
    throw wrong('holds a key of another founder')
  if ((founder === null) === (enrolment === null)) throw wrong('is neither of the founder nor of a newcomer')
  return { fleet, founderKey: founder, enrolment: enrolment === null ? null : readEnrolment(), epoch, links }

  function readEnrolment(): Enrolment {
    const { token, signature, tokenKey } = enrolment as NonNullable<typeof enrolment>
    const key = signingKeyFromSecret(fromBase64(tokenKey))
    const opened = openOrNull(fromBase64(token), fromBase64(signature), fleet)
    if (opened === null) throw wrong('holds a token that the operator of this fleet has not signed')
    if (toBase64(opened.terms.key) !== toBase64(key.publicKey)) throw wrong('holds the key of another token')
    return { token: opened, tokenKey: key }
  }
}

/** How a fleet file and a seed show {@link FleetFacts}. */
export interface FleetFactsJson {
  readonly id: string
  readonly name: string
  readonly operator: string
  readonly founder: { readonly node: NodeId; readonly tier: number; readonly key: string }
}

export function factsToJson({ id, name, operator, founder }: FleetFacts): FleetFactsJson {
  return { id, name, operator: toBase64(operator), founder: { ...founder, key: toBase64(founder.key) } }
}

export function factsFromJson({ id, name, operator, founder }: FleetFactsJson): FleetFacts {
  const key = fromBase64(founder.key)
  return { id: id as Digest, name, operator: fromBase64(operator), founder: { ...founder, key } }
}

/** Bytes as text in JSON: base64url of RFC 4648 without padding. */
const BASE64 = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,2000}$/))
const KEY = v.pipe(
  BASE64,
  v.check((text) => fromBase64(text).length === KEY_BYTES),
)

export const FACTS: v.GenericSchema<unknown, FleetFactsJson> = v.strictObject({
  id: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
  name: v.pipe(v.string(), v.regex(/^[A-Za-z0-9._~-]{1,64}$/)),
  operator: KEY,
  founder: v.strictObject({
    node: v.custom<NodeId>(isNodeId),
    tier: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(TIER_MAX)),
    key: KEY,
  }),
})

const FORMAT = 'fleetstep-seed/1'

const SEED = v.strictObject({
  format: v.literal(FORMAT),
  fleet: FACTS,
  founderKey: v.nullable(KEY),
  enrolment: v.nullable(v.strictObject({ token: BASE64, signature: BASE64, tokenKey: KEY })),
  epoch: v.nullable(
    v.strictObject({
      number: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
      digest: v.custom<Digest>(isDigest),
    }),
  ),
  links: v.pipe(
    v.array(
      v.strictObject({
        servers: v.pipe(v.array(v.pipe(v.string(), v.maxLength(1024))), v.minLength(1), v.maxLength(MQTT_SERVERS_MAX)),
      }),
    ),
    v.maxLength(LINKS_MAX),
  ),
})

function openOrNull(bytes: Uint8Array, signature: Uint8Array, { id, operator }: FleetFacts): Token | null {
  try {
    return openToken(bytes, signature, id, operator)
  } catch (error) {
    if (error instanceof FleetstepError) return null
    throw error
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64url'))
}
