import { type Command, InvalidArgumentError } from 'commander'
import { DEMO_STEP_TIMEOUT_MS } from '../../base/limits.ts'
import { runDemo } from '../demo/demo.ts'
import { tellerFor } from '../demo/teller.ts'
import { globalOptions } from '../output.ts'

interface DemoWords {
  readonly once?: true
  readonly directory: string
  readonly broker?: string
  readonly stepTimeout: number
}

export function configure(command: Command): void {
  command
    .option(
      '--once',
      'play the story in a temporary folder, compare all replicas, and end: exit code 0 if they are equal',
    )
    .option('--directory <folder>', 'where the gateways keep their files', '.fleetstep/demo')
    .option('--broker <url>', 'use the MQTT broker that is there, instead of one of its own')
    .option('--step-timeout <seconds>', 'longest time that one step may take', seconds, DEMO_STEP_TIMEOUT_MS / 1000)
    .addHelpText(
      'after',
      `
Three gateways run on this machine and play a short story: a change goes round, one gateway is cut off, both sides
change the same point, they come together again, and one is killed and started again. Then the fleet stays up for you.`,
    )
    .action(async ({ once, directory, broker, stepTimeout }: DemoWords) => {
      const isOnce = once === true
      const ending = untilTold()
      const teller = tellerFor(process.stdout, globalOptions(command).json === true)
      await runDemo({
        once: isOnce,
        directory,
        broker: broker ?? null,
        stepTimeoutMs: stepTimeout * 1000,
        teller,
        signal: ending,
      })
      teller.say(isOnce ? 'The demo is over: its processes have ended, its folder is removed.' : CLOSING)
    })
}

const CLOSING = 'The fleet has ended. Its state is kept: npm start goes on with it.'

/** Aborted by the first of the signals that ask a program to end; those that follow change nothing. */
function untilTold(): AbortSignal {
  const ending = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => ending.abort())
  return ending.signal
}

function seconds(text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value <= 0 || value > 3600)
    throw new InvalidArgumentError('It is a number of seconds, up to 3600.')
  return value
}
