/** What the setpoint of a device may be at most, whichever revision of its profile is in force. */
export const SETPOINT_MAX = 100

/** The line that the instrument of {@link INSTRUMENTED} says. */
export const INSTRUMENT_INTERVAL_S = 2

/** The gateway to which an instrument with a serial line is wired. */
export const INSTRUMENTED = 'gateway-10'

/** The output on that instrument: its point, the position that only a gateway on its own tells it, and the largest. */
export const VALVE: string = `${INSTRUMENTED}/valve`
export const VALVE_SAFE = 0
export const VALVE_MAX = 100

/**
 * The device of each gateway: what it measures of itself (telemetry), what people set within bounds, a counter, a point that
 * the gateway alone writes, a pump that the interlock is about, and of an instrument what it reads and the valve that it moves.
 * @param revision each one allows another span of the setpoint
 * @param instrument the terminal of a line instrument, or null
 */
export function deviceProfile(revision: number, instrument: string | null): string {
  const lines = [
    "apiVersion: '1'",
    'name: campaign-device',
    `description: Revision ${revision}.`,
    'deviceResources:',
    ...resource('load', 'Float32', 'R', 'owner: reported, persist: volatile, interval: 5s, onChangeThreshold: 0.2', {
      attributes: 'driver: system, source: load1',
    }),
    ...resource('setpoint', 'Float64', 'RW', 'owner: desired, merge: set, persist: always', {
      bounds: [0, SETPOINT_MAX - (revision % 10)],
    }),
    ...resource('starts', 'Uint32', 'RW', 'merge: counter, persist: always'),
    ...resource('serial', 'String', 'RW', 'owner: reported, merge: set, persist: batched, maxLength: 64'),
    ...resource('pump', 'Bool', 'RW', 'owner: desired, merge: set, persist: always, safeValue: false'),
    ...(instrument === null
      ? []
      : resource('probe', 'Float32', 'R', `owner: reported, persist: volatile, interval: ${INSTRUMENT_INTERVAL_S}s`, {
          attributes: `driver: serial, port: ${instrument}, response: 'T=([0-9.]+)'`,
        })),
    ...(instrument === null
      ? []
      : resource('valve', 'Uint8', 'W', `owner: desired, merge: set, persist: always, safeValue: ${VALVE_SAFE}`, {
          attributes: `driver: serial, port: ${instrument}, command: "V{value}\\n", confirmation: OK`,
          bounds: [VALVE_SAFE, VALVE_MAX],
        })),
  ]
  return `${lines.join('\n')}\n`
}

function resource(
  name: string,
  valueType: string,
  readWrite: 'R' | 'W' | 'RW',
  optional: string,
  { attributes, bounds }: { readonly attributes?: string; readonly bounds?: readonly [number, number] } = {},
): string[] {
  return [
    `  - name: ${name}`,
    ...(attributes === undefined ? [] : [`    attributes: { ${attributes} }`]),
    '    properties:',
    `      valueType: ${valueType}`,
    `      readWrite: ${readWrite}`,
    ...(bounds === undefined ? [] : [`      minimum: ${bounds[0]}`, `      maximum: ${bounds[1]}`]),
    `      optional: { ${optional} }`,
  ]
}
