import { EXIT_CODES } from '../base/errors.ts'
import { BUG_EXIT_CODE } from './failure.ts'

/** What it is, and the first steps of a newcomer. */
export const beforeHelp = `Fleetstep keeps one device-state object in step across a fleet of gateways, over MQTT
and serial lines, offline-first: each gateway changes it at once, and all come to the same state.

First steps:
  fleetstep config > gateway.yaml             an example config for this machine; read it, change it
  fleetstep run --config gateway.yaml         the gateway, until Ctrl-C
  fleetstep state set lamp true               from a second terminal; then: fleetstep state get
`

/** Exit codes, and where to read more. */
export function afterHelp(): string {
  return `
Each command explains itself: fleetstep state --help, fleetstep state patch --help
A command that fails prints one line: what, where, what to do. FLEETSTEP_DEBUG=1 adds the stack of a bug.

Exit codes:
${exitCodeLines().join('\n')}

Documentation: README.md of the package; the words of the protocol: runtime/sync/README.md of the sources`
}

function exitCodeLines(): string[] {
  const codes = new Map<number, string[]>([[0, ['it worked']]])
  for (const [name, number] of Object.entries(EXIT_CODES)) codes.set(number, [...(codes.get(number) ?? []), name])
  codes.set(BUG_EXIT_CODE, ['a bug in Fleetstep'])
  return [...codes].map(([number, names]) => `  ${String(number).padStart(2)}  ${names.join(', ')}`)
}
