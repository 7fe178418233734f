import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
// valibot: the smallest validator of those that were measured (2.4 MiB, 8 ms of start-up), maintained, MIT.
import * as v from 'valibot'
// yaml: the maintained YAML 1.2 parser whose errors name line and column; ISC.
import { parseDocument } from 'yaml'
import { FleetstepError } from '../base/errors.ts'
import { isNodeId, type NodeId } from '../base/ids.ts'
import { MEMBERS_MAX } from '../base/limits.ts'
import { TIER_MAX } from '../state/priority.ts'

/** What one gateway is told by its operator. All file names are absolute. */
export interface GatewayConfig {
  readonly fleet: {
    readonly name: string
    readonly members: readonly { readonly node: NodeId; readonly tier: number }[] | null
  }
  /** Name of this gateway's device in paths, or null for the node id. */
  readonly device: string | null
  /** Tells several nodes on one machine apart. */
  readonly label: string
  readonly dataDirectory: string
  /** A profile file, or the name of a shipped one. */
  readonly profile: string | null
  readonly broker: { readonly host: string; readonly port: number } | null
  readonly links: readonly MqttConfig[]
  /** The control socket, or null for the usual place. */
  readonly controlSocket: string | null
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

export interface MqttConfig {
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

/** Reads and checks a config file whole. @throws FleetstepError `config-invalid` with file, place and what to do */
export function loadConfig(file: string): GatewayConfig {
  return parseConfig(readConfigFile(file), file)
}

/** @param file names the place in errors; file names in the config are relative to its folder */
export function parseConfig(text: string, file: string): GatewayConfig {
  const document = parseDocument(text)
  const [error] = document.errors
  if (error !== undefined) throw invalid(file, error.message.split('\n')[0] ?? 'it is not YAML')
  const parsed = v.safeParse(CONFIG, document.toJS({ maxAliasCount: 0 }))
  if (!parsed.success) throw invalid(file, describeIssue(parsed.issues[0]))
  return absolute(parsed.output, dirname(resolve(file)))
}

const NAME = v.pipe(v.string(), v.regex(/^[A-Za-z0-9._~-]{1,64}$/, 'a name has 1 to 64 of A-Z a-z 0-9 . _ ~ -'))
const FILE = v.pipe(v.string(), v.nonEmpty('a file name is not empty'))
const PORT = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535))

const MEMBER = v.strictObject({
  node: v.custom<NodeId>(isNodeId, 'a node id has 16 hexadecimal digits in quotes: print it with fleetstep node id'),
  tier: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(TIER_MAX)), 0),
})

const MQTT = v.strictObject({
  kind: v.literal('mqtt'),
  name: v.optional(NAME, 'mqtt'),
  servers: v.pipe(
    v.array(v.pipe(v.string(), v.regex(/^mqtts?:\/\/./, 'a server is mqtt://host:port or mqtts://host:port'))),
    v.minLength(1),
    v.maxLength(16),
  ),
  username: v.optional(v.nullable(v.string()), null),
  passwordFile: v.optional(v.nullable(FILE), null),
  caFile: v.optional(v.nullable(FILE), null),
  certificateFile: v.optional(v.nullable(FILE), null),
  keyFile: v.optional(v.nullable(FILE), null),
})

const CONFIG = v.strictObject({
  fleet: v.strictObject({
    name: NAME,
    members: v.optional(v.nullable(v.pipe(v.array(MEMBER), v.minLength(1), v.maxLength(MEMBERS_MAX))), null),
  }),
  device: v.optional(v.nullable(NAME), null),
  label: v.optional(v.pipe(v.string(), v.maxLength(64)), ''),
  dataDirectory: FILE,
  profile: v.optional(v.nullable(FILE), null),
  broker: v.optional(
    v.nullable(v.strictObject({ host: v.optional(v.string(), '127.0.0.1'), port: v.optional(PORT, 1883) })),
    null,
  ),
  links: v.optional(v.pipe(v.array(MQTT), v.maxLength(8)), []),
  controlSocket: v.optional(v.nullable(FILE), null),
  logLevel: v.optional(v.picklist(['debug', 'info', 'warn', 'error']), 'info'),
})

function readConfigFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const problem = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    throw new FleetstepError(
      'config-invalid',
      `cannot read the config ${file}: ${problem}; fleetstep config prints an example`,
      { cause },
    )
  }
}

function describeIssue(issue: v.BaseIssue<unknown>): string {
  const place = v.getDotPath(issue)
  return place === null ? issue.message : `${place}: ${issue.message}`
}

function invalid(file: string, problem: string): FleetstepError {
  return new FleetstepError('config-invalid', `${file}: ${problem}`)
}

function absolute(config: v.InferOutput<typeof CONFIG>, folder: string): GatewayConfig {
  const at = (file: string | null): string | null => (file === null ? null : resolve(folder, file))
  return {
    ...config,
    dataDirectory: resolve(folder, config.dataDirectory),
    profile: config.profile !== null && /\.ya?ml$/.test(config.profile) ? at(config.profile) : config.profile,
    controlSocket: at(config.controlSocket),
    links: config.links.map((link) => ({
      ...link,
      passwordFile: at(link.passwordFile),
      caFile: at(link.caFile),
      certificateFile: at(link.certificateFile),
      keyFile: at(link.keyFile),
    })),
  }
}
