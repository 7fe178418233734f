import { CABLES, FOUNDER, GATEWAYS, MOSQUITTO } from './plan.ts'
import { markerOf } from './records.ts'
import { buildRelease, laterPath, type Release } from './releases.ts'
import { MOVABLE, type Scene, trouble, type Trouble, type TroubleKind, within } from './trouble.ts'

/** One gateway is of a later release than the others for a while; then the others are upgraded too, some at a time. */
export const upgradeTroubles: Readonly<Record<string, TroubleKind>> = {
  'later kind': (scene) =>
    upgrade(scene, ({ kinds, versions }) => ({ kinds: kinds + 1, versions }), /kind of write is not known/),
  'later version': (scene) =>
    upgrade(
      scene,
      ({ kinds, versions }) => ({ kinds, versions: versions + 1 }),
      /version is not \d+: a node here runs/,
    ),
}

/** @param dropSign by which the older ones count what they drop */
function upgrade(scene: Scene, next: (release: Release) => Release, dropSign: RegExp): Trouble {
  const { fleet, load, one } = scene
  const name = one(MOVABLE)
  const older = fleet.release
  const later = next(older)
  const problems: string[] = []
  let sign: string | null = null
  return trouble({
    what: `${name} is upgraded from release ${textOf(older)} to ${textOf(later)} before the others`,
    claims: ['membership', 'network', MOSQUITTO.name, 'nats', ...CABLES, ...GATEWAYS.map((gateway) => gateway.name)],
    begin: async () => {
      const before = fleet.releaseFolder
      const gateway = fleet.gateway(name)
      await gateway.stop()
      fleet.releaseFolder = await buildRelease(later)
      gateway.useRelease(fleet.releaseFolder)
      await gateway.start()
      const key = `what only release ${textOf(later)} knows`
      await load.change(gateway, key, { set: { [laterPath(later.kinds, name)]: textOf(later) } })
      if (await untilOlderOnesSay(scene, name, dropSign, problems)) sign = 'an older gateway told of the later release'
      await untilOthersGoOn(scene, name, problems)
      if (later.kinds > older.kinds) problems.push(...(await backToOlder(scene, name, before)))
    },
    end: async () => {
      fleet.release = later
      const others = [...fleet.gateways.values()].filter((gateway) => gateway.name !== name)
      for (let index = 0; index < others.length; index += UPGRADED_TOGETHER)
        await Promise.all(
          others.slice(index, index + UPGRADED_TOGETHER).map(async (gateway) => {
            await gateway.stop()
            gateway.useRelease(fleet.releaseFolder)
            await gateway.start()
          }),
        )
    },
    struck: () => sign,
    unnoticed: () => (problems.length === 0 ? null : problems.join('; ')),
    alarms: () => [{ name: 'newer-release', by: GATEWAYS.map((gateway) => gateway.name), about: null }],
  })
}

/** They count what they drop, and tell people once. */
async function untilOlderOnesSay({ fleet }: Scene, name: string, sign: RegExp, problems: string[]): Promise<boolean> {
  const hasSaid = async (): Promise<boolean> => {
    const statuses = [...(await fleet.statuses())].filter(([gateway]) => gateway !== name)
    return statuses.some(
      ([, { dropped, alarms }]) =>
        Object.keys(dropped).some((reason) => sign.test(reason)) &&
        alarms.some((alarm) => alarm.name === 'newer-release'),
    )
  }
  const isTold = await within(SAY_MS, hasSaid)
  if (!isTold) problems.push(`no older gateway told of the later release of ${name}`)
  return isTold
}

/** What the founder changes meanwhile reaches somebody of its own release. */
async function untilOthersGoOn({ fleet, load }: Scene, name: string, problems: string[]): Promise<void> {
  const other = name === 'gateway-9' ? 'gateway-6' : 'gateway-9'
  const { key } = await load.change(fleet.gateway(FOUNDER), 'go on among older ones', {})
  const hasCome = async (): Promise<boolean> => {
    const state = await fleet.gateway(other).call('state.get', {})
    return typeof state === 'object' && state !== null && markerOf(key) in state
  }
  if (!(await within(SAY_MS, hasCome))) problems.push(`${FOUNDER} and ${other} did not go on without ${name}`)
}

/** The release from before refuses the data of the later one, and says why. */
async function backToOlder({ fleet }: Scene, name: string, older: string): Promise<string[]> {
  const gateway = fleet.gateway(name)
  await gateway.stop()
  const { code, text } = await gateway.tryRelease(older)
  await gateway.start()
  const isTold = code === 4 && /install the release that wrote it/.test(text)
  return isTold ? [] : [`the older release ended with ${code} on the data of the later one: ${text.slice(-300)}`]
}

const UPGRADED_TOGETHER = 3

const SAY_MS = 120_000

function textOf({ kinds, versions }: Release): string {
  return `${versions}.${kinds}`
}
