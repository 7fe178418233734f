import type { Command } from 'commander'
import { EXIT_CODES, FleetstepError } from '../../base/errors.ts'
import { SERIAL_BAUD_DEFAULT, SERIAL_BAUD_MAX, SERIAL_BAUD_MIN } from '../../base/limits.ts'
import {
  checkSerialPort,
  type Heard,
  listSerialPorts,
  monitorSerialPort,
  type PortCheck,
  type SerialDevice,
} from '../../gateway/serial-ports.ts'
import { stopSignal } from '../lifecycle.ts'
import { type GlobalOptions, globalOptions, print, printLine, table } from '../output.ts'

interface PortOptions extends GlobalOptions {
  readonly baud: number
}

const PORT_HELP = '/dev/…, or a name of fleetstep serial list'

export function configure(command: Command): void {
  command.addHelpText(
    'after',
    `
  fleetstep serial list                               what to write into the config, and what stands against it
  fleetstep serial check usb:0403:6001:A5069RR4       whether a link could use it
  fleetstep serial monitor /dev/ttyAMA0 --baud 9600   what comes on the line, while no gateway uses the port

Wire TX to RX both ways, and ground to ground; use the same baud on both sides.`,
  )
  const list = command
    .command('list')
    .description('print the serial ports of this machine, by names that stay with the adapter')
    .action(() => {
      const ports = listSerialPorts()
      print(list, ports, () => portsText(ports))
    })
  const check = command
    .command('check')
    .argument('<port>', PORT_HELP)
    .option('--baud <number>', 'baud to open it with', baudOf, SERIAL_BAUD_DEFAULT)
    .description('say whether a link could use a port: rights, other programs, a login console, the mini-UART')
    .action(async (port: string) => {
      const result = await checkSerialPort(port, check.optsWithGlobals<PortOptions>().baud)
      print(check, result, () => checkText(result))
      if (result.problem !== null) process.exitCode = EXIT_CODES['serial-unusable']
    })
  const monitor = command
    .command('monitor')
    .argument('<port>', PORT_HELP)
    .option('--baud <number>', 'baud of the line', baudOf, SERIAL_BAUD_DEFAULT)
    .description('print what comes on a port until Ctrl-C: frames, damaged ones, and text; it never writes')
    .action(async (port: string) => await runMonitor(monitor, port))
}

async function runMonitor(command: Command, port: string): Promise<void> {
  const isJson = globalOptions(command).json === true
  const { baud } = command.optsWithGlobals<PortOptions>()
  const { ended, close } = monitorSerialPort(port, baud, (heard) =>
    printLine(isJson ? JSON.stringify(heard) : heardText(heard)),
  )
  const stopped = stopSignal().then(() => null)
  const problem = await Promise.race([ended, stopped])
  await close()
  if (problem !== null) throw new FleetstepError('serial-unusable', problem)
  process.exit(0)
}

function portsText(ports: readonly SerialDevice[]): string {
  if (ports.length === 0) return 'none: plug an adapter in, or switch the UART of the board on'
  return ports
    .map(({ device, name, usb, warnings }) =>
      [table([[name, device, usb?.description ?? '']]), ...warnings.map((warning) => `  ${warning}`)].join('\n'),
    )
    .join('\n')
}

function checkText({ port, device, problem, warnings }: PortCheck): string {
  const where = device === null || device === port ? port : `${port} is ${device}`
  const verdict = problem ?? `${where}: a link can use it`
  return [verdict, ...warnings.map((warning) => `but ${warning}`)].join('\n')
}

function heardText(heard: Heard): string {
  switch (heard.kind) {
    case 'hello': {
      const asks = heard.isAsking ? ', and asks who is there' : ''
      return `hello  node ${heard.node} of fleet ${heard.fleet}, payload up to ${heard.payload}${asks}`
    }
    case 'goodbye':
      return 'goodbye'
    case 'data':
      return `data   ${heard.stream} ${heard.seq}, ${heard.bytes} bytes`
    case 'acknowledgement':
      return `ack    ${heard.ack}${heard.missing ? ', frames are missing' : ''}`
    case 'unknown':
      return `a frame of another version, ${heard.bytes} bytes`
    case 'damaged':
      return 'a damaged frame'
    case 'text':
      return `text   ${JSON.stringify(heard.text)}`
  }
}

function baudOf(text: string): number {
  const baud = Number(text)
  if (/^[0-9]{1,7}$/.test(text) && baud >= SERIAL_BAUD_MIN && baud <= SERIAL_BAUD_MAX) return baud
  throw new FleetstepError(
    'usage',
    `--baud ${text} is none: use a number from ${SERIAL_BAUD_MIN} to ${SERIAL_BAUD_MAX}`,
  )
}
