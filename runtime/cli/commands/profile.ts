import type { Command } from 'commander'
import { EXIT_CODES } from '../../base/errors.ts'

export function configure(command: Command): void {
  command.addHelpText(
    'after',
    `
A profile says which points a device has, what values they take and what they are wired to. NAME is one that comes with
Fleetstep, or a YAML file (.yaml, .yml). The words: device-profiles/README.md of the package.

  fleetstep profile show generic-linux > mine.yaml      begin with one that is there
  fleetstep profile validate mine.yaml                  every mistake with line and column
  fleetstep profile diff mine.yaml                      what it would change on the running gateway
  fleetstep profile apply                               put the file of the gateway's config in force, now

A running gateway looks after the file of its config by itself: an edit that is valid is in force within two seconds, one
that is not is refused and the old one stays; fleetstep status shows it.`,
  )
  const list = command
    .command('list')
    .description('list the profiles that come with Fleetstep, and those in force in the fleet if a gateway runs')
    .action(async () => await (await import('./profile-list.ts')).listProfiles(list))
  const show = command
    .command('show')
    .argument('[name]', 'a profile; the one in force on the running gateway if left out')
    .description('print a profile as it is written, to read or to begin a new one with')
    .action(async (name?: string) => await (await import('./profile-show.ts')).showProfile(show, name))
  const validate = command
    .command('validate')
    .argument('<names...>')
    .description(`check profiles whole; exit code ${EXIT_CODES['profile-invalid']} if one is not valid`)
    .action(async (names: string[]) => (await import('./profile-validate.ts')).validateProfiles(validate, names))
  const diff = command
    .command('diff')
    .argument('[from]')
    .argument('[to]')
    .description(
      'what an edit changes: from one profile to another, or from what is in force to FROM or the gateway’s file',
    )
    .action(
      async (from?: string, to?: string) => await (await import('./profile-show.ts')).diffProfiles(diff, from, to),
    )
  const apply = command
    .command('apply')
    .argument('[name]', "a profile for another node's device; left out, the running gateway reads its own again")
    .description('put a profile in force, and say what came of it')
    .option('--device <name>', 'the device of the other node')
    .option(
      '--offered',
      'those that gateways offer (profile list), in a fleet with keys on a node of an operator; all, or that of --device',
    )
    .option('--node <id>', 'the other node: in a fleet with keys an operator does this for gateways that may not')
    .action(async (name?: string) => await (await import('./profile-apply.ts')).applyProfile(apply, name))
  const misfits = command
    .command('misfits')
    .argument('[device]', "this gateway's own if left out")
    .description('list values from before a profile, which it does not allow')
    .option('--correct', 'give each the defaultValue of the profile, and take away those without one')
    .action(async (device?: string) => await (await import('./profile-misfits.ts')).showMisfits(misfits, device))
  const remove = command
    .command('remove')
    .argument('<device>')
    .description('take the profile of a device that is gone out of the fleet: its points are free then')
    .action(async (device: string) => await (await import('./profile-misfits.ts')).removeProfile(remove, device))
}
