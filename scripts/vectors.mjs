import { bundleAndImport } from './bundle.mjs'
import { ensureInstalled } from './install.mjs'

// npm run vectors -- FILE…: plays golden scenarios from files and says which hold.
ensureInstalled()
const { main } = await bundleAndImport({ name: 'run-vectors', file: 'test/vectors/run-vectors.ts' })
process.exitCode = await main(process.argv.slice(2))
