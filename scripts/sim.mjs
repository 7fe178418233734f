import { bundleAndImport } from './bundle.mjs'
import { ensureInstalled } from './install.mjs'

// npm run sim -- --seed N --schedules K: the simulator reads its own arguments and explains them with --help.
ensureInstalled()
const { main } = await bundleAndImport({ name: 'simulate', file: 'test/simulation/simulate.ts' })
process.exitCode = await main(process.argv.slice(2))
