import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { silentLogger } from '../../runtime/base/logger.ts'
import type { InstrumentPorts } from '../../runtime/gateway/devices/instrument-ports.ts'
import { OutputGuard } from '../../runtime/gateway/devices/output-guard.ts'
import { drivenClock } from '../device/driven-clock.ts'
import { until } from '../links/clocks.ts'
import { bundleProcess } from '../support/bundle-process.ts'
import { profileOf, startDevices } from './device-rig.ts'
import { openAlone } from './fleet.ts'

const PATIENCE_MS = 60_000

const SIGTERM_BIT = 1n << BigInt(constants.signals.SIGTERM - 1)

// What it does when its daemon is killed is shown with a daemon, in test/cli/gpio.process.test.ts.
describe('the guard of outputs', () => {
  it('writes nothing when it is told that all is done, nor when another one takes its place', async (t) => {
    const { guard, file } = rigOf(t)
    guard.arm({ files: [{ file, text: '0' }], program: null })
    await until(() => guardsOf(file).length === 1, 'it stands', PATIENCE_MS)
    guard.arm({ files: [{ file, text: 'safe' }], program: null })
    guard.arm({ files: [{ file, text: 'safe' }], program: null })
    await until(() => guardsOf(file).length === 1, 'one stands', PATIENCE_MS)
    await guard.disarm()
    assert.deepEqual(guardsOf(file), [])
    assert.equal(readFileSync(file, 'utf8'), '1')
  })

  it('is not ended by the signals of a service manager, and stands again after it was killed', async (t) => {
    const { guard, file, clock, said } = rigOf(t)
    guard.arm({ files: [{ file, text: '0' }], program: null })
    await until(() => guardsOf(file).length === 1, 'it stands', PATIENCE_MS)
    const [pid] = guardsOf(file)
    assert.ok(pid !== undefined)
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.kill(pid, signal)
    process.kill(pid, 'SIGKILL')
    await until(() => said.length > 0, 'it is told', PATIENCE_MS)
    assert.match(
      said.join(),
      /^the guard of the outputs is gone \(it ended with SIGKILL\): until it is back, a crash leaves/,
    )
    clock.advance(30_000)
    await until(() => guardsOf(file).length === 1, 'it stands again', PATIENCE_MS)
    await guard.disarm()
    assert.equal(readFileSync(file, 'utf8'), '1')
  })
})

describe('devices that get another profile', () => {
  it('are guarded all the while, and not any more when they end', async (t) => {
    const { file } = fileOf(t)
    const port = slowPort()
    const { devices } = startDevices(t, await openAlone(t, { device: 'plant' }), valveSafeAt(1), {
      ports: { open: port.open, openModbus: () => Promise.reject(new Error('this profile has no bus')) },
      guardProgram: ['/bin/true', file],
    })
    await until(() => guardsOf(file).length === 1, 'they are guarded', PATIENCE_MS)
    const changed = devices.use(valveSafeAt(2))
    await until(() => port.isClosing(), 'the profile before ends', PATIENCE_MS)
    assert.equal(guardsOf(file).length, 1)
    port.letGo()
    await changed
    await until(() => guardsOf(file).length === 1, 'one guard stands', PATIENCE_MS)
    await devices.stop()
    assert.deepEqual(guardsOf(file), [])
  })
})

describe('devices that do not take their safe values at the end', () => {
  it('are left to the guard, which tries again when their ports are free', async (t) => {
    const { file } = fileOf(t)
    const profile = profileOf([
      'valve',
      'driver: serial, port: panel, command: "V{value}", confirmation: "OK", timeoutMs: 50, retries: 0',
      'valueType: Uint8, readWrite: W, optional: { safeValue: 1 }',
    ])
    const { devices } = startDevices(t, await openAlone(t, { device: 'plant' }), profile, {
      ports: { open: deadPort, openModbus: () => Promise.reject(new Error('this profile has no bus')) },
      guardProgram: ['/bin/sh', '-c', `echo acted > ${file}`],
    })
    await until(() => guardsOf(file).length === 1, 'they are guarded', PATIENCE_MS)
    await devices.stop()
    await until(() => readFileSync(file, 'utf8') === 'acted\n', 'the guard acts', PATIENCE_MS)
    await until(() => guardsOf(file).length === 0, 'it is done', PATIENCE_MS)
  })
})

/** Somebody takes what is written, and never answers. */
const deadPort: InstrumentPorts['open'] = (_settings, events) => {
  void Promise.resolve().then(() => events.opened('panel'))
  return { write: () => undefined, close: () => Promise.resolve() }
}

function valveSafeAt(position: number): ReturnType<typeof profileOf> {
  return profileOf([
    'valve',
    'driver: serial, port: panel, command: "V{value}"',
    `valueType: Uint8, readWrite: W, optional: { safeValue: ${position} }`,
  ])
}

/** A port that takes long to close. */
function slowPort() {
  let isClosing = false
  let letGo: () => void = () => undefined
  const released = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const open: InstrumentPorts['open'] = (_settings, events) => {
    void Promise.resolve().then(() => events.opened('panel'))
    return {
      write: () => undefined,
      async close() {
        isClosing = true
        await released
      },
    }
  }
  return { open, isClosing: () => isClosing, letGo }
}

describe('a gateway that hangs', { skip: existsSync('/bin/bash') ? false : 'there is no bash' }, () => {
  for (const [way, hang] of [
    ['is stopped by a signal', (child: ChildProcess) => void child.kill('SIGSTOP')],
    ['never comes out of a loop', (child: ChildProcess) => void child.stdin?.write('hang\n')],
  ] as const) {
    it(`has its outputs made safe, and is killed so that it can be started anew, when it ${way}`, async (t) => {
      const { file } = fileOf(t)
      const program = await bundleProcess('test/support/guarded-process.ts', 'guarded-process')
      const child = spawn(process.execPath, [program, file], { stdio: ['pipe', 'pipe', 'pipe'] })
      t.after(() => child.kill('SIGKILL'))
      let output = ''
      let errors = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
      child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
      const ended = once(child, 'close')
      await until(() => output.includes('ready') && guardsOf(file).length === 1, 'it is guarded', PATIENCE_MS)
      hang(child)
      assert.deepEqual(await ended, [null, 'SIGKILL'])
      assert.equal(readFileSync(file, 'utf8'), 'safe')
      assert.equal(errors, 'fleetstep: the gateway hung and was killed: GPIO outputs at their safe values: 1 of 1\n')
    })
  }
})

function fileOf(t: TestContext): { file: string } {
  const folder = mkdtempSync(join(tmpdir(), 'fleetstep-guard-'))
  const file = join(folder, 'value')
  writeFileSync(file, '1')
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return { file }
}

function rigOf(t: TestContext) {
  const { file } = fileOf(t)
  const clock = drivenClock()
  const said: string[] = []
  const logger = { ...silentLogger, warn: (message: string) => void said.push(message) }
  // The clock is driven, so that no sign of life is given in time.
  const guard = new OutputGuard({ clock, logger, beatsMissed: 1_000_000 })
  t.after(async () => await guard.disarm())
  return { guard, file, clock, said }
}

/** Processes that would write to the file, once they stand: they do not heed SIGTERM then. */
function guardsOf(file: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const ignored = /^SigIgn:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0'
        const isStanding = (BigInt(`0x${ignored}`) & SIGTERM_BIT) !== 0n
        return isStanding && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(file)
      } catch {
        return false
      }
    })
}
