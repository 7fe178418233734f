import type { Command } from 'commander'

export function configure(command: Command): void {
  command.addHelpText(
    'after',
    `
A path names one point: segments joined by /, as in line1/pump3/speed. A value is JSON if it parses (5, true, [1,2],
{"a":1}), else text. A change is executed at once, online or not; the command answers when it is on the disk.`,
  )
  const get = command
    .command('get')
    .argument('[path]', 'a point, or what is above several; everything if left out')
    .description('print points and their values')
    .option('--settled', 'the values that no member can change any more without a new operation')
    .option('--telemetry', 'only readings that are no operations, with quality, age and the node that has read them')
    .action(async (path?: string) => await (await import('./state-get.ts')).getState(get, path))
  const show = command
    .command('show')
    .option('--device <name>', 'the points of another device of the fleet, whose profile is in the state')
    .description("print the points of this gateway's profile: what is wished for, what the device has, units, health")
    .action(async () => await (await import('./state-show.ts')).showState(show))
  const set = command
    .command('set')
    .argument('<path>')
    .argument('[value]', "JSON if it parses, else text; left out, the defaultValue of this gateway's profile")
    .description('give a point a value')
    .option('--string', 'the value is text, whatever it looks like')
    .action(
      async (path: string, value?: string) => await (await import('./state-change.ts')).setState(set, path, value),
    )
  const remove = command
    .command('rm')
    .argument('<path>')
    .description('take a point out of the state')
    .action(async (path: string) => await (await import('./state-change.ts')).removeState(remove, path))
  configurePatch(command.command('patch'))
  const watch = command
    .command('watch')
    .argument('[pattern]', 'a path in which * stands for one segment and a last ** for all below', '**')
    .description('print a line for each change until Ctrl-C')
    .option('--settled', 'print changes only when nothing can undo them any more')
    .action(async (pattern: string) => await (await import('./state-watch.ts')).watchState(watch, pattern))
}

function configurePatch(patch: Command): void {
  patch
    .argument('[json]', 'an object of path to new value, where null removes; - reads it from standard input')
    .description('make several changes as one operation: all of them or none')
    .option('--set <path=value>', 'give a point a value', gather)
    .option('--add <path=number>', 'add to a number', gather)
    .option('--append <path=item>', 'append to a list', gather)
    .option('--toggle <path>', 'true becomes false, false becomes true', gather)
    .option('--rm <path>', 'take a point out', gather)
    .option('--expect <condition>', 'only if this holds: path=value, or with != < <= > >=, or path: it exists', gather)
    .addHelpText(
      'after',
      `
Each option may be given several times.
  fleetstep state patch --expect valve=open --set pump=true --add starts=1
  fleetstep state patch '{"line1/speed": 40, "line1/alarm": null}'`,
    )
    .action(async (json?: string) => await (await import('./state-change.ts')).patchState(patch, json))
}

function gather(word: string, before: readonly string[] = []): readonly string[] {
  return [...before, word]
}
