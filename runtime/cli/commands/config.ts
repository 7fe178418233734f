import type { Command } from 'commander'
import { loadConfig } from '../../gateway/config.ts'
import { readSeed } from '../../gateway/fleet.ts'
import { exampleConfig } from '../../gateway/config-example.ts'
import { print } from '../output.ts'

export function configure(command: Command): void {
  command
    .addHelpText('after', '\n  fleetstep config > gateway.yaml\n  fleetstep config check gateway.yaml')
    .action(() => {
      const example = exampleConfig()
      print(command, example, () => example.config)
    })
  const check = command
    .command('check')
    .argument('<file>')
    .description('say whether a config file can be used, and where it cannot')
    .action((file: string) => {
      const config = loadConfig(file)
      const { seed, name: ownName, members } = config.fleet
      const fleet =
        seed === null ? `fleet ${ownName ?? ''} of ${members?.length ?? 1}` : `fleet ${readSeed(seed).fleet.name}`
      const links = config.links.map(({ name }) => name).join(', ')
      print(
        check,
        { file, valid: true, config },
        () => `${file} is valid: ${fleet}, links: ${links === '' ? 'none' : links}`,
      )
    })
}
