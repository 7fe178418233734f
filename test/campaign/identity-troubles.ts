import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { GatewayStatus } from '../../runtime/gateway/inspection.ts'
import { findProgram } from '../support/system-programs.ts'
import { addressOf, FOUNDER, GATEWAYS, MOSQUITTO, NATS, STRANGER } from './plan.ts'
import { runTool } from './tool.ts'
import { MOVABLE, RETIRABLE, type Scene, trouble, type Trouble, type TroubleKind } from './trouble.ts'

/** Troubles about who is who: some need the operator afterwards. */
export const identityTroubles: Readonly<Record<string, TroubleKind>> = {
  'restored backup': restoredBackup,
  'cloned card': clonedCard,
  'retire and return': retireAndReturn,
  'duplicate client id': duplicateClientId,
  forgery,
}

/** The card comes back as it was some time ago, and what was on it since is on no disk of this node any more. */
function restoredBackup({ fleet, records, one }: Scene): Trouble {
  const name = one(MOVABLE)
  const backup = `${fleet.dataDirectory(name)}-backup`
  let before: ReadonlySet<string> = new Set()
  return trouble(
    `${name} is restored from a backup`,
    [name, 'membership'],
    async () => {
      const gateway = fleet.gateway(name)
      await gateway.stop()
      cpSync(fleet.dataDirectory(name), backup, { recursive: true })
      before = new Set(records.entries.map(({ key }) => key))
      await gateway.start()
    },
    async () => {
      const gateway = fleet.gateway(name)
      await gateway.kill()
      const since = records.entries.filter((entry) => entry.gateway === name && !before.has(entry.key))
      // What nobody else had seen is gone with the card; what others have must come back.
      const heldElsewhere = await markersElsewhere(fleet, name)
      records.forgive(since.filter(({ key }) => !heldElsewhere.has(key)))
      rmSync(fleet.dataDirectory(name), { recursive: true })
      cpSync(backup, fleet.dataDirectory(name), { recursive: true })
      rmSync(backup, { recursive: true })
      await gateway.start()
    },
  )
}

/** A copy of the card in another machine takes part as a node of its own, and is retired when it has gone. */
function clonedCard({ fleet, one }: Scene): Trouble {
  const name = one(MOVABLE)
  const clone = `clone-${fleet.gateways.size}-${one(LETTERS)}${one(LETTERS)}${one(LETTERS)}`
  return trouble(
    `the card of ${name} is copied into another machine`,
    [name, 'membership', STRANGER.name],
    async () => {
      const gateway = fleet.gateway(name)
      await gateway.stop()
      cpSync(fleet.dataDirectory(name), fleet.dataDirectory(clone), { recursive: true })
      await gateway.start()
      showOtherHardware(join(fleet.dataDirectory(clone), 'identity.json'))
      const links = GATEWAYS.find((plan) => plan.name === FOUNDER)?.links ?? []
      await fleet.addGateway(clone, STRANGER.name, fleet.dataDirectory(clone), links).start()
    },
    async () => {
      const { node } = await fleet.gateway(clone).status()
      await untilMember(fleet, clone)
      await fleet.gateway(clone).stop()
      fleet.gateways.delete(clone)
      await fleet.operate('--gateway', FOUNDER, 'fleet', 'retire', node, '--fleet', 'campaign')
    },
  )
}

/** The operator retires a node that lives; it asks to come back. */
function retireAndReturn({ fleet, one }: Scene): Trouble {
  const name = one(RETIRABLE)
  return trouble(
    `${name} is retired and returns`,
    [name, 'membership'],
    async () => {
      const { node } = await fleet.gateway(name).status()
      await fleet.operate('--gateway', FOUNDER, 'fleet', 'retire', node, '--fleet', 'campaign')
    },
    () => undefined,
  )
}

/** Somebody else takes the client id of a gateway at its broker, so that each puts the other off. */
function duplicateClientId({ fleet, one }: Scene): Trouble {
  const name = one(GATEWAYS.filter(({ links }) => links.some(({ kind }) => kind === 'broker')).map((plan) => plan.name))
  const server = GATEWAYS.find((plan) => plan.name === name)?.links.some(
    (link) => link.kind === 'broker' && link.broker === 'mosquitto',
  )
    ? MOSQUITTO
    : NATS[0]
  let client: ChildProcess | null = null
  return trouble(
    `somebody connects under the client id of ${name}`,
    [name, STRANGER.name],
    async () => {
      const { node } = await fleet.gateway(name).status()
      const words = ['-h', server?.address ?? '', '-i', `fs-${node}`, '-t', 'nothing']
      client = spawn('ip', [...fleet.backbone.on(STRANGER.name), tool('mosquitto_sub'), ...words], { stdio: 'ignore' })
    },
    async () => await ended(client),
  )
}

/** Frames of the fleet come again, and altered, under the names of members, and so does noise. */
function forgery({ fleet, below }: Scene): Trouble {
  let listener: ChildProcess | null = null
  let heard = ''
  return trouble(
    'somebody on the broker repeats and alters what members say',
    [STRANGER.name, 'mosquitto', 'network'],
    async () => {
      const words = ['-h', MOSQUITTO.address, '-t', 'fleet/#', '-F', '%t %x']
      listener = spawn('ip', [...fleet.backbone.on(STRANGER.name), tool('mosquitto_sub'), ...words])
      listener.stdout?.on('data', (text: Buffer) => {
        if (heard.length < 1_000_000) heard += text.toString()
      })
      await sleep(1000)
    },
    async () => {
      await ended(listener)
      const frames = heard.split('\n').filter((line) => /^\S+ [0-9a-f]{20,}$/.test(line))
      for (let count = 0; count < Math.min(frames.length, 40); count += 1) {
        const [topic = '', hex = ''] = (frames[below(frames.length)] ?? '').split(' ')
        const frame = Buffer.from(hex, 'hex')
        if (count % 2 === 1) frame[below(frame.length)]! ^= 1 << below(8)
        publish(fleet, topic, frame)
      }
    },
  )
}

const LETTERS: readonly string[] = 'abcdefghij'.split('')

const BACK_MS = 90_000

/** The record as it stands on a machine that is not the one on which it was made. */
function showOtherHardware(file: string): void {
  const record: unknown = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, JSON.stringify({ ...Object(record), fingerprint: 'f'.repeat(32) }))
}

async function isKnown(fleet: Scene['fleet'], { self }: GatewayStatus): Promise<boolean> {
  const { members } = await fleet.gateway(FOUNDER).status()
  return members.some(({ member, isRetired }) => member === self && !isRetired)
}

async function untilMember(fleet: Scene['fleet'], name: string): Promise<void> {
  for (const deadline = performance.now() + BACK_MS; performance.now() < deadline; await sleep(300)) {
    const status = await fleet.gateway(name).status()
    if (status.status === 'member' && (await isKnown(fleet, status))) return
  }
  throw new Error(`${name} did not become a member: ${JSON.stringify(await fleet.gateway(name).status())}`)
}

async function markersElsewhere(fleet: Scene['fleet'], name: string): Promise<Set<string>> {
  const held = new Set<string>()
  for (const gateway of fleet.gateways.values()) {
    if (gateway.name === name || !gateway.isRunning) continue
    const state = await gateway.call('state.get')
    for (const path of Object.keys(state ?? {})) if (path.startsWith('done/')) held.add(path.slice('done/'.length))
  }
  return held
}

function publish(fleet: Scene['fleet'], topic: string, frame: Buffer): void {
  const words = [...fleet.backbone.on(STRANGER.name), tool('mosquitto_pub'), '-h', addressOf(MOSQUITTO.name)]
  runTool('ip', [...words, '-t', topic, '-s'], frame)
}

async function ended(child: ChildProcess | null): Promise<void> {
  if (child === null || child.exitCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

function tool(name: string): string {
  const path = findProgram(name)
  if (path === null) throw new Error(`${name} is not installed: apt-get install mosquitto-clients`)
  return path
}
