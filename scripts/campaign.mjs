import { rmSync } from 'node:fs'
import { bundleAndImport } from './bundle.mjs'
import { ensureBuilt } from './ensure-built.mjs'
import { ensureInstalled } from './install.mjs'
import { inProject } from './project.mjs'
import { ensureSystemTools } from './system-tools.mjs'

// npm run campaign -- --seed N --minutes M: a fleet of real processes, real brokers, cables and disks, and real trouble.
ensureInstalled()
// Reports can be read anywhere.
if (!process.argv.includes('--summarise')) {
  await ensureBuilt()
  const tools = ['mosquitto', 'mosquitto_sub', 'nats-server', 'socat', 'networkNamespace', 'libfaketime']
  for (const line of await ensureSystemTools((word) => tools.includes(word))) console.error(line)
}
// Two campaigns may begin at the same time.
const { main } = await bundleAndImport({ name: `campaign-${process.pid}`, file: 'test/campaign/campaign.ts' })
for (const ending of ['', '.map']) rmSync(inProject('.cache', 'bundles', `campaign-${process.pid}.mjs${ending}`))
process.exitCode = await main(process.argv.slice(2))
