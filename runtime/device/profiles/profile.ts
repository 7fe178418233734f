import type { CborData } from '../../base/cbor.ts'
import type { NodeId } from '../../base/ids.ts'
import type { Access, ValueType } from '../../state/rules/value-type.ts'

/*
 * The vocabulary of a device profile: a subset of the EdgeX Foundry device profile, version 3, in its own words, with
 * our additions under `properties.optional`, so that a reader of EdgeX profiles still loads the file.
 * Source: EdgeX documentation, "Device Profile" of core metadata. Ranges are ours: they hold for readings too.
 */

/** One type of device, as its YAML file says it, with the defaults filled in. */
export interface DeviceProfile {
  /** Version of this vocabulary. */
  readonly apiVersion: '1'
  readonly name: string
  readonly description?: string
  readonly manufacturer?: string
  readonly model?: string
  readonly labels: readonly string[]
  readonly deviceResources: readonly DeviceResource[]
  readonly deviceCommands: readonly DeviceCommand[]
  readonly optional?: ProfileOptional
}

/** What EdgeX has no word for, of the device as a whole. */
export interface ProfileOptional {
  /**
   * The tier of the gateway that has the device, from 0 to 255: of two changes of one point, neither of which had seen the other,
   * that of the higher one stands. What admits the gateway to its fleet is the ceiling.
   */
  readonly tier?: number
}

/** One point: a value that is read, set, or both. */
export interface DeviceResource {
  readonly name: string
  readonly description?: string
  readonly isHidden: boolean
  readonly tags: Attributes
  /** Binds the point to hardware; `driver` says which driver understands the rest. Without one it only lives in state. */
  readonly attributes: Attributes
  readonly properties: ResourceProperties
}

export type Attributes = Readonly<Record<string, CborData>>

export interface ResourceProperties {
  readonly valueType: ValueType
  readonly readWrite: Access
  /** Preferably a UCUM code such as `Cel`, `L/min`, `%`. */
  readonly units?: string
  readonly minimum?: number | bigint
  readonly maximum?: number | bigint
  /** As text, in the form of {@link parseValue}. */
  readonly defaultValue?: string
  /** As text: the reading of a healthy device. */
  readonly assertion?: string
  readonly base?: number
  readonly scale?: number
  readonly offset?: number
  readonly mask?: number | bigint
  readonly shift?: number
  readonly mediaType?: string
  readonly optional: OptionalProperties
}

/** What EdgeX has no word for. */
export interface OptionalProperties {
  /** How concurrent changes meet: the later of two sets, a sum, or a list that grows. */
  readonly merge?: 'set' | 'counter' | 'append'
  /** How soon a change is on the card: at once, gathered, or never. */
  readonly persist?: 'always' | 'batched' | 'volatile'
  /** Smallest change, in the unit of the point, that is worth a report. */
  readonly onChangeThreshold?: number
  /** Time between two readings, as `500ms`, `10s`, `5m`, `1h`. */
  readonly interval?: string
  readonly enum?: readonly (string | number | bigint)[]
  /** Regular expression that the whole text matches. */
  readonly pattern?: string
  /** Characters of a text, bytes of a binary, elements of an array. */
  readonly maxLength?: number
  /**
   * Who may write it: whoever wishes (`desired`), only the gateway that has the device (`reported`), or one node by its id.
   * What can only be read is its device's in any case.
   */
  readonly owner?: 'desired' | 'reported' | NodeId
  /** What an output takes at start, at shutdown, and when nobody is in charge of it (`safeAfter`). */
  readonly safeValue?: CborData
  /** What must happen on the device before a new value takes effect. */
  readonly requires?: 'reboot' | 'restart' | 'none'
}

/** Several points that are read or set together. */
export interface DeviceCommand {
  readonly name: string
  readonly isHidden: boolean
  readonly readWrite: Access
  readonly resourceOperations: readonly ResourceOperation[]
}

export interface ResourceOperation {
  readonly deviceResource: string
  readonly defaultValue?: string
  readonly mappings: Readonly<Record<string, string>>
}
