import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Gpio } from 'onoff'
import { listChips, resolveLine } from '../../runtime/device/gpio/chips.ts'
import { onoffPins } from '../../runtime/device/gpio/onoff-pin.ts'
import { sysfsPins } from '../../runtime/device/gpio/sysfs-pin.ts'
import { setBias } from '../../runtime/gateway/devices/bias.ts'
import { realClock, until } from '../links/clocks.ts'

/*
 * Runs in an emulated machine with simulated GPIO lines: two chips with the labels of a Raspberry Pi 3. `npm run
 * test:hardware` boots it; the other end of each line is gpio-sim's own files.
 */

/** An emulated machine on a loaded one starts a gateway in a minute. */
const PATIENCE_MS = 180_000

/** Edges that are waited for one by one. */
const EDGES = 200

const projectRoot = process.argv[2] ?? ''
const place = '/mnt'

const checks: readonly (readonly [name: string, check: () => Promise<void>])[] = [
  [
    'the resolver finds BCM 17 by the label, and a raw number is refused',
    async () => {
      const chips = listChips()
      console.log(
        `hardware: chips ${chips.map(({ label, base, lines }) => `${label} at ${base} (${lines})`).join(', ')}`,
      )
      const found = resolveLine('soc', 17)
      assert.equal(found.number, (chips.find(({ label }) => label === 'pinctrl-bcm2835')?.base ?? 0) + 17)
      assert.notEqual(found.number, 17)
      assert.throws(() => new Gpio(17, 'in'), /EINVAL/)
      assert.throws(() => resolveLine('soc', 54), /lines are 0 to 53/)
    },
  ],
  [
    'an output has its first value from the start, follows, and stays when it is let go',
    async () => {
      const pin = await (
        await onoffPins(realClock)
      ).openOutput({ chip: 'soc', line: 17, activeLow: false, initial: true })
      assert.equal(wire(17), true)
      pin.write(false)
      assert.deepEqual([wire(17), pin.read()], [false, false])
      pin.write(true)
      pin.close()
      assert.equal(wire(17), true)
    },
  ],
  [
    'an output that is active low drives its wire low for true, from the start on',
    async () => {
      const pin = await (
        await onoffPins(realClock)
      ).openOutput({ chip: 'soc', line: 18, activeLow: true, initial: true })
      assert.equal(wire(18), false)
      pin.write(false)
      assert.equal(wire(18), true)
      const held = pin.hold(true)
      assert.ok(held)
      writeFileSync(held.file, held.text)
      assert.deepEqual([wire(18), pin.read()], [false, true])
    },
  ],
  [
    `an input tells each of ${EDGES} edges that are waited for`,
    async () => {
      const heard: boolean[] = []
      const pin = await (await onoffPins(realClock)).openInput(input(27), { edge: (value) => heard.push(value) })
      await settle()
      for (let edge = 0; edge < EDGES; edge++) {
        pull(27, edge % 2 === 0)
        await until(() => heard.length === edge + 1, `edge ${edge}`, PATIENCE_MS)
      }
      assert.ok(heard.every((value, index) => value === (index % 2 === 0)))
      pin.close()
      pull(27, true)
      await settle()
      assert.equal(heard.length, EDGES)
    },
  ],
  [
    'an input tells only the edges that were asked for, inverted where it is active low',
    async () => {
      const rising: boolean[] = []
      const pins = await onoffPins(realClock)
      const pin = await pins.openInput(
        { ...input(22), edge: 'rising', activeLow: true },
        { edge: (value) => rising.push(value) },
      )
      assert.equal(pin.read(), true)
      await settle()
      for (const level of [true, false, true, false]) {
        pull(22, level)
        await settle()
      }
      assert.deepEqual(rising, [true, true])
      pin.close()
    },
  ],
  [
    'a contact that bounces is told once',
    async () => {
      const heard: boolean[] = []
      const pin = await (
        await onoffPins(realClock)
      ).openInput({ ...input(23), debounceMs: 100 }, { edge: (value) => heard.push(value) })
      await settle()
      for (let bounce = 0; bounce < 21; bounce++) pull(23, bounce % 2 === 0)
      await until(() => heard.length > 0, 'the contact rests', PATIENCE_MS)
      await settle()
      assert.deepEqual(heard, [true])
      pin.close()
    },
  ],
  [
    'the pull that a profile asks for is set, stays when the line is exported, and is what an open contact reads',
    async () => {
      for (const [bias, level] of [
        ['pull-up', true],
        ['pull-down', false],
        ['pull-up', true],
      ] as const) {
        assert.equal(await setBias('soc', 26, bias), null)
        const pin = await (await onoffPins(realClock)).openInput(input(26), { edge: () => undefined })
        assert.deepEqual([pulled(26), pin.read()], [bias, level])
        pin.close()
      }
      assert.equal(await setBias('raspberrypi-exp-gpio', 5, 'pull-up'), null, 'another chip, by its label')
      assert.equal(pulled(5, 'raspberrypi-exp-gpio'), 'pull-up')
      const pin = await (await onoffPins(realClock)).openInput(input(26), { edge: () => undefined })
      assert.match((await setBias('soc', 26, 'pull-down')) ?? '', /^gpioget failed \(.*busy.*\); add gpio=26=ip,pd to/i)
      pin.close()
    },
  ],
  [
    'the files of sysfs alone do the same',
    async () => {
      const pins = sysfsPins(realClock)
      const output = await pins.openOutput({ chip: 'raspberrypi-exp-gpio', line: 3, activeLow: true, initial: false })
      assert.equal(wire(3, 'raspberrypi-exp-gpio'), true)
      output.write(true)
      assert.equal(wire(3, 'raspberrypi-exp-gpio'), false)
      const heard: boolean[] = []
      const pin = await pins.openInput(input(24), { edge: (value) => heard.push(value) })
      pull(24, true)
      await until(() => heard.length === 1, 'the level', PATIENCE_MS)
      pin.close()
    },
  ],
  [
    'the command line sees what is there',
    async () => {
      const { status, stdout } = fleetstep('gpio', 'check', '--json')
      const found = JSON.parse(stdout) as { backend: string; warnings: unknown[] }
      assert.deepEqual([status, found.backend, found.warnings], [0, 'onoff', []])
      pull(25, true)
      assert.equal(fleetstep('gpio', 'read', '25').stdout, 'true\n')
    },
  ],
  [
    'a gateway drives a relay, reads a contact, and the relay is safe after kill -9',
    async () => {
      const daemon = startGateway()
      await until(() => daemon.output().includes('ready'), 'the gateway is ready', PATIENCE_MS)
      await until(() => wire(5), 'the relay is safe at the start: on', PATIENCE_MS)
      assert.equal(fleetstep('state', 'set', 'pump/valve', 'false').status, 0)
      await until(() => !wire(5), 'the relay follows', PATIENCE_MS)
      pull(6, true)
      await until(
        () => fleetstep('state', 'get', 'pump/door').stdout.includes('true'),
        'the contact is read',
        PATIENCE_MS,
      )
      daemon.child.kill('SIGKILL')
      await until(() => wire(5), 'the relay is safe', PATIENCE_MS)
    },
  ],
]

await main()

async function main(): Promise<void> {
  for (const [name, check] of checks) {
    const startedMs = performance.now()
    try {
      await check()
      console.log(`hardware: ok ${name} (${Math.round(performance.now() - startedMs)} ms)`)
    } catch (error) {
      console.log(
        `hardware: FAILED ${name}\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      )
      process.exit(1)
    }
  }
  console.log('hardware: all passed')
  process.exit(0)
}

function input(line: number) {
  return { chip: 'soc', line, activeLow: false, edge: 'both', debounceMs: 0 } as const
}

/** Level of a wire, as the other end sees it. */
function wire(line: number, label: string = 'pinctrl-bcm2835'): boolean {
  return readFileSync(join(simulated(line, label), 'value'), 'utf8').trim() === '1'
}

/** The pull of a line, as gpio-sim has it. */
function pulled(line: number, label: string = 'pinctrl-bcm2835'): string {
  return readFileSync(join(simulated(line, label), 'pull'), 'utf8').trim()
}

function pull(line: number, isHigh: boolean): void {
  writeFileSync(join(simulated(line, 'pinctrl-bcm2835'), 'pull'), isHigh ? 'pull-up' : 'pull-down')
}

/** gpio-sim shows the other end of each line below the device of its chip. */
function simulated(line: number, label: string): string {
  const platform = '/sys/devices/platform'
  for (const device of readdirSync(platform).filter((name) => name.startsWith('gpio-sim.'))) {
    for (const chip of readdirSync(join(platform, device)).filter((name) => /^gpiochip[0-9]+$/.test(name))) {
      const own = readdirSync(join(platform, device, 'gpio')).some(
        (name) => readFileSync(join(platform, device, 'gpio', name, 'label'), 'utf8').trim() === label,
      )
      if (own) return join(platform, device, chip, `sim_gpio${line}`)
    }
  }
  throw new Error(`there is no simulated chip ${label}`)
}

/** What is on its way arrives; the kernel tells edges only some time after a watch has begun. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 300))
}

function fleetstep(...words: readonly string[]): { status: number | null; stdout: string } {
  const cli = join(projectRoot, 'dist', 'cli.js')
  return spawnSync(process.execPath, [cli, ...words], { cwd: place, encoding: 'utf8' })
}

function startGateway(): { child: ChildProcess; output: () => string } {
  writeFileSync(
    join(place, 'pump.yaml'),
    `apiVersion: '1'
name: pump
deviceResources:
  - name: valve
    attributes: { driver: gpio, line: 5, dwell: '0ms' }
    properties: { valueType: Bool, readWrite: RW, optional: { safeValue: true } }
  - name: door
    attributes: { driver: gpio, line: 6, debounceMs: 20 }
    properties: { valueType: Bool, readWrite: R }
`,
  )
  writeFileSync(
    join(place, 'gateway.yaml'),
    'fleet: { name: test }\ndevice: pump\ndataDirectory: data\nprofile: pump.yaml\n',
  )
  const cli = join(projectRoot, 'dist', 'cli.js')
  const words = [cli, 'run', '--config', 'gateway.yaml', '--node-id', 'pump']
  const child = spawn(process.execPath, words, { cwd: place, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  return { child, output: () => output }
}
