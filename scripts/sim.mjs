import { setFlagsFromString } from 'node:v8'
import { bundleAndImport } from './bundle.mjs'
import { ensureInstalled } from './install.mjs'

// npm run sim -- --seed N --schedules K: the simulator reads its own arguments and explains them with --help.
ensureInstalled()
// A schedule is over in a few milliseconds and a run takes many: what is compiled sooner pays for itself, by a third.
setFlagsFromString('--interrupt-budget=20000')
setFlagsFromString('--no-flush-bytecode')
const { main } = await bundleAndImport({ name: 'simulate', file: 'test/simulation/simulate.ts', keepNames: false })
process.exitCode = await main(process.argv.slice(2))
