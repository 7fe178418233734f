import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Clock } from '../../runtime/base/clock.ts'
import { makeSafe, safeWords } from '../../runtime/gateway/devices/safe-outputs.ts'
import { realClock } from '../links/clocks.ts'
import { profileOf } from './device-rig.ts'

/** Waits are a hundred times shorter. */
const hurried: Clock = {
  now: () => realClock.now(),
  schedule: (at, callback) => realClock.schedule(realClock.now() + (at - realClock.now()) / 100, callback),
}

// What it writes is shown with a daemon that was killed, in test/cli/output-guard.process.test.ts.
describe('what the guard of outputs is told', () => {
  const { deviceResources } = profileOf(
    ['relay', 'driver: gpio, line: 17', 'valueType: Bool, readWrite: RW, optional: { safeValue: false }'],
    ['lamp', 'driver: serial, port: panel, command: "L{value}"', 'valueType: Bool, readWrite: W'],
    [
      'valve',
      'driver: serial, port: panel, command: "V{value}", request: "?", response: "([0-9]+)"',
      'valueType: Int64, readWrite: RW, maximum: 9007199254740993, optional: { safeValue: 9007199254740993 }',
    ],
    [
      'level',
      'driver: modbus, port: bus, primaryTable: INPUT_REGISTERS, startingAddress: 1',
      'valueType: Uint16, readWrite: R',
    ],
  )

  it('is each output on an instrument that has a safe value, with the port that the config names', () => {
    const words = safeWords(deviceResources, { panel: '/dev/panel' })
    assert.equal(words.length, 1)
    assert.match(words[0] ?? '', /name: valve[^]*port: \/dev\/panel[^]*safeValue: 9007199254740993\n/)
  })

  it('is tried some times, and what could not be made safe is named with the reason', async () => {
    const words = safeWords(deviceResources, { panel: '/dev/fleetstep-is-not-there' })
    const outcomes = await makeSafe(words, hurried)
    assert.match(outcomes.get('valve') ?? '', /fleetstep-is-not-there/)
  })
})
