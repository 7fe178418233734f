import type { Command } from 'commander'
import { EXIT_CODES, FleetstepError } from '../../base/errors.ts'
import { GPIO_DEBOUNCE_MAX_MS, GPIO_LINE_MAX } from '../../base/limits.ts'
import {
  checkGpio,
  type CheckedLine,
  type GpioCheck,
  type GpioChip,
  readGpio,
  watchGpio,
  writeGpio,
} from '../../gateway/gpio-lines.ts'
import { stopSignal } from '../lifecycle.ts'
import { type GlobalOptions, globalOptions, note, print, printLine, table } from '../output.ts'

interface GpioOptions extends GlobalOptions {
  readonly sysfs: string
  readonly chip: string
  readonly activeLow?: true
}

const LINE_HELP = 'the line: on a Raspberry Pi the BCM number, not the pin of the header'

export function configure(command: Command): void {
  command.addHelpText(
    'after',
    `
  fleetstep gpio check --profile pump.yaml     the chips of this machine, and where the lines of a profile are
  fleetstep gpio read 17                       its value now; the line stays as it is
  fleetstep gpio write 17 true                 makes it an output, which stays when the command has ended
  fleetstep gpio watch 27 --debounce 20        each change until Ctrl-C

Lines are found by the label of their chip, since each kernel numbers them in its own way. A gateway that runs drives
its outputs itself: change those with fleetstep state set.`,
  )
  configureCheck(command.command('check'))
  configureRead(command.command('read'))
  configureWrite(command.command('write'))
  configureWatch(command.command('watch'))
}

function configureCheck(command: Command): void {
  command
    .option('--profile <file>', 'a device profile, or the name of a shipped one: its lines are looked up')
    .option('--sysfs <folder>', 'where sysfs is mounted', '/sys')
    .description('list the GPIO chips with label and numbers, and say whether the lines of a profile are there')
    .action(async () => {
      const { sysfs, profile = null } = command.optsWithGlobals<GpioOptions & { readonly profile?: string }>()
      const result = await checkGpio(sysfs, profile)
      print(command, result, () => checkText(result, sysfs))
      if (result.chips.length === 0 || result.lines.some(({ problem }) => problem !== null))
        process.exitCode = EXIT_CODES['gpio-unusable']
    })
}

function configureRead(command: Command): void {
  withLine(command)
    .description('print the value of a line: true or false')
    .action(async (line: number) => {
      const { sysfs, ...options } = optionsOf(command)
      const value = await readGpio({ ...options, line }, sysfs)
      print(command, { line, value }, () => String(value))
    })
}

function configureWrite(command: Command): void {
  withLine(command)
    .argument('<value>', 'true or false', valueOf)
    .option('--force', 'also a line that is in use already')
    .description('make a line an output with this value, and leave it so')
    .action(async (line: number, value: boolean) => {
      const { sysfs, ...options } = optionsOf(command)
      const { force } = command.optsWithGlobals<{ readonly force?: true }>()
      await writeGpio({ ...options, line }, value, sysfs, force === true)
      print(command, { line, value }, () => `line ${line} is ${value}, and stays so`)
    })
}

function configureWatch(command: Command): void {
  withLine(command)
    .option('--debounce <ms>', 'time that a new level must rest', debounceOf, 0)
    .description('make a line an input and print its value, then each change until Ctrl-C')
    .action(async (line: number) => {
      const { sysfs, ...options } = optionsOf(command)
      const { debounce } = command.optsWithGlobals<{ readonly debounce: number }>()
      const isJson = globalOptions(command).json === true
      const logger = { debug: () => undefined, info: note, warn: note, error: note }
      const end = await watchGpio({ ...options, line }, debounce, sysfs, logger, (value) =>
        printLine(isJson ? JSON.stringify({ line, value }) : String(value)),
      )
      await stopSignal()
      end()
      process.exit(0)
    })
}

function withLine(command: Command): Command {
  return command
    .argument('<line>', LINE_HELP, lineOf)
    .option('--chip <label>', 'label of its chip; soc is the one that the header of a Raspberry Pi is wired to', 'soc')
    .option('--active-low', 'true stands for a low level')
    .option('--sysfs <folder>', 'where sysfs is mounted', '/sys')
}

function optionsOf(command: Command): { sysfs: string; chip: string; activeLow: boolean } {
  const { sysfs, chip, activeLow } = command.optsWithGlobals<GpioOptions>()
  return { sysfs, chip, activeLow: activeLow === true }
}

function checkText({ chips, backend, warnings, lines }: GpioCheck, sysfs: string): string {
  if (chips.length === 0) {
    return `no GPIO chip under ${sysfs}/class/gpio: run it on a board with GPIO, with a kernel that has GPIO_SYSFS`
  }
  const found = table(chips.map(chipRow))
  const means = backend === 'onoff' ? 'inputs wait for edges (onoff)' : 'inputs are looked at 20 times a second'
  return [found, means, ...warnings, ...(lines.length === 0 ? [] : [table(lines.map(lineRow))])].join('\n')
}

function chipRow({ label, lines, base, folder }: GpioChip): string[] {
  const numbers = base === null ? `in ${folder ?? ''}` : `numbers ${base} to ${base + lines - 1}`
  return [label, `lines 0 to ${lines - 1}`, numbers]
}

function lineRow({ resource, chip, line, number, problem }: CheckedLine): string[] {
  const where = number === null ? 'there' : `number ${number}`
  return [resource, `line ${line} of ${chip}`, problem ?? where]
}

function lineOf(text: string): number {
  const line = Number(text)
  if (/^[0-9]{1,4}$/.test(text) && line <= GPIO_LINE_MAX) return line
  throw new FleetstepError('usage', `${text} is no line: use a number from 0 to ${GPIO_LINE_MAX}`)
}

function valueOf(text: string): boolean {
  if (text === 'true' || text === '1') return true
  if (text === 'false' || text === '0') return false
  throw new FleetstepError('usage', `${text} is no value of a line: use true or false`)
}

function debounceOf(text: string): number {
  const debounceMs = Number(text)
  if (/^[0-9]{1,5}$/.test(text) && debounceMs <= GPIO_DEBOUNCE_MAX_MS) return debounceMs
  throw new FleetstepError('usage', `--debounce ${text} is none: use milliseconds up to ${GPIO_DEBOUNCE_MAX_MS}`)
}
