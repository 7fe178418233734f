import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { GatewayStatus } from '../../runtime/gateway/inspection.ts'
import { clientIdOf } from '../../runtime/links/mqtt/topics.ts'
import { findProgram } from '../support/system-programs.ts'
import { addressOf, FOUNDER, GATEWAYS, MOSQUITTO, NATS, STRANGER } from './plan.ts'
import { alarmsSince, logMarks, type LogMarks, logOf, logSince } from './logs.ts'
import { runTool } from './tool.ts'
import { MOVABLE, type Scene, trouble, type Trouble, type TroubleKind } from './trouble.ts'

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
  let isKnownToOthers = false
  let restoredAt: LogMarks = new Map()
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
      isKnownToOthers = since.some(({ key }) => heldElsewhere.has(key))
      restoredAt = logMarks(fleet)
      rmSync(fleet.dataDirectory(name), { recursive: true })
      cpSync(backup, fleet.dataDirectory(name), { recursive: true })
      rmSync(backup, { recursive: true })
      await gateway.start()
    },
    () => {
      const alarms = alarmsSince(fleet, restoredAt).map((alarm) => alarm.name)
      const isNoticed = alarms.some((alarm) => RESTORED.includes(alarm))
      return isNoticed || !isKnownToOthers ? null : `none of the alarms ${RESTORED.join(', ')} was raised`
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
    () => {
      const log = logOf(fleet.folder, clone)
      return /"msg":"this is not node \w+: .*kept in/.test(log) ? null : `${clone} did not say that it is another node`
    },
  )
}

/** The operator retires a node that lives; it asks to come back. */
function retireAndReturn({ fleet, one }: Scene): Trouble {
  const name = one(MOVABLE)
  let mark: LogMarks = new Map()
  let retired = ''
  return trouble(
    `${name} is retired and returns`,
    [name, 'membership'],
    async () => {
      mark = logMarks(fleet)
      const { node, self } = await fleet.gateway(name).status()
      retired = self
      await fleet.operate('--gateway', FOUNDER, 'fleet', 'retire', node, '--fleet', 'campaign')
    },
    () => undefined,
    async () => {
      if ((await fleet.gateway(name).status()).self === retired) return `it is ${retired} as before`
      return logSince(fleet, mark, name).includes('retired by epoch') ? null : 'it did not say that it was retired'
    },
  )
}

function duplicateClientId({ fleet, one }: Scene): Trouble {
  const name = one(GATEWAYS.filter(({ links }) => links.some(({ kind }) => kind === 'broker')).map((plan) => plan.name))
  const server = GATEWAYS.find((plan) => plan.name === name)?.links.some(
    (link) => link.kind === 'broker' && link.broker === 'mosquitto',
  )
    ? MOSQUITTO
    : NATS[0]
  let client: ChildProcess | null = null
  let mark: LogMarks = new Map()
  return trouble(
    `somebody connects under the client id of ${name}`,
    // Whoever cannot reach the broker takes nobody's place.
    [name, STRANGER.name, 'network', server === MOSQUITTO ? MOSQUITTO.name : 'nats'],
    async () => {
      mark = logMarks(fleet)
      const { node, fleet: group } = await fleet.gateway(name).status()
      const words = ['-h', server?.address ?? '', '-i', clientIdOf(group, node), '-t', 'nothing']
      client = spawn('ip', [...fleet.backbone.on(STRANGER.name), tool('mosquitto_sub'), ...words], { stdio: 'ignore' })
    },
    async () => await ended(client),
    () =>
      /second node with this id|another client with the same id/.test(logSince(fleet, mark, name))
        ? null
        : `${name} did not tell of a second node with its id`,
  )
}

/** Frames of the fleet come again, and altered, under the names of members, and so does noise. */
function forgery({ fleet, below }: Scene): Trouble {
  let listener: ChildProcess | null = null
  let heard = ''
  let before: Readonly<Record<string, number>> = {}
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
      before = await dropsOf(fleet)
      if (frames.length === 0) throw new Error('the forger heard nothing on the broker')
      for (let count = 0; count < 40; count += 1) {
        const [topic = '', hex = ''] = (frames[below(frames.length)] ?? '').split(' ')
        publish(fleet, topic, forgeryOf(Buffer.from(hex, 'hex'), count, below))
      }
    },
    async () => {
      const now = await dropsOf(fleet)
      const uncounted = Object.entries(FORGED).filter(([, sign]) => countOf(now, sign) <= countOf(before, sign))
      return uncounted.length === 0
        ? null
        : `on no gateway of the broker rose the counter of ${uncounted.map(([what]) => what).join(', ')}`
    },
  )
}

/** What is made of frames that were heard, and by what it must be counted. Some come again as they were, some damaged at random. */
function forgeryOf(frame: Buffer, count: number, below: Scene['below']): Buffer {
  switch (count % 5) {
    case 0:
      return frame
    case 1:
      frame[1] = 0
      return frame
    case 2:
      // The end is a part of the signature, of whatever kind it is.
      frame[frame.length - 1]! ^= 1
      return frame
    case 3:
      frame[11] = 23
      return frame
    default:
      frame[below(frame.length)]! ^= 1 << below(8)
      return frame
  }
}

const FORGED: Readonly<Record<string, RegExp>> = {
  'a wrong version': /^version is not/,
  'a kind that nobody knows': /^kind is not known/,
  'a wrong signature': /sign/,
}

async function dropsOf(fleet: Scene['fleet']): Promise<Readonly<Record<string, number>>> {
  const sums: Record<string, number> = {}
  for (const [name, { dropped }] of await fleet.statuses()) {
    const isOnBroker = GATEWAYS.find((plan) => plan.name === name)?.links.some(
      (link) => link.kind === 'broker' && link.broker === 'mosquitto',
    )
    if (isOnBroker === true)
      for (const [reason, count] of Object.entries(dropped)) sums[reason] = (sums[reason] ?? 0) + count
  }
  return sums
}

function countOf(drops: Readonly<Record<string, number>>, sign: RegExp): number {
  return Object.entries(drops).reduce((sum, [reason, count]) => sum + (sign.test(reason) ? count : 0), 0)
}

const RESTORED: readonly string[] = ['regressed', 'late-operation', 'identity-used-twice']

const LETTERS: readonly string[] = 'abcdefghij'.split('')

const BACK_MS = 300_000

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
