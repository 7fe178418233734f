import type { NodeId } from '../base/ids.ts'
import type { Logger } from '../base/logger.ts'
import type { LoadedProfile } from '../device/profiles/document.ts'
import { JournalStore } from '../storage/journal-store.ts'
import { nodeFileSystem, nodeProcessTable } from '../storage/node-file-system.ts'
import { fleetIdOf } from '../sync/membership.ts'
import { startBroker } from './broker.ts'
import type { GatewayConfig } from './config.ts'
import { linkLoaders } from './config-links.ts'
import { controlHandler } from './control-methods.ts'
import { controlPath } from './control-path.ts'
import { startControlServer } from './control-server.ts'
import { type Gateway, openGateway } from './gateway.ts'
import { enrolmentOf, type EnrolmentOptions, memberKeyOf } from './enrolment.ts'
import { type ConfiguredFleet, fleetOf, foundersSeedNotice, linksOfSeed } from './fleet.ts'
import { establishIdentity } from './identity-file.ts'
import { DevicesStart } from './devices-start.ts'
import { startReadings } from './machine-readings.ts'
import { type MirrorPart, mirrorPart } from './mirror-part.ts'
import type { ProfileKeeper } from './profile-keeper.ts'
import { keepProfile, ProfilePart } from './profile-part.ts'
import { systemClock, systemSeconds } from './system-clock.ts'
import { systemRandom } from './system-random.ts'
import { chosenTier, type TierBinding, tierBinding, tierNotice } from './tier.ts'

export interface Daemon {
  readonly gateway: Gateway
  readonly fleetName: string
  readonly controlSocket: string
  /** The port of the embedded broker, or null. */
  readonly brokerPort: number | null
  close(): Promise<void>
}

export interface DaemonOptions {
  readonly config: GatewayConfig
  /** Name given by the operator, for several nodes on one machine. */
  readonly nodeName: string | null
  readonly logger: Logger
  readonly onFatal: (error: unknown) => void
  /** What makes outputs on instruments safe when this process is gone (`devices/safe-outputs.ts`); left out: nothing does. */
  readonly guardProgram?: readonly string[]
}

/** Ends a part that was started. */
type Closer = () => void | Promise<void>

/** Puts one gateway together as its config says and starts it. What was started is ended again if a later part fails. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const closers: Closer[] = []
  const close = async (): Promise<void> => {
    for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) await closer()
  }
  try {
    return await assemble(options, closers, close)
  } catch (error) {
    await close()
    throw error
  }
}

async function assemble(options: DaemonOptions, closers: Closer[], close: Daemon['close']): Promise<Daemon> {
  const { logger } = options
  const node = identify(options)
  const fleet = fleetOf(options.config, node)
  const config = { ...options.config, links: linksOf(options.config, fleet) }
  const mirror = mirrorPart(config)
  const device = config.device ?? node
  const binding = tierBinding(fleet, node)
  const keeper = config.profile === null ? null : keepProfile(config.profile, binding, logger)
  const { tier } = chosenTier(binding, keeper?.current.profile ?? null)
  const gateway = await openGateway({
    fleet: fleet.genesis,
    enrolment: enrol(fleet, node, config, tier),
    node,
    device,
    profile: keeper?.current.profile,
    storage: new JournalStore({
      fileSystem: nodeFileSystem,
      processes: nodeProcessTable,
      directory: config.dataDirectory,
      owner: { fleet: fleetIdOf(fleet.genesis), node },
      clock: systemClock,
    }),
    links: [],
    cardEnduranceTb: config.storage.cardEnduranceTb,
    logger,
    onFatal: options.onFatal,
  })
  closers.push(() => gateway.close())
  // Behind it, so that a second daemon on this data directory is told of that, and not of its port.
  const brokerPort = await startOwnBroker(config, logger, closers)
  const notice = foundersSeedNotice(fleet, node)
  if (notice !== null && gateway.inspect().status === 'draft') logger.warn(notice)
  const profile = keeper === null ? null : startProfile(gateway, keeper, options, closers, binding)
  const handler = controlHandler(gateway, profile, mirror)
  const control = await startControlServer(config.controlSocket ?? controlPath(device), handler, logger)
  closers.push(() => control.close())
  addLinks(gateway, config, options.onFatal, closers)
  if (mirror !== null) startMirror(mirror.start(gateway, logger), profile, options.onFatal, closers)
  return { gateway, fleetName: fleet.genesis.name, controlSocket: control.path, brokerPort, close }
}

function identify({ config, nodeName, logger }: DaemonOptions): NodeId {
  const { dataDirectory, label } = config
  const beginsAnew = config.fleet.seed !== null
  return establishIdentity({ dataDirectory, override: nodeName, label, beginsAnew, random: systemRandom, logger })
}

function enrol(
  { seed }: ConfiguredFleet,
  node: NodeId,
  { dataDirectory }: GatewayConfig,
  tier: number,
): EnrolmentOptions | undefined {
  return seed === null ? undefined : enrolmentOf(seed, memberKeyOf(seed, node, dataDirectory), systemSeconds, tier)
}

/** A config's own links stand; a seed's are for one that names none. */
function linksOf({ links }: GatewayConfig, { seed }: ConfiguredFleet): GatewayConfig['links'] {
  if (links.length > 0 || seed === null) return links
  const files = { passwordFile: null, caFile: null, certificateFile: null, keyFile: null }
  return linksOfSeed(seed).map((link) => ({ kind: 'mqtt', ...link, username: null, ...files }))
}

async function startOwnBroker(config: GatewayConfig, logger: Logger, closers: Closer[]): Promise<number | null> {
  if (config.broker === null) return null
  const broker = await startBroker({ ...config.broker, logger })
  // It ends last: the gateway says farewell over it.
  closers.unshift(() => broker.close())
  return broker.port
}

/** The gateway is there for its machine before it knows a network: the links are loaded after it, and connect in their own time. */
function addLinks(gateway: Gateway, config: GatewayConfig, onFatal: DaemonOptions['onFatal'], closers: Closer[]): void {
  const loaders = linkLoaders(config)
  let isClosed = false
  closers.push(() => {
    isClosed = true
  })
  const add = async (): Promise<void> => {
    for (const load of loaders) {
      const factory = await load()
      if (isClosed) return
      gateway.addLink(factory)
    }
  }
  add().catch(onFatal)
}

/** It comes after the links, for the same reason. */
function startMirror(
  starting: ReturnType<MirrorPart['start']>,
  profile: ProfilePart | null,
  onFatal: DaemonOptions['onFatal'],
  closers: Closer[],
): void {
  starting.catch(onFatal)
  profile?.observe(() => void starting.then((mirror) => mirror.describeAnew(), onFatal))
  closers.push(async () => await (await starting).stop())
}

/** Readings and devices begin anew whenever another profile is in force. They end before the gateway, so that the state says how. */
function startProfile(
  gateway: Gateway,
  keeper: ProfileKeeper,
  { config, logger, onFatal, guardProgram }: DaemonOptions,
  closers: Closer[],
  binding: TierBinding,
): ProfilePart {
  const part = new ProfilePart(gateway, keeper, systemClock, logger)
  const devices = new DevicesStart(gateway, config, logger, onFatal, guardProgram ?? null)
  let stop = startReadings(gateway, keeper.current.profile, logger)
  devices.use(keeper.current.profile)
  const tellOfTier = ({ profile }: LoadedProfile): void => {
    const notice = tierNotice(binding, gateway.inspect().tier, profile)
    if (notice !== null) logger.warn(notice)
  }
  tellOfTier(keeper.current)
  part.observe((profile) => {
    tellOfTier(profile)
    stop()
    stop = startReadings(gateway, profile.profile, logger)
    devices.use(profile.profile)
  })
  part.watch()
  closers.push(async () => {
    part.stop()
    stop()
    await devices.close()
  })
  return part
}
