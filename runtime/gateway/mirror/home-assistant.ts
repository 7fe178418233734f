import * as v from 'valibot'
import { pointPath, reportedPath } from '../../device/profiles/points.ts'
import type { DeviceProfile, DeviceResource } from '../../device/profiles/profile.ts'
import { isNumberType, isReadable, isWritable, numberRange } from '../../state/rules/value-type.ts'
import type { Path } from '../../state/path.ts'
import { type MirrorTopics, topicOfPath } from './mirror-topics.ts'

/** A component of Home Assistant: `p` is its platform, the rest depends on it; with nothing else it is taken away. */
type Component = Readonly<Record<string, unknown>>

/** By the name of the resource. */
export type Components = Readonly<Record<string, Component>>

export interface DiscoverySource {
  readonly node: string
  readonly device: string
  readonly profile: DeviceProfile
  readonly topics: MirrorTopics
  readonly version: string
  /** Whether the mirror publishes the point. */
  isShown(path: Path): boolean
  mayWrite(path: Path): boolean
}

/** The message; what Home Assistant calls its fields. */
export interface Discovery {
  readonly dev: object
  readonly o: object
  readonly avty: readonly object[]
  readonly cmps: Components
}

/**
 * The device discovery of Home Assistant's MQTT integration: one message with a component for each point of the profile
 * that is a switch, a number, a text or a choice. What people set and a device has is shown as the device has it.
 * @param before what was described last: a component that is there no more must be named to be taken away
 */
export function discoveryOf(source: DiscoverySource, before: Components): Discovery {
  const { node, device, profile, topics, version } = source
  const components = profile.deviceResources.flatMap((resource) => {
    const component = componentOf(resource, source)
    return component === null ? [] : [[resource.name, component] as const]
  })
  const names = new Set(components.map(([name]) => name))
  const gone = Object.entries(before).flatMap(([name, { p }]) => (names.has(name) ? [] : [[name, { p }] as const]))
  return {
    dev: {
      ids: [node],
      name: device,
      ...(profile.manufacturer !== undefined && { mf: profile.manufacturer }),
      ...(profile.model !== undefined && { mdl: profile.model }),
    },
    o: { name: ORIGIN, sw: version },
    // A list, as components have one: Home Assistant adds what they do not name themselves, and refuses both forms together.
    avty: [{ t: topics.availability }],
    cmps: Object.fromEntries([...components, ...gone]),
  }
}

/** What was described `before` under another platform than in `now`, as what is to be taken away. */
export function replacedIn(before: Components, now: Components): Components {
  const replaced = Object.entries(before).filter(([name, { p }]) => name in now && now[name]?.['p'] !== p)
  return Object.fromEntries(replaced.map(([name, { p }]) => [name, { p }]))
}

/**
 * What a mirror described in `payload`, by its retained discovery, of what is still to be taken away once it is gone; null if it is
 * not of a mirror.
 */
export function describedIn(payload: Buffer): Components | null {
  const read = v.safeParse(DESCRIBED, payload.toString('utf8'))
  if (!read.success) return null
  const there = Object.entries(read.output.cmps).filter(([, component]) => Object.keys(component).length > 1)
  return Object.fromEntries(there.map(([name, { p }]) => [name, { p }]))
}

const ORIGIN = 'fleetstep'
const PLATFORMS = ['binary_sensor', 'number', 'select', 'sensor', 'switch', 'text'] as const
const DESCRIBED = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({
    o: v.object({ name: v.literal(ORIGIN) }),
    cmps: v.record(v.string(), v.looseObject({ p: v.picklist(PLATFORMS) })),
  }),
)

function componentOf(resource: DeviceResource, source: DiscoverySource): Component | null {
  if (resource.isHidden || !isReadable(resource.properties.readWrite)) return null
  const path = pointPath(source.device, resource) as Path
  const reported = reportedPath(source.device, resource) as Path
  if (!source.isShown(reported)) return null
  const common = {
    name: resource.name,
    uniq_id: `${source.node}_${resource.name}`,
    stat_t: source.topics.leaves + topicOfPath(reported),
    ...qualityOf(resource, source),
  }
  const isSet = isWritable(resource.properties.readWrite) && source.mayWrite(path)
  return isSet
    ? settable(resource, { ...common, cmd_t: source.topics.wishes + topicOfPath(path) })
    : readable(resource, common)
}

/**
 * What is read is there while the gateway is and the value is good: an old one would look like any other. What can be set is there
 * unless its device is down, so that it can be set before it was read for the first time.
 */
function qualityOf(resource: DeviceResource, source: DiscoverySource): Component {
  const { device, topics } = source
  const { attributes, properties } = resource
  if (attributes['driver'] === undefined) return {}
  const reported = reportedPath(device, resource) as Path
  const topic = topics.qualities + topicOfPath(reported)
  const isSet = isWritable(properties.readWrite)
  const condition = isSet ? "value_json.quality not in ['bad', 'stale']" : "value_json.quality == 'good'"
  const ofQuality = { t: topic, val_tpl: `{{ 'online' if ${condition} else 'offline' }}` }
  return { avty: [{ t: topics.availability }, ofQuality], avty_mode: 'all', json_attr_t: topic }
}

function readable({ properties }: DeviceResource, common: Component): Component | null {
  if (properties.valueType === 'Bool') return { p: 'binary_sensor', ...common, pl_on: 'true', pl_off: 'false' }
  if (isNumberType(properties.valueType))
    return { p: 'sensor', ...common, ...unitOf(properties.units), ...measuredAs(properties) }
  return properties.valueType === 'String' ? { p: 'sensor', ...common, val_tpl: '{{ value_json }}' } : null
}

function settable({ properties }: DeviceResource, common: Component): Component | null {
  const { valueType, minimum, maximum, units, optional } = properties
  if (valueType === 'Bool') return { p: 'switch', ...common, pl_on: 'true', pl_off: 'false' }
  if (isNumberType(valueType) && optional.enum !== undefined) {
    return { p: 'select', ...common, cmd_tpl: '{{ value }}', ops: optional.enum.map(String) }
  }
  if (isNumberType(valueType)) {
    const range = numberRange(valueType)
    const min = Number(minimum ?? range.minimum)
    const max = Number(maximum ?? range.maximum)
    return { p: 'number', ...common, ...unitOf(units), mode: 'box', min, max, step: range.whole ? 1 : 0.001 }
  }
  if (valueType !== 'String') return null
  const asJson = { val_tpl: '{{ value_json }}', cmd_tpl: '{{ value | tojson }}' }
  if (optional.enum !== undefined) return { p: 'select', ...common, ...asJson, ops: optional.enum.map(String) }
  return { p: 'text', ...common, ...asJson, max: Math.min(optional.maxLength ?? TEXT_MAX, TEXT_MAX) }
}

/** What is measured is drawn as a curve; a counter that people add to is not measured. */
function measuredAs({ optional }: DeviceResource['properties']): Component {
  return optional.merge === 'counter' ? {} : { stat_cla: 'measurement' }
}

/** Characters that a text of Home Assistant may have. */
const TEXT_MAX = 255

function unitOf(units: string | undefined): Component {
  if (units === undefined || units === '1') return {}
  return { unit_of_meas: UNITS.get(units) ?? units }
}

/** UCUM codes of profiles whose name differs in Home Assistant. */
const UNITS: ReadonlyMap<string, string> = new Map([
  ['Cel', '°C'],
  ['[degF]', '°F'],
  ['kW.h', 'kWh'],
  ['W.h', 'Wh'],
  ['MiBy', 'MiB'],
  ['GiBy', 'GiB'],
  ['kBy', 'kB'],
  ['By', 'B'],
  ['m3/h', 'm³/h'],
  ['m3', 'm³'],
])
