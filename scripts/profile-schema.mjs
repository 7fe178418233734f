import { bundleAndImport } from './bundle.mjs'
import { ensureInstalled } from './install.mjs'

// npm run profile-schema: writes the JSON schema of device profiles, for editors. A test fails while it is stale.
ensureInstalled()
const { main } = await bundleAndImport({ name: 'write-editor-schema', file: 'test/device/write-editor-schema.ts' })
main()
