import type { Command } from 'commander'
import * as v from 'valibot'
import { ask, withGateway } from '../connect.ts'
import { linkSchema, linksText } from '../link-text.ts'
import { print } from '../output.ts'

export function configure(command: Command): void {
  const list = command
    .command('list')
    .description('print the links, what they are connected to, and why one is not')
    .action(async () => {
      const links = await ask(list, 'link.list', {}, v.array(linkSchema))
      print(list, links, () => linksText(links))
    })
  for (const [verb, description] of [
    ['open', 'let a link connect again'],
    ['close', 'cut a link off, for maintenance; the gateway goes on and catches up when it is opened'],
  ] as const) {
    const change = command
      .command(verb)
      .argument('<name>')
      .description(description)
      .action(async (name: string) => {
        await withGateway(change, async (gateway) => await gateway.call(`link.${verb}`, { name }))
        print(
          change,
          { link: name, isOpen: verb === 'open' },
          () => `${name} is ${verb === 'open' ? 'open' : 'closed'}`,
        )
      })
  }
}
