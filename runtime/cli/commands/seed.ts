import { type Command, Option } from 'commander'
import { FleetstepError } from '../../base/errors.ts'
import { TOKEN_DAYS_DEFAULT, TOKEN_DAYS_MAX, TOKEN_USES_MAX } from '../../base/limits.ts'
import type { Seed } from '../../device/identity/seed.ts'
import { readSeed, assertServers } from '../../gateway/fleet.ts'
import { createSeed, openFleetFolder, TOKEN_ROLES, type TokenRole } from '../../gateway/fleet-folder.ts'
import { systemSeconds } from '../../gateway/system-clock.ts'
import { wholeNumber } from '../number-option.ts'
import { type GlobalOptions, note, print, table } from '../output.ts'

interface CreateOptions extends GlobalOptions {
  readonly fleet: string
  readonly founder?: true
  readonly tier?: string
  readonly role?: TokenRole
  readonly uses?: string
  readonly days?: string
  readonly server?: readonly string[]
}

export function configure(command: Command): void {
  command.addHelpText(
    'after',
    `
A seed is a file that a gateway's config names as fleet.seed. It holds secrets: keep it at mode 0600, copy it to the cards
alone, and take it off a card that leaves the house.

  fleetstep seed create founder.seed --fleet plant --founder --server mqtts://broker:8883
  fleetstep seed create cards.seed --fleet plant --uses 20 --days 14 --server mqtts://broker:8883`,
  )
  const create = command
    .command('create')
    .argument('<file>')
    .description('write a seed: of the founder once, or of newcomers, with a token that lets them join')
    .requiredOption('--fleet <folder>', 'what fleetstep fleet create made; its operator key signs the token')
    .option('--founder', 'for the node that founds the fleet, and no other')
    .option(
      '--tier <number>',
      'highest tier of those who join with it, unless their profile asks for less; the higher one stands in a conflict (default 0)',
    )
    .addOption(
      new Option(
        '--role <role>',
        'what those who join with it may do: an observer changes nothing, an operator also sets the rules of devices (default gateway)',
      ).choices(TOKEN_ROLES),
    )
    .option('--uses <count>', 'how many member ids may join with it (default 1)')
    .option('--days <days>', `how long it is good (default ${TOKEN_DAYS_DEFAULT})`)
    .option('--server <url...>', 'MQTT servers, for a config without links')
  create.action((file: string) => createSeedFile(create, file))
  const check = command
    .command('check')
    .argument('<file>')
    .description('say whether a seed can be used, and what is in it')
  check.action((file: string) => {
    const seed = readSeed(file)
    const facts = describe(seed, file)
    print(check, facts, () => text(facts))
    if (facts.hasExpired) note(`its token expired at ${facts.expires}: make a new seed`)
  })
}

function createSeedFile(command: Command, file: string): void {
  const { fleet, founder, tier, role, uses, days, server = [] } = command.optsWithGlobals<CreateOptions>()
  if (founder === true && (tier ?? role ?? uses ?? days) !== undefined)
    throw new FleetstepError(
      'usage',
      'the seed of the founder has no token: leave out --tier, --role, --uses and --days',
    )
  assertServers(server)
  const terms = {
    tier: wholeNumber('--tier', tier, { from: 0, to: 255, otherwise: 0 }),
    role: role ?? 'gateway',
    uses: wholeNumber('--uses', uses, { from: 1, to: TOKEN_USES_MAX, otherwise: 1 }),
    days: wholeNumber('--days', days, { from: 1, to: TOKEN_DAYS_MAX, otherwise: TOKEN_DAYS_DEFAULT }),
    now: systemSeconds(),
  }
  const links = server.length === 0 ? [] : [{ servers: server }]
  const seed = createSeed(openFleetFolder(fleet), { file, links, token: founder === true ? null : terms })
  const facts = describe(seed, file)
  print(command, facts, () => text(facts))
}

/** No secret is in it. */
function describe({ fleet, founderKey, enrolment, epoch, links }: Seed, file: string) {
  const terms = enrolment?.token.terms
  return {
    file,
    fleet: fleet.id,
    name: fleet.name,
    founder: fleet.founder.node,
    for: founderKey === null ? 'newcomers' : 'the founder',
    token: enrolment?.token.id ?? null,
    tier: terms?.tier ?? fleet.founder.tier,
    role: terms?.role ?? 'gateway',
    uses: terms?.uses ?? null,
    expires: terms === undefined ? null : new Date(terms.expiresAt * 1000).toISOString(),
    hasExpired: terms !== undefined && terms.expiresAt <= systemSeconds(),
    epoch: epoch?.number ?? 0,
    servers: links.flatMap(({ servers }) => servers),
  }
}

function text(facts: ReturnType<typeof describe>): string {
  const { token, uses, expires, tier, role } = facts
  return table([
    ['seed', `${facts.file}, for ${facts.for}, tier ${tier}${facts.token === null ? '' : ' at most'}, ${role}`],
    ['fleet', `${facts.name} (${facts.fleet}), founded by node ${facts.founder}`],
    ...(token === null ? [] : [['token', `${token}, ${uses} ${uses === 1 ? 'use' : 'uses'}, until ${expires}`]]),
    ...(facts.epoch === 0 ? [] : [['epoch', `${facts.epoch}: it joins by nobody who shows an older one`]]),
    ['servers', facts.servers.length === 0 ? 'none: the config names the links' : facts.servers.join(' ')],
  ])
}
