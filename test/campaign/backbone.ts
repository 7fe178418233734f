import { runTool } from './tool.ts'

/** One machine of the campaign: a network namespace with one address. */
export interface Host {
  readonly name: string
  readonly address: string
}

/**
 * The network of a campaign: every machine has a namespace of its own, and all are on one switch. What is cut is not
 * refused but vanishes, as on a network that is broken somewhere else.
 */
export class Backbone {
  readonly #prefix: string
  readonly #hosts: readonly Host[]
  readonly #cuts = new Set<string>()

  constructor(prefix: string, hosts: readonly Host[]) {
    this.#prefix = prefix
    this.#hosts = hosts
    const lines = hosts.flatMap(({ name }) => [`netns add ${this.namespace(name)}`])
    runTool('ip', ['-batch', '-'], [`netns add ${this.#switch}`, ...lines].join('\n'))
    this.#run(this.#switch, ['link add br0 type bridge', 'link set br0 up', 'link set lo up'])
    hosts.forEach((host, index) => this.#wire(host, index))
  }

  namespace(host: string): string {
    return `${this.#prefix}-${host}`
  }

  /** The words before a command that make it run on that machine. */
  on(host: string): readonly string[] {
    return ['netns', 'exec', this.namespace(host)]
  }

  /** Nothing that `from` sends reaches `to` any more. */
  cut(from: string, to: string): void {
    const [source, target] = [this.#host(from), this.#host(to)]
    this.#cuts.add(`${from} ${to}`)
    this.#run(this.namespace(source.name), [
      `neigh replace ${target.address} lladdr ${NOBODY} dev sink nud permanent`,
      `route replace ${target.address}/32 dev sink src ${source.address}`,
    ])
  }

  /** Both ways between two groups. */
  part(left: readonly string[], right: readonly string[]): void {
    for (const one of left)
      for (const other of right) {
        this.cut(one, other)
        this.cut(other, one)
      }
  }

  heal(): void {
    for (const cut of this.#cuts) {
      const [from = '', to = ''] = cut.split(' ')
      this.#run(this.namespace(from), [`route del ${this.#host(to).address}/32 dev sink`])
    }
    this.#cuts.clear()
  }

  /** Packets that were sent to where they could not come. */
  vanished(): number {
    const sources = new Set([...this.#cuts].map((cut) => cut.split(' ')[0] ?? ''))
    return [...sources].reduce((sum, source) => sum + this.#vanishedOf(source), 0)
  }

  /** Bytes that this machine has received and sent over the network. */
  traffic(host: string): { readonly received: number; readonly sent: number } {
    const text = runTool('ip', ['-n', this.namespace(host), '-s', '-j', 'link', 'show', 'dev', 'wire'])
    const [link] = JSON.parse(text) as { stats64: { rx: { bytes: number }; tx: { bytes: number } } }[]
    return { received: link?.stats64.rx.bytes ?? 0, sent: link?.stats64.tx.bytes ?? 0 }
  }

  remove(): void {
    const names = [this.#switch, ...this.#hosts.map(({ name }) => this.namespace(name))]
    runTool('ip', ['-batch', '-'], names.map((name) => `netns delete ${name}`).join('\n'))
  }

  #vanishedOf(host: string): number {
    const text = runTool('ip', ['-n', this.namespace(host), '-s', '-j', 'link', 'show', 'dev', 'sink'])
    const [link] = JSON.parse(text) as { stats64: { tx: { packets: number } } }[]
    return link?.stats64.tx.packets ?? 0
  }

  get #switch(): string {
    return `${this.#prefix}-switch`
  }

  #wire({ name, address }: Host, index: number): void {
    const namespace = this.namespace(name)
    this.#run(this.#switch, [
      `link add port${index} type veth peer name wire netns ${namespace}`,
      `link set port${index} master br0`,
      `link set port${index} up`,
    ])
    this.#run(namespace, [
      'link set lo up',
      `addr add ${address}/24 dev wire`,
      'link set wire up',
      'link add sink type veth peer name drain',
      'link set sink up',
      'link set drain up',
    ])
    // What comes from where nothing can be sent to is still taken: a cut has one direction.
    const settings = ['all', 'default', 'wire'].map((one) => `/proc/sys/net/ipv4/conf/${one}/rp_filter`)
    runTool('ip', [...this.on(name), 'sh', '-c', settings.map((file) => `echo 0 > ${file}`).join('; ')])
  }

  #host(name: string): Host {
    const host = this.#hosts.find((candidate) => candidate.name === name)
    if (host === undefined) throw new Error(`there is no machine ${name}`)
    return host
  }

  #run(namespace: string, lines: readonly string[]): void {
    runTool('ip', ['-n', namespace, '-batch', '-'], lines.join('\n'))
  }
}

/** An address on the sink that nobody has. */
const NOBODY = '02:00:00:00:00:01'
