import { FleetstepError } from '../../base/errors.ts'
import type { NodeId } from '../../base/ids.ts'
import { connectControl, type ControlClient } from '../../gateway/control-client.ts'
import { isRecord } from '../../gateway/control-protocol.ts'
import { removeSocketFile } from '../../gateway/fleet-directory.ts'
import type { Child, Children } from './children.ts'
import { type Reading, readGateway } from './reading.ts'
import { type Patience, until } from './until.ts'

export interface DemoGatewayOptions {
  readonly name: string
  readonly tier: number
  readonly node: NodeId
  readonly configFile: string
  readonly socket: string
  readonly children: Children
}

export type ChangeListener = (path: string, value: unknown) => void

/**
 * One gateway of the demo, known by its control socket: it is up when that answers, whoever has started it.
 */
export class DemoGateway {
  readonly name: string
  readonly tier: number
  readonly node: NodeId
  readonly socket: string
  readonly #options: DemoGatewayOptions
  readonly #listeners = new Set<ChangeListener>()
  #child: Child | null = null
  #client: Promise<ControlClient> | null = null

  constructor(options: DemoGatewayOptions) {
    this.name = options.name
    this.tier = options.tier
    this.node = options.node
    this.socket = options.socket
    this.#options = options
  }

  /** Null if the demo has not started it, or if that process has ended. */
  get pid(): number | null {
    return this.#child === null || this.#child.end() !== null ? null : this.#child.pid
  }

  /** The words after `fleetstep` that start it. */
  get words(): readonly string[] {
    return ['run', '--config', this.#options.configFile, '--node-id', this.name]
  }

  /** @throws FleetstepError `daemon-running` if another process has its socket */
  async assertFree(): Promise<void> {
    const other = await connectControl(this.socket).catch(() => null)
    if (other === null) return
    other.close()
    throw new FleetstepError(
      'daemon-running',
      `a gateway with the name ${this.name} runs already (${this.socket}), perhaps of another demo: end that one first`,
    )
  }

  /** Starts its process. */
  start(from: 'start' | 'end'): Child {
    this.#child = this.#options.children.start(this.name, this.words, from)
    return this.#child
  }

  /** Waits until it answers. @throws FleetstepError with the process's own last line if that has ended */
  async ready(patience: Patience): Promise<void> {
    await until(async () => {
      const child = this.#child
      if (child !== null && child.end() !== null) throw this.#options.children.failure(child)
      return (await this.read()) === null ? `${this.name} does not answer on ${this.socket}` : null
    }, patience)
  }

  /** Null while it is down. */
  async read(): Promise<Reading | null> {
    return await this.#withClient(readGateway).catch(nullIfDown)
  }

  /** @throws FleetstepError as the daemon answers, or `daemon-unreachable` */
  async call(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    return await this.#withClient((client) => client.call(method, params))
  }

  /** Calls back for each change as it is executed there. @returns a function that ends it */
  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async kill(): Promise<void> {
    await this.#child?.kill()
  }

  /**
   * Ends the process that the demo has started, and removes the socket that a killed one has left.
   * @returns false if another one answers in its place, which whoever started it has to end
   */
  async stop(): Promise<boolean> {
    void this.#client?.then((client) => client.close()).catch(() => undefined)
    await this.#child?.stop()
    const other = await connectControl(this.socket).catch(() => null)
    other?.close()
    if (other === null) removeSocketFile(this.socket)
    return other === null
  }

  async #withClient<T>(use: (client: ControlClient) => Promise<T>): Promise<T> {
    this.#client ??= this.#connect()
    return await use(await this.#client)
  }

  async #connect(): Promise<ControlClient> {
    const lost = (): void => void (this.#client = null)
    try {
      const client = await connectControl(this.socket)
      // The watch ends with the connection, and so tells that it has.
      void client.watch('state.watch', { pattern: '**' }, (event) => this.#tell(event)).then(lost, lost)
      return client
    } catch (error) {
      lost()
      throw error
    }
  }

  #tell(event: unknown): void {
    if (!isRecord(event) || typeof event['path'] !== 'string') return
    for (const listener of this.#listeners) listener(event['path'], event['after'])
  }
}

function nullIfDown(error: unknown): null {
  if (error instanceof FleetstepError && error.code === 'daemon-unreachable') return null
  throw error
}
