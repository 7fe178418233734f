import { parseArgs } from 'node:util'
import { checkCrashImages, obstacleToImages } from './crash-images.ts'
import { killDaemon } from './kill-daemon.ts'

const USAGE = `npm run faults -- kill [--runs N] [--seed S]     kills a daemon under load and looks for every durable operation
npm run faults -- images [--runs N] [--seed S]   cuts the power at block level and looks for every acknowledged record
  --runs N   kills (default 200), or crash images (default 80)
  --seed S   another draw of the moments (default 1)`

/** @returns the exit code: 0, 1 if something was lost, 2 for wrong arguments */
export async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { runs: { type: 'string' }, seed: { type: 'string', default: '1' } },
  })
  const seed = Number(values.seed)
  switch (positionals[0]) {
    case 'kill':
      return report(await killDaemon({ runs: Number(values.runs ?? '200'), seed }))
    case 'images': {
      const obstacle = obstacleToImages()
      if (obstacle === null) return report(await checkCrashImages({ images: Number(values.runs ?? '80'), seed }))
      console.error(`Not tested: ${obstacle}.`)
      return process.env['CI'] === 'true' ? 1 : 0
    }
    default:
      console.error(USAGE)
      return 2
  }
}

function report(figures: object): number {
  console.log(JSON.stringify(figures))
  return 0
}
