import * as v from 'valibot'

/** The mirror in JSON, for people and tools without CBOR. */
export interface MirrorSettings {
  /** Its own broker, or null for that of the first link over MQTT. */
  readonly servers: readonly string[] | null
  readonly username: string | null
  readonly passwordFile: string | null
  readonly caFile: string | null
  readonly certificateFile: string | null
  readonly keyFile: string | null
  /** Patterns of the points that are shown. */
  readonly paths: readonly string[]
  /** True: people may set whatever the profile lets them; false: nothing; or patterns. */
  readonly writes: boolean | readonly string[]
  readonly homeAssistant: boolean
}

type Text = v.GenericSchema<unknown, string>

/** @param servers the check of a link's servers; @param file that of a file name */
export function mirrorSchema(
  servers: v.GenericSchema<unknown, readonly string[]>,
  file: Text,
): v.GenericSchema<unknown, MirrorSettings> {
  const pattern = v.pipe(v.string(), v.nonEmpty(), v.maxLength(256))
  const patterns = v.pipe(v.array(pattern), v.maxLength(PATTERNS_MAX))
  const optionalFile = v.optional(v.nullable(file), null)
  return v.strictObject({
    servers: v.optional(v.nullable(servers), null),
    username: v.optional(v.nullable(v.string()), null),
    passwordFile: optionalFile,
    caFile: optionalFile,
    certificateFile: optionalFile,
    keyFile: optionalFile,
    paths: v.optional(patterns, ['**']),
    writes: v.optional(v.union([v.boolean(), patterns], 'writes is true, false or a list of patterns'), false),
    homeAssistant: v.optional(v.boolean(), false),
  })
}

const PATTERNS_MAX = 64
