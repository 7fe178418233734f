/** What every broker must do with the settings that `fleetstep broker config` writes for it. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { connect, type IClientOptions, type MqttClient } from 'mqtt'
import type { NodeId } from '../../runtime/base/ids.ts'
import {
  type BrokerWish,
  writeBrokerConfig,
  type WrittenBroker,
} from '../../runtime/gateway/broker-config/broker-config.ts'
import { type Gateway, openGateway } from '../../runtime/gateway/gateway.ts'
import { memoryStorage, mqtt } from '../../runtime/gateway/parts.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import { PATIENCE_MS, until } from '../links/clocks.ts'

const NODES = ['0a00000000000001', '0a00000000000002', '0a00000000000003'] as readonly string[] as readonly NodeId[]
const [ANNA, BERT, CARL] = NODES as [NodeId, NodeId, NodeId]
const GENESIS: Genesis = { name: 'pumps', founders: NODES.map((node, tier) => ({ node, tier })) }
const PERSON = 'nodered'

export interface RunningBroker {
  end(): Promise<void>
}

interface Stage {
  readonly written: WrittenBroker
  gateway(node: NodeId): Promise<Gateway>
  tool(user: string | null): Promise<MqttClient>
  file(name: string): Buffer
}

/** @param start runs the broker with the settings in the folder that `written` names */
export function acceptGeneratedBroker(
  name: string,
  wish: Pick<BrokerWish, 'broker' | 'passwords' | 'plain'> & { readonly port: () => Promise<number> },
  start: (written: WrittenBroker, port: number) => Promise<RunningBroker>,
  skip: string | false,
): void {
  const accept = (sentence: string, body: (stage: Stage) => Promise<void>): void => {
    test(sentence, { skip }, async (t) => await body(await stageOf(t, wish, start)))
  }

  describe(`${name} with generated settings`, () => {
    accept('brings a fleet of gateways into step', async ({ gateway }) => {
      const gateways = await Promise.all(NODES.map(gateway))
      for (const [index, { state }] of gateways.entries()) {
        for (let count = 0; count < 20; count += 1) state.set(`line${index}/point${count}`, count)
      }
      const texts = (): string[] => gateways.map(({ state }) => JSON.stringify(state.entries()))
      await until(() => gateways.every(({ state }) => state.entries().length === 60), 'each has all 60 points')
      assert.deepEqual(new Set(texts()).size, 1)
      await until(() => gateways.every(({ state }) => state.entries('', 'settled').length === 60), 'all is settled')
    })

    accept('lets a node publish only as itself', async ({ tool, written }) => {
      const root = `fleet/${written.fleet}`
      const seen: string[] = []
      const bert = await tool(BERT)
      bert.on('message', (topic) => seen.push(topic))
      for (const kind of ['op', 'b', 'w']) await bert.subscribeAsync(`${root}/${kind}/+`)
      await bert.subscribeAsync(`${root}/n/+/st`)
      await bert.subscribeAsync(`${root}/in/${BERT}/+`)
      const forged = [`op/${CARL}`, `b/${CARL}`, `w/${CARL}`, `n/${CARL}/st`, `in/${BERT}/${CARL}`, `op/${ANNA}/x`]
      for (const topic of forged) await publishInVain(await tool(ANNA), `${root}/${topic}`)
      const anna = await tool(ANNA)
      const own = [`op/${ANNA}`, `b/${ANNA}`, `w/${ANNA}`, `n/${ANNA}/st`, `in/${BERT}/${ANNA}`]
      for (const topic of own) await anna.publishAsync(`${root}/${topic}`, 'own', { qos: 1 })
      await until(() => seen.length >= own.length, 'what anna publishes as herself arrives')
      assert.deepEqual(seen.toSorted(), own.map((topic) => `${root}/${topic}`).toSorted())
    })

    accept('lets nobody read the inbox of another', async ({ tool, written }) => {
      const root = `fleet/${written.fleet}`
      const seen: string[] = []
      for (const filter of [`${root}/in/${BERT}/+`, `${root}/in/+/+`, `${root}/#`, '#']) {
        for (const user of [ANNA, PERSON]) {
          const spy = await tool(user)
          spy.on('message', (topic) => seen.push(topic))
          // Some refuse it, some grant it and deliver nothing.
          await spy.subscribeAsync(filter, { qos: 0 }).catch(() => undefined)
        }
      }
      const bert = await tool(BERT)
      let isHeard = false
      bert.on('message', () => (isHeard = true))
      await bert.subscribeAsync(`${root}/in/${BERT}/+`)
      const carl = await tool(CARL)
      await carl.publishAsync(`${root}/in/${BERT}/${CARL}`, 'for bert', { qos: 1 })
      await until(() => isHeard, 'bert has it')
      const witness = await tool(PERSON)
      let isThrough = false
      witness.on('message', () => (isThrough = true))
      await witness.subscribeAsync(`${root}/s/+/#`)
      await carl.publishAsync(`${root}/s/${CARL}/lamp`, 'true', { qos: 1 })
      await until(() => isThrough, 'what came later has been delivered')
      assert.deepEqual(
        seen.filter((topic) => topic.startsWith(`${root}/in/`)),
        [],
      )
    })

    accept('lets people read the mirror and write wishes, and nothing else', async ({ tool, written }) => {
      const root = `fleet/${written.fleet}`
      const [anna, person] = [await tool(ANNA), await tool(PERSON)]
      const [atAnna, atPerson]: [string[], string[]] = [[], []]
      anna.on('message', (topic) => atAnna.push(topic))
      person.on('message', (topic) => atPerson.push(topic))
      await anna.subscribeAsync(`${root}/set/${ANNA}/#`)
      // Some let a gateway read less of it.
      for (const filter of ['op/+', 'b/+', `in/${ANNA}/+`, 's/#', 'n/#'])
        await anna.subscribeAsync(`${root}/${filter}`).catch(() => undefined)
      await person.subscribeAsync(`${root}/s/#`, { qos: 1 })
      await person.subscribeAsync(`${root}/q/#`, { qos: 1 })
      await person.subscribeAsync(`${root}/n/#`, { qos: 1 })
      for (const user of [ANNA, BERT, PERSON, PERSON.padEnd(16, '0')]) {
        for (const topic of [`op/${user}`, `b/${user}`, `in/${ANNA}/${user}`, `s/${user}/lamp`, `n/${user}/st`])
          await publishInVain(await tool(PERSON), `${root}/${topic}`)
      }
      await publishInVain(await tool(PERSON), `homeassistant/device/${PERSON}/config`)
      await person.publishAsync(`${root}/set/${ANNA}/lamp`, 'true', { qos: 1 })
      await until(() => atAnna.length >= 1, 'anna has the wish')
      assert.deepEqual(atAnna, [`${root}/set/${ANNA}/lamp`])
      await anna.publishAsync(`${root}/s/${ANNA}/hall/lamp`, 'true', { qos: 1 })
      await anna.publishAsync(`${root}/q/${ANNA}/hall/lamp`, '{}', { qos: 1 })
      await anna.publishAsync(`${root}/n/${ANNA}/err`, '{}', { qos: 1 })
      await until(() => atPerson.length >= 3, 'the person reads them')
      // In any order: a broker keeps it within a subscription alone (MQTT 3.1.1, section 4.6).
      assert.deepEqual(
        atPerson.toSorted(),
        [`n/${ANNA}/err`, `q/${ANNA}/hall/lamp`, `s/${ANNA}/hall/lamp`].map((topic) => `${root}/${topic}`),
      )
    })

    accept('lets people read nothing of what gateways say to each other', async ({ tool, written }) => {
      const root = `fleet/${written.fleet}`
      const seen: string[] = []
      for (const filter of ['#', `${root}/#`, `${root}/+/+`, ...['op', 'b', 'w'].map((kind) => `${root}/${kind}/+`)]) {
        const spy = await tool(PERSON)
        spy.on('message', (topic) => seen.push(topic))
        await spy.subscribeAsync(filter, { qos: 0 }).catch(() => undefined)
      }
      const reader = await tool(PERSON)
      let isThrough = false
      reader.on('message', () => (isThrough = true))
      await reader.subscribeAsync(`${root}/s/#`)
      const anna = await tool(ANNA)
      for (const kind of ['op', 'b', 'w']) await anna.publishAsync(`${root}/${kind}/${ANNA}`, 'frame', { qos: 1 })
      await anna.publishAsync(`${root}/s/${ANNA}/lamp`, 'true', { qos: 1 })
      await until(() => isThrough, 'what came later has been delivered')
      assert.deepEqual(
        seen.filter((topic) => topic.startsWith(root) && topic !== `${root}/s/${ANNA}/lamp`),
        [],
      )
    })

    accept('lets nobody in who does not say who he is', async ({ tool }) => {
      await assert.rejects(tool(null))
    })
  })
}

async function stageOf(
  t: TestContext,
  wish: Parameters<typeof acceptGeneratedBroker>[1],
  start: Parameters<typeof acceptGeneratedBroker>[2],
): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), 'fleetstep-broker-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const port = await wish.port()
  const written = writeBrokerConfig({
    broker: wish.broker,
    passwords: wish.passwords,
    plain: wish.plain,
    config: writeGatewayConfig(directory),
    directory,
    servers: ['127.0.0.1'],
    port,
    people: [PERSON],
    persistence: false,
  })
  if (written.encrypted) await promisify(execFile)('sh', [join(directory, 'certificates.sh')])
  const broker = await start(written, port)
  t.after(() => broker.end())
  const file = (name: string): Buffer => readFileSync(join(directory, name))
  return { written, file, ...clientsOf(t, written, port, file) }
}

function writeGatewayConfig(directory: string): string {
  const file = join(directory, 'gateway.yaml')
  const members = GENESIS.founders.map(({ node, tier }) => `    - { node: '${node}', tier: ${tier} }`).join('\n')
  writeFileSync(file, `fleet:\n  name: ${GENESIS.name}\n  members:\n${members}\ndataDirectory: data\n`)
  return file
}

function clientsOf(
  t: TestContext,
  written: WrittenBroker,
  port: number,
  file: Stage['file'],
): Omit<Stage, 'written' | 'file'> {
  const isByName = written.authentication === 'certificates'
  const passwordOf = (user: string): string => file(`passwords/${user}`).toString().trimEnd()
  const ca = (): Buffer => file('certificates/authority.crt')
  const tlsOf = (user: string): { cert?: Buffer; key?: Buffer } =>
    isByName ? { cert: file(`certificates/${user}.crt`), key: file(`certificates/${user}.key`) } : {}
  return {
    async gateway(node) {
      const gateway = await openGateway({
        fleet: GENESIS,
        node,
        storage: memoryStorage(),
        links: [
          mqtt({
            servers: written.servers,
            ...(isByName ? {} : { username: node, password: passwordOf(node) }),
            ...(written.encrypted ? { tls: { ca: ca(), ...tlsOf(node) } } : {}),
          }),
        ],
      })
      t.after(() => gateway.close())
      return gateway
    },
    async tool(user) {
      const options: IClientOptions = {
        protocol: written.encrypted ? 'mqtts' : 'mqtt',
        host: '127.0.0.1',
        port,
        protocolVersion: 4,
        reconnectPeriod: 0,
        connectTimeout: PATIENCE_MS,
        ...(written.encrypted && { ca: ca() }),
        ...(user !== null && tlsOf(user)),
        ...(user !== null && !isByName && { username: user, password: passwordOf(user) }),
      }
      const client = connect(options)
      t.after(() => client.end(true))
      return await connected(client)
    },
  }
}

/** Rejects when the broker does not let the client in. */
function connected(client: MqttClient): Promise<MqttClient> {
  return new Promise((resolve, reject) => {
    client.on('connect', () => resolve(client))
    client.on('error', (error) => reject(error))
    client.on('close', () => reject(new Error('the broker hung up')))
  })
}

/** Some brokers answer it, some hang up: what counts is that it does not arrive. */
async function publishInVain(client: MqttClient, topic: string): Promise<void> {
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()))
  const answered = client.publishAsync(topic, 'forged', { qos: 1 }).then(
    () => undefined,
    () => undefined,
  )
  await Promise.race([answered, closed])
}
