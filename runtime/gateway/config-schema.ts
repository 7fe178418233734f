// valibot: the smallest validator of those that were measured (2.4 MiB, 8 ms of start-up), maintained, MIT.
import * as v from 'valibot'
import { AssertionError } from '../base/errors.ts'
import { isNodeId, type NodeId } from '../base/ids.ts'
import {
  IDENTITY_TEXT_BYTES_MAX,
  LINKS_MAX,
  MEMBERS_MAX,
  MQTT_SERVERS_MAX,
  SERIAL_BAUD_DEFAULT,
  SERIAL_BAUD_MAX,
  SERIAL_BAUD_MIN,
  SERIAL_BUS_ADDRESS_MAX,
  SERIAL_PAYLOAD_MAX,
  SERIAL_PAYLOAD_MIN,
} from '../base/limits.ts'
import { GPIO_SETTINGS, type GpioSettings, portSettings, type PortSettings } from './devices-config.ts'
import { mirrorSchema, type MirrorSettings } from './mirror/mirror-config.ts'
import { peersSchema, type PeersSettings } from './peers-config.ts'
import { TIER_MAX } from '../state/priority.ts'
import { type Role, ROLES } from '../state/role.ts'
import { CARD_ENDURANCE_TB_DEFAULT } from '../storage/wear.ts'

/** The settings of a config file; an absent one has its default, null where there is none. */
export interface ConfigSettings {
  readonly fleet:
    | {
        readonly name: string
        /** The same list on every gateway; null for a fleet of this node alone. */
        readonly members: readonly MemberSettings[] | null
        readonly seed: null
      }
    | {
        /** Name, founder and keys stand in the seed. */
        readonly name: null
        readonly members: null
        readonly seed: string
      }
  /** Name of this gateway's device in paths, or null for the node id. */
  readonly device: string | null
  /** Tells several nodes on one machine apart. */
  readonly label: string
  readonly dataDirectory: string
  readonly storage: {
    /** Terabytes written (TBW of the data sheet) that the card is good for. */
    readonly cardEnduranceTb: number
  }
  /** A profile file, or the name of a shipped one. */
  readonly profile: string | null
  readonly gpio: GpioSettings
  readonly ports: PortSettings
  /** A broker inside this gateway, or null. */
  readonly broker: { readonly host: string; readonly port: number } | null
  readonly links: readonly (MqttSettings | SerialSettings | PeersSettings)[]
  /** Shows the state in JSON to people's tools, or null. */
  readonly mirror: MirrorSettings | null
  /** The control socket, or null for the usual place. */
  readonly controlSocket: string | null
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

/** One member of a fleet without keys. */
export interface MemberSettings {
  readonly node: NodeId
  /** 0 unless told otherwise, here or by `profile`. */
  readonly tier?: number
  /** The profile whose tier it has: a file, or the name of a shipped one; not beside `tier`. */
  readonly profile?: string
  readonly role?: Role
}

export interface MqttSettings {
  readonly kind: 'mqtt'
  readonly name: string
  readonly servers: readonly string[]
  readonly username: string | null
  /** Files, so that no secret stands in a config or on a command line. */
  readonly passwordFile: string | null
  readonly caFile: string | null
  readonly certificateFile: string | null
  readonly keyFile: string | null
}

export interface SerialSettings {
  readonly kind: 'serial'
  readonly name: string
  /** A device, or a name that stays with the adapter. */
  readonly port: string
  readonly baud: number
  /** Bytes of payload in a frame, or null for what fits the baud. */
  readonly payload: number | null
  /** Of this station on a bus of several, or null for a line between two. */
  readonly address: number | null
}

/** The first thing that is wrong: keys and list places from the top, and one line of what to do. */
export interface ConfigProblem {
  readonly path: readonly (string | number)[]
  readonly problem: string
}

/** Checks what a config file says, whole. */
export function checkSettings(data: unknown): ConfigSettings | ConfigProblem {
  const parsed = v.safeParse(CONFIG, data)
  return parsed.success ? parsed.output : describeIssue(parsed.issues[0])
}

const NAME = v.pipe(v.string(), v.regex(/^[A-Za-z0-9._~-]{1,64}$/, 'a name has 1 to 64 of A-Z a-z 0-9 . _ ~ -'))
const FILE = v.pipe(v.string(), v.nonEmpty('a file name is not empty'))
const HOST = v.pipe(v.string(), v.nonEmpty('a host is not empty: 0.0.0.0 is all networks of this machine'))
const PORT = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535))

const ENDURANCE = v.pipe(
  v.number(),
  v.check((tb) => tb > 0 && tb <= 100_000, 'the endurance of a card is its TBW, such as 16: terabytes, above 0'),
)

const NODE = v.custom<NodeId>(
  isNodeId,
  'a node id has 16 hexadecimal digits in lower case and in quotes: fleetstep node id prints it',
)

const MEMBER = v.pipe(
  v.strictObject({
    node: NODE,
    tier: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(TIER_MAX))),
    profile: v.exactOptional(FILE),
    role: v.exactOptional(v.picklist(ROLES)),
  }),
  v.check(
    ({ tier, profile }) => tier === undefined || profile === undefined,
    'a member has a tier, or a profile whose tier it has: take one of them out',
  ),
)

const MEMBERS = v.pipe(
  v.array(MEMBER),
  v.minLength(1, 'a fleet has at least one member: leave members out for a gateway that is alone'),
  v.maxLength(MEMBERS_MAX, `a fleet has at most ${MEMBERS_MAX} members`),
  v.check(
    (members) => new Set(members.map(({ node }) => node)).size === members.length,
    'a node is a member once: take the second entry out',
  ),
)

const SERVER = v.pipe(v.string(), v.check(isServer, 'a server is mqtt://host:port or mqtts://host:port'))

const SERVERS = v.pipe(v.array(SERVER), v.minLength(1, 'at least one server is needed'), v.maxLength(MQTT_SERVERS_MAX))

const MQTT = v.strictObject({
  kind: v.literal('mqtt'),
  name: v.optional(NAME, 'mqtt'),
  servers: SERVERS,
  username: v.optional(v.nullable(v.string()), null),
  passwordFile: v.optional(v.nullable(FILE), null),
  caFile: v.optional(v.nullable(FILE), null),
  certificateFile: v.optional(v.nullable(FILE), null),
  keyFile: v.optional(v.nullable(FILE), null),
})

const SERIAL_PORT = v.pipe(
  v.string(),
  v.regex(
    /^(\/[^\s]+|usb:[0-9a-fA-F]{4}:[0-9a-fA-F]{4}(:[^\s]+)?|usb-socket:[^\s]+)$/,
    'a port is /dev/…, usb:VENDOR:PRODUCT:SERIAL or usb-socket:1-1.2: fleetstep serial list prints them',
  ),
)

const SERIAL = v.strictObject({
  kind: v.literal('serial'),
  name: v.optional(NAME, 'serial'),
  port: SERIAL_PORT,
  baud: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(SERIAL_BAUD_MIN), v.maxValue(SERIAL_BAUD_MAX)),
    SERIAL_BAUD_DEFAULT,
  ),
  payload: v.optional(
    v.nullable(v.pipe(v.number(), v.integer(), v.minValue(SERIAL_PAYLOAD_MIN), v.maxValue(SERIAL_PAYLOAD_MAX))),
    null,
  ),
  address: v.optional(
    v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(SERIAL_BUS_ADDRESS_MAX))),
    null,
  ),
})

type LinkSchema = v.GenericSchema<unknown, ConfigSettings['links'][number]>

const KINDS: ReadonlyMap<unknown, LinkSchema> = new Map<string, LinkSchema>([
  ['mqtt', MQTT],
  ['serial', SERIAL],
  ['peers', peersSchema(NAME, FILE, HOST)],
])

/** What a link may say depends on its kind, so that a problem is told of that kind alone. */
function schemaOfLink(link: unknown): LinkSchema {
  const kind = typeof link === 'object' && link !== null && 'kind' in link ? link.kind : undefined
  const known = KINDS.get(kind)
  if (known !== undefined) return known
  return v.pipe(v.object({ kind: v.picklist([...KINDS.keys()].map(String)) }), v.transform(unreachableKind))
}

function unreachableKind(): never {
  throw new AssertionError('a kind that is known has a schema')
}

const LINKS = v.pipe(
  v.array(v.lazy(schemaOfLink)),
  v.maxLength(LINKS_MAX, `a gateway has at most ${LINKS_MAX} links`),
  v.check(
    (links) => new Set(links.map(({ name }) => name)).size === links.length,
    'two links have the same name: give each a name of its own',
  ),
)

const FLEET = v.pipe(
  v.strictObject({
    name: v.optional(v.nullable(NAME), null),
    members: v.optional(v.nullable(MEMBERS), null),
    seed: v.optional(v.nullable(FILE), null),
  }),
  v.check(
    ({ name, members, seed }) => (seed === null) !== (name === null) && (seed === null || members === null),
    'a fleet has a name and members, or a seed in which both stand',
  ),
  // The check has just told the two forms apart.
  v.transform((fleet) => fleet as ConfigSettings['fleet']),
)

const CONFIG: v.GenericSchema<unknown, ConfigSettings> = v.strictObject({
  fleet: FLEET,
  device: v.optional(v.nullable(NAME), null),
  label: v.optional(v.pipe(v.string(), v.maxBytes(IDENTITY_TEXT_BYTES_MAX)), ''),
  dataDirectory: FILE,
  storage: v.optional(v.strictObject({ cardEnduranceTb: v.optional(ENDURANCE, CARD_ENDURANCE_TB_DEFAULT) }), {}),
  profile: v.optional(v.nullable(FILE), null),
  gpio: v.optional(GPIO_SETTINGS, {}),
  ports: v.optional(portSettings(NAME, SERIAL_PORT), {}),
  broker: v.optional(
    v.nullable(v.strictObject({ host: v.optional(HOST, '127.0.0.1'), port: v.optional(PORT, 1883) })),
    null,
  ),
  links: v.optional(LINKS, []),
  mirror: v.optional(v.nullable(mirrorSchema(SERVERS, FILE)), null),
  controlSocket: v.optional(v.nullable(FILE), null),
  logLevel: v.optional(v.picklist(['debug', 'info', 'warn', 'error']), 'info'),
})

export function isServer(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, password } = new URL(text)
  return (protocol === 'mqtt:' || protocol === 'mqtts:') && hostname !== '' && username === '' && password === ''
}

function describeIssue(issue: v.BaseIssue<unknown>): ConfigProblem {
  const path = (issue.path ?? []).flatMap(({ key }) =>
    typeof key === 'string' || typeof key === 'number' ? [key] : [],
  )
  return { path, problem: problemOf(issue) }
}

/** The validator's own words name types of the program; a person reads of settings. */
function problemOf(issue: v.BaseIssue<unknown>): string {
  const isObject = issue.type === 'strict_object'
  if (isObject && issue.expected === 'never') return 'is no setting: fleetstep config shows all of them'
  if (isObject && issue.received === 'undefined') return 'is missing: fleetstep config prints an example'
  if (isObject) return 'is a group of settings, each on a line of its own: fleetstep config prints an example'
  const isOwn = !issue.message.startsWith('Invalid ')
  return isOwn ? `is not right: ${issue.message}` : `is ${issue.received}, and should be ${wanted(issue)}`
}

function wanted({ expected, type }: v.BaseIssue<unknown>): string {
  const word = TYPE_WORDS[type]
  if (word !== undefined || expected === null) return word ?? type
  return expected
    .replaceAll(/[()"]/g, '')
    .replaceAll(' | ', ' or ')
    .replace('<=', 'at most ')
    .replace('>=', 'at least ')
}

const TYPE_WORDS: Readonly<Record<string, string>> = { string: 'text', array: 'a list', number: 'a number' }
