import type { Logger } from '../base/logger.ts'
import type { DeviceProfile } from '../device/profiles/profile.ts'
import type { GatewayConfig } from './config.ts'
import type { Devices } from './devices/devices.ts'
import type { Gateway } from './gateway.ts'

/** The devices of the profile that is in force. What drives them is loaded for the first profile that has some. */
export class DevicesStart {
  readonly #gateway: Gateway
  readonly #config: Pick<GatewayConfig, 'gpio' | 'ports'>
  readonly #logger: Logger
  readonly #onFatal: (error: unknown) => void
  readonly #guardProgram: readonly string[] | null
  #devices: Devices | null = null
  #isClosed = false
  /** One change after the other: outputs are taken over, or made safe, before the next profile begins. */
  #work: Promise<void> = Promise.resolve()

  constructor(
    gateway: Gateway,
    config: Pick<GatewayConfig, 'gpio' | 'ports'>,
    logger: Logger,
    onFatal: (error: unknown) => void,
    guardProgram: readonly string[] | null,
  ) {
    this.#gateway = gateway
    this.#config = config
    this.#logger = logger
    this.#onFatal = onFatal
    this.#guardProgram = guardProgram
  }

  use(profile: DeviceProfile): void {
    this.#work = this.#work.then(() => this.#use(profile)).catch(this.#onFatal)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#work
    await this.#devices?.stop()
  }

  async #use(profile: DeviceProfile): Promise<void> {
    if (this.#isClosed) return
    if (this.#devices === null) {
      const hasDevices = profile.deviceResources.some(({ attributes }) => DRIVERS.includes(attributes['driver']))
      if (!hasDevices) return
      const { devicesPart } = await import('./devices-part.ts')
      this.#devices = devicesPart(this.#gateway, this.#config, this.#logger, this.#guardProgram)
    }
    await this.#devices.use(profile)
  }
}

const DRIVERS: readonly unknown[] = ['gpio', 'serial', 'modbus']
