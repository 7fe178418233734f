import { parseArgs } from 'node:util'
import { killServersOf, obstacleToCluster } from './broker-clusters.ts'
import { checkClonedImages, obstacleToClones } from './cloned-images.ts'
import { checkCrashImages, obstacleToImages } from './crash-images.ts'
import { killDaemon } from './kill-daemon.ts'
import { readArguments } from '../support/arguments.ts'

const USAGE = `npm run faults -- kill [--runs N] [--seed S]     kills a daemon under load and looks for every durable operation
npm run faults -- images [--runs N] [--seed S]   cuts the power at block level and looks for every acknowledged record
npm run faults -- clones [--runs N] [--seed S]   copies the disk in one moment while it is written to, and does the same
npm run faults -- brokers                        kills servers of NATS and RabbitMQ clusters under load
  --runs N   kills (default 200), crash images (default 80), or copies (default 30)
  --seed S   another draw of the moments (default 1)`

/** @returns the exit code: 0, 1 if something was lost, 2 for wrong arguments */
export async function main(args: readonly string[]): Promise<number> {
  const read = readArguments(
    () =>
      parseArgs({
        args: [...args],
        allowPositionals: true,
        options: { runs: { type: 'string' }, seed: { type: 'string', default: '1' } },
      }),
    USAGE,
  )
  if (read === null) return 2
  const { values, positionals } = read
  const seed = Number(values.seed)
  switch (positionals[0]) {
    case 'kill':
      return report(await killDaemon({ runs: Number(values.runs ?? '200'), seed }))
    case 'images':
      return await unless(obstacleToImages(), () => checkCrashImages({ images: Number(values.runs ?? '80'), seed }))
    case 'clones':
      return await unless(await obstacleToClones(), () =>
        checkClonedImages({ images: Number(values.runs ?? '30'), seed }),
      )
    case 'brokers': {
      const nats = await unless(obstacleToCluster('nats'), () => killServersOf('nats'))
      const rabbitmq = await unless(obstacleToCluster('rabbitmq'), () => killServersOf('rabbitmq'))
      return Math.max(nats, rabbitmq)
    }
    default:
      console.error(USAGE)
      return 2
  }
}

async function unless(obstacle: string | null, proof: () => Promise<object>): Promise<number> {
  if (obstacle === null) return report(await proof())
  console.error(`Not tested: ${obstacle}.`)
  return process.env['CI'] === 'true' ? 1 : 0
}

function report(figures: object): number {
  console.log(JSON.stringify(figures))
  return 0
}
