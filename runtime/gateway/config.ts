import { dirname, resolve } from 'node:path'
// yaml: the maintained YAML 1.2 parser whose nodes know their place in the text, so that an error names line and column; ISC.
import { type Document, isNode, LineCounter, parseDocument } from 'yaml'
import { FleetstepError } from '../base/errors.ts'
import { CONFIG_BYTES_MAX } from '../base/limits.ts'
import { type ConfigProblem, type ConfigSettings, checkSettings, type MqttSettings } from './config-schema.ts'
import { readProblem, readText } from './read-text.ts'

/** What one gateway is told by its operator. All file names are absolute. */
export type GatewayConfig = ConfigSettings

/** Reads and checks a config file whole. @throws FleetstepError `config-invalid` with file, line, column and what to do */
export function loadConfig(file: string): GatewayConfig {
  return parseConfig(readConfigFile(file), file)
}

/** @param file names the place in errors; file names in the config are relative to its folder */
export function parseConfig(text: string, file: string): GatewayConfig {
  const lines = new LineCounter()
  const { document, data } = readYaml(text, file, lines)
  const settings = checkSettings(data)
  if (!('problem' in settings)) return absolute(settings, dirname(resolve(file)))
  const { line, col } = lines.linePos(offsetOf(document, settings))
  const place = settings.path.length === 0 ? '' : `${settings.path.join('.')} `
  throw invalid(`${file}:${line}:${col}: ${place}${settings.problem}`)
}

function readYaml(text: string, file: string, lines: LineCounter): { document: Document.Parsed; data: unknown } {
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true })
    const [error] = document.errors
    if (error === undefined) return { document, data: document.toJS({ maxAliasCount: ALIASES_MAX }) }
    const { line, col } = lines.linePos(error.pos[0])
    throw invalid(`${file}:${line}:${col}: ${error.message}`)
  } catch (cause) {
    if (cause instanceof FleetstepError) throw cause
    // The library throws for an alias that unfolds without end, and for text that is nested too deep for the stack.
    throw invalid(`${file}: cannot be read as YAML: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  }
}

/** Uses of anchors in one config; the library counts what they unfold to. */
const ALIASES_MAX = 100

/** Where the text says what is wrong, or the nearest group that it would belong to. */
function offsetOf(document: Document.Parsed, { path }: ConfigProblem): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return 0
}

function readConfigFile(file: string): string {
  try {
    return readText(file, CONFIG_BYTES_MAX)
  } catch (cause) {
    throw invalid(`cannot read the config ${file}: ${readProblem(cause)}; fleetstep config prints an example`, cause)
  }
}

function invalid(message: string, cause?: unknown): FleetstepError {
  return new FleetstepError('config-invalid', message, { cause })
}

function absolute(config: ConfigSettings, folder: string): GatewayConfig {
  const at = (file: string | null): string | null => (file === null ? null : resolve(folder, file))
  return {
    ...config,
    fleet: fleetAt(config.fleet, folder),
    dataDirectory: resolve(folder, config.dataDirectory),
    profile: config.profile === null ? null : profileAt(config.profile, folder),
    controlSocket: at(config.controlSocket),
    links: config.links.map((link) => {
      if (link.kind === 'mqtt') return { ...link, ...secretsAt(link, at) }
      return link.kind === 'peers' ? { ...link, ...certificatesAt(link, at) } : link
    }),
    mirror: config.mirror === null ? null : { ...config.mirror, ...secretsAt(config.mirror, at) },
  }
}

function fleetAt(fleet: ConfigSettings['fleet'], folder: string): ConfigSettings['fleet'] {
  if (fleet.seed !== null) return { ...fleet, seed: resolve(folder, fleet.seed) }
  const members = fleet.members?.map((member) =>
    member.profile === undefined ? member : { ...member, profile: profileAt(member.profile, folder) },
  )
  return { ...fleet, members: members ?? null }
}

/** A file, or the name of a shipped one. */
function profileAt(name: string, folder: string): string {
  return /\.ya?ml$/.test(name) ? resolve(folder, name) : name
}

type CertificateNames = Pick<MqttSettings, 'caFile' | 'certificateFile' | 'keyFile'>
type SecretNames = CertificateNames & Pick<MqttSettings, 'passwordFile'>
type Place = (file: string | null) => string | null

function secretsAt(names: SecretNames, at: Place): SecretNames {
  return { passwordFile: at(names.passwordFile), ...certificatesAt(names, at) }
}

function certificatesAt({ caFile, certificateFile, keyFile }: CertificateNames, at: Place): CertificateNames {
  return { caFile: at(caFile), certificateFile: at(certificateFile), keyFile: at(keyFile) }
}
