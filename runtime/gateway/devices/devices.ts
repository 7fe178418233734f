import type { Clock } from '../../base/clock.ts'
import { LINK_WATCH_INTERVAL_MS, OUTPUT_END_TIMEOUT_MS } from '../../base/limits.ts'
import type { Logger } from '../../base/logger.ts'
import { bindAll, boundTo, byPort } from '../../device/drivers/bound.ts'
import type { DeviceDriver, DriverEvents, Health } from '../../device/drivers/driver.ts'
import { GpioDriver } from '../../device/gpio/gpio-driver.ts'
import type { HeldWrite, PinBackend } from '../../device/gpio/pin.ts'
import { LineDriver } from '../../device/instruments/line-driver.ts'
import { ModbusDriver, type ModbusDriverOptions } from '../../device/instruments/modbus-driver.ts'
import { Output, type OutputPast } from '../../device/outputs/output.ts'
import type { OutputRules } from '../../device/outputs/rules.ts'
import { healthPath, pointPath, reportedPath } from '../../device/profiles/points.ts'
import type { DeviceProfile, DeviceResource } from '../../device/profiles/profile.ts'
import { checkSet } from '../../device/profiles/value-check.ts'
import type { Value } from '../../state/value.ts'
import type { Gateway } from '../gateway.ts'
import { setBias } from './bias.ts'
import type { InstrumentPorts, PortNames } from './instrument-ports.ts'
import { OutputGuard } from './output-guard.ts'
import { safeWords } from './safe-outputs.ts'
import { StateReports } from './state-reports.ts'

export interface DevicesOptions {
  readonly gateway: Gateway
  readonly ports: Pick<InstrumentPorts, 'open' | 'openModbus'>
  /** What makes outputs on instruments safe when this process is gone, with the words of `safeWords` behind it; null: nothing. */
  readonly guardProgram?: readonly string[] | null
  readonly portNames?: PortNames
  /** Loaded when the profile has GPIO. */
  readonly openPins: () => Promise<PinBackend>
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * The devices below a gateway, as its profile says: what drivers read goes into the state, and what the state wants goes to
 * the outputs. It may be stopped and started again with another profile.
 */
export class Devices {
  readonly #options: DevicesOptions
  #running: Running | null = null
  /** It stands through a change of the profile too: the outputs stay as they are meanwhile. */
  #guard: OutputGuard | null = null

  constructor(options: DevicesOptions) {
    this.#options = options
  }

  /**
   * Takes the place of the profile before. An output that both have stays as it is; one that the new one has not, or has
   * elsewhere, becomes safe.
   * @param profile has passed the checks of `loadProfile`
   */
  async use(profile: DeviceProfile): Promise<void> {
    const before = this.#running
    this.#running = null
    const kept = before?.leave(profile) ?? new Map<string, LeftOutput>()
    for (const name of (await before?.stop()) ?? []) {
      this.#options.logger.warn(
        `${name} did not take its safe value where the profile before had it, and nobody sets it there any more: see to it`,
      )
    }
    this.#guard ??= new OutputGuard(this.#options)
    this.#running = new Running(this.#options, profile, this.#guard, kept)
  }

  /** Sets outputs to their safe values and lets go of pins and ports. Where a device does not take its value, the guard tries on. */
  async stop(): Promise<void> {
    const running = this.#running
    this.#running = null
    const unsafe = (await running?.stop()) ?? []
    const guard = this.#guard
    this.#guard = null
    if (unsafe.length === 0) await guard?.disarm()
    else guard?.takeOver()
  }
}

interface RunningOutput {
  readonly resource: DeviceResource
  readonly rules: OutputRules
  readonly output: Output
}

/** An output that another profile goes on with. */
interface LeftOutput {
  readonly past: OutputPast
  /** What made it safe until now, for the time in which its line is not open. */
  readonly held: HeldWrite | null
}

type AnyBound = ReturnType<typeof bindAll>[number]

/** All that one profile brings along. */
class Running {
  readonly #options: DevicesOptions
  readonly #reports: StateReports
  readonly #resources: ReadonlyMap<string, DeviceResource>
  readonly #drivers: DeviceDriver[] = []
  readonly #outputs = new Map<string, RunningOutput>()
  readonly #guard: OutputGuard
  /** What makes the outputs on instruments safe, or null if there are none. */
  readonly #guardProgram: readonly string[] | null
  readonly #gpio: GpioDriver | null
  readonly #unwatch: (() => void)[] = []
  #cancelLinks: () => void = () => undefined
  /** Outputs that stay as they are when this ends. */
  #left: ReadonlyMap<string, LeftOutput> = new Map()
  /** What makes outputs safe whose lines this profile has not opened yet, as the one before has left them. */
  readonly #heldBefore: Map<string, HeldWrite | null>
  #isStopped = false

  /** @param kept outputs that the profile before has left as they were */
  constructor(
    options: DevicesOptions,
    profile: DeviceProfile,
    guard: OutputGuard,
    kept: ReadonlyMap<string, LeftOutput>,
  ) {
    this.#options = options
    this.#heldBefore = new Map([...kept].map(([name, { held }]) => [name, held]))
    const { gateway, clock, logger } = options
    this.#reports = new StateReports(gateway.state, clock, logger)
    this.#resources = new Map(profile.deviceResources.map((resource) => [resource.name, resource]))
    this.#guard = guard
    this.#guardProgram = guardProgramFor(profile, options)
    const bound = bindAll(profile)
    this.#gpio = this.#startGpio(boundTo(bound, 'gpio'))
    this.#startInstruments(bound)
    for (const driver of this.#drivers) driver.start()
    if (this.#outputs.size > 0) this.#follow(kept)
    this.#armGuard()
  }

  /** Lets go of the outputs that are in `profile` as they are here. */
  leave(profile: DeviceProfile): ReadonlyMap<string, LeftOutput> {
    const wiringOf = ({ attributes, properties }: DeviceResource): string =>
      JSON.stringify([attributes, properties.valueType])
    const theirs = new Map(profile.deviceResources.map((resource) => [resource.name, resource]))
    const isSame = ({ resource }: RunningOutput): boolean => {
      const other = theirs.get(resource.name)
      return other !== undefined && wiringOf(other) === wiringOf(resource)
    }
    const same = [...this.#outputs].filter(([, running]) => isSame(running))
    this.#left = new Map(
      same.map(([name, { output }]) => [name, { past: output.leave(), held: this.#heldWriteOf(name) }]),
    )
    return this.#left
  }

  /** Outputs that were not left become safe. @returns those that are not */
  async stop(): Promise<readonly string[]> {
    for (const end of this.#unwatch) end()
    this.#cancelLinks()
    const unsafe = new Set([...this.#outputs.keys()].filter((name) => !this.#left.has(name)))
    const ending = [...unsafe].map(async (name) => {
      if ((await this.#outputs.get(name)?.output.end()) === true) unsafe.delete(name)
    })
    await this.#inTime(Promise.all(ending))
    this.#isStopped = true
    await Promise.all(this.#drivers.map((driver) => driver.close()))
    this.#reports.stop()
    return [...unsafe]
  }

  /** Instruments that do not answer may not keep the gateway from ending. */
  async #inTime(ending: Promise<unknown>): Promise<void> {
    const { clock } = this.#options
    await new Promise<void>((resolve, reject) => {
      const cancel = clock.schedule(clock.now() + OUTPUT_END_TIMEOUT_MS, resolve)
      ending.then(() => {
        cancel()
        resolve()
      }, reject)
    })
  }

  #startGpio(bindings: ReturnType<typeof boundTo<'gpio'>>): GpioDriver | null {
    if (bindings.length === 0) return null
    const { openPins, clock, logger } = this.#options
    const driver = new GpioDriver({ bindings, openBackend: openPins, setBias, clock, logger, events: this.#events() })
    this.#add(driver, bindings)
    return driver
  }

  #startInstruments(bound: readonly AnyBound[]): void {
    const { ports, clock } = this.#options
    const events = this.#events()
    for (const bindings of byPort(boundTo(bound, 'serial'))) {
      this.#add(
        new LineDriver({ bindings, openPort: (settings, told) => ports.open(settings, told), clock, events }),
        bindings,
      )
    }
    for (const bindings of byPort(boundTo(bound, 'modbus'))) {
      const settings = bindings[0].wiring
      const openMaster: ModbusDriverOptions['openMaster'] = async (onGone) => await ports.openModbus(settings, onGone)
      this.#add(new ModbusDriver({ bindings, openMaster, clock, events }), bindings)
    }
  }

  #add(driver: DeviceDriver, bindings: readonly AnyBound[]): void {
    this.#drivers.push(driver)
    for (const { resource, output: rules } of bindings) {
      if (rules !== null)
        this.#outputs.set(resource.name, { resource, rules, output: this.#outputOf(driver, resource, rules) })
    }
  }

  #outputOf(driver: DeviceDriver, resource: DeviceResource, rules: OutputRules): Output {
    const { clock, logger } = this.#options
    const { name } = resource
    return new Output({
      name,
      rules,
      clock,
      logger,
      write: (value, done) => driver.write(name, value, done),
      readBack: () => driver.readBack(name),
      onResult: (_value, problem) => {
        if (problem === null) this.#armGuard()
      },
    })
  }

  /** The lines that are open, or were before an edit of the profile, each with its first value; and all instruments. */
  #armGuard(): void {
    if (this.#isStopped) return
    const files = [...this.#outputs.keys()].flatMap((name) => this.#heldWriteOf(name) ?? [])
    this.#guard.arm({ files, program: this.#guardProgram })
  }

  #heldWriteOf(name: string): HeldWrite | null {
    const safeValue = this.#outputs.get(name)?.rules.safeValue
    const held = typeof safeValue === 'boolean' ? (this.#gpio?.hold(name, safeValue) ?? null) : null
    if (held !== null) this.#heldBefore.delete(name)
    return held ?? this.#heldBefore.get(name) ?? null
  }

  #follow(kept: ReadonlyMap<string, LeftOutput>): void {
    const { gateway } = this.#options
    const byPath = new Map<string, RunningOutput>()
    for (const [name, running] of this.#outputs) {
      const { resource, rules, output } = running
      const path = pointPath(gateway.device, resource)
      byPath.set(path, running)
      const read = (): Value | undefined =>
        rules.drive === 'settled' ? gateway.state.settled(path) : gateway.state.get(path)
      const past = kept.get(name)?.past
      const isAllowed = past?.value !== undefined && checkSet(resource, past.value) === null
      output.start(
        this.#allowed(resource, read()),
        past === undefined || isAllowed ? past : { ...past, value: undefined },
      )
    }
    for (const drive of ['tentative', 'settled'] as const) this.#watchState(drive, byPath)
    if ([...this.#outputs.values()].some(({ rules }) => rules.safeAfterMs !== null)) this.#watchLinks()
  }

  /** One watch for all: a gateway has a bounded number of them. */
  #watchState(drive: OutputRules['drive'], byPath: ReadonlyMap<string, RunningOutput>): void {
    const { gateway } = this.#options
    const end = gateway.state.watch(
      `${gateway.device}/*`,
      ({ path, after }) => {
        const running = byPath.get(path)
        if (running?.rules.drive === drive) running.output.want(this.#allowed(running.resource, after))
      },
      drive,
    )
    this.#unwatch.push(end)
  }

  /** The state may hold what another member let in: a device never gets what its profile forbids. */
  #allowed(resource: DeviceResource, value: Value | undefined): Value | undefined {
    if (value === undefined) return undefined
    const problem = checkSet(resource, value)
    if (problem === null) return value
    this.#options.logger.warn(`${resource.name} does not follow the state: the value ${problem}`)
    return undefined
  }

  #watchLinks(): void {
    const { gateway, clock } = this.#options
    const isAnyUp = gateway.links().some(({ state }) => state === 'up')
    for (const { output } of this.#outputs.values()) output.noteLinks(isAnyUp)
    this.#cancelLinks = clock.schedule(clock.now() + LINK_WATCH_INTERVAL_MS, () => this.#watchLinks())
  }

  #events(): DriverEvents {
    const { gateway, logger } = this.#options
    // A request that was under way at the end may fail long after it: what is true then, the next profile tells.
    const resourceOf = (name: string): DeviceResource | null =>
      this.#isStopped ? null : (this.#resources.get(name) ?? null)
    return {
      taken: (name) => {
        const resource = resourceOf(name)
        if (resource !== null && this.#reports.isTold(reportedPath(gateway.device, resource))) gateway.noteReading(name)
      },
      reading: (name, value) => {
        const resource = resourceOf(name)
        if (resource !== null) this.#reports.report(reportedPath(gateway.device, resource), value)
      },
      health: (name, health) => {
        const resource = resourceOf(name)
        if (resource === null) return
        if (health.state === 'down') logger.warn(`${name} is down: ${health.error}`)
        else logger.info(`${name} is up`)
        this.#reports.report(healthPath(gateway.device, resource), plain(health))
        const output = this.#outputs.get(name)?.output
        if (health.state === 'up') output?.renew()
        else if (health.isGone) output?.noteAway()
      },
    }
  }
}

function plain(health: Health): Value {
  return health.state === 'up' ? { state: 'up' } : { state: 'down', error: health.error }
}

function guardProgramFor(
  { deviceResources }: DeviceProfile,
  { guardProgram = null, portNames = {} }: DevicesOptions,
): readonly string[] | null {
  const words = guardProgram === null ? [] : safeWords(deviceResources, portNames)
  return guardProgram === null || words.length === 0 ? null : [...guardProgram, ...words]
}
