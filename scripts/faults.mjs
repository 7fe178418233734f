import { bundleAndImport } from './bundle.mjs'
import { ensureBuilt } from './ensure-built.mjs'
import { ensureInstalled } from './install.mjs'

// npm run faults -- kill | images | clones: the proofs read their own arguments; without one they say what there is.
ensureInstalled()
await ensureBuilt()
const { main } = await bundleAndImport({ name: 'faults', file: 'test/faults/faults.ts' })
process.exitCode = await main(process.argv.slice(2))
