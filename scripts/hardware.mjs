import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { bundle } from './bundle.mjs'
import { ensureBuilt } from './ensure-built.mjs'
import { prepareKernel } from './hardware/kernel.mjs'
import { bootGuest } from './hardware/guest.mjs'
import { ensureInstalled } from './install.mjs'
import { fail, inProject, runCommand, seconds } from './project.mjs'
import { installPackages } from './system-tools.mjs'

const usage = `npm run test:hardware -- [--kernel 6.1] [--kernel 6.12]
Runs the real onoff and the built gateway on real kernels of Debian with simulated GPIO lines (gpio-sim), in an emulated
machine. It needs apt, the network once, about 1 GB under .cache/hardware, and some minutes.
  --kernel SERIES   one of the series above; both if not given`

/** The first numbers lines downward from 512, as kernels did up to 6.1; the second one upward, as they do since. */
const series = ['6.1', '6.12']

const { values } = parseArgs({
  options: { kernel: { type: 'string', multiple: true, default: series }, help: { type: 'boolean', default: false } },
})
if (values.help || values.kernel.some((one) => !series.includes(one))) {
  console.log(usage)
  process.exit(values.help ? 0 : 2)
}
if (process.arch !== 'x64')
  fail('The emulated machine is of the type amd64, and so must this one be: its programs run there.')

ensureInstalled()
const startedMs = performance.now()
await buildAddOn()
await ensureBuilt()
const obstacle = await installPackages([
  'qemu-system-x86',
  'busybox-static',
  'cpio',
  'kmod',
  'gcc',
  'make',
  'xz-utils',
  'gpiod',
])
if (obstacle !== null) fail(`The emulated machine cannot be made: ${obstacle}.`)
const program = await bundle({ name: 'hardware', files: ['test/hardware/on-the-kernel.ts'] })

let failed = 0
for (const kernelSeries of values.kernel) {
  const kernelMs = performance.now()
  const kernel = await prepareKernel(kernelSeries)
  console.log(`kernel ${kernel.version}: prepared in ${seconds(kernelMs)}`)
  const bootMs = performance.now()
  const passed = await bootGuest(kernel, program)
  console.log(`${passed ? '✔' : '✖'} kernel ${kernel.version}: ran in ${seconds(bootMs)}`)
  if (!passed) failed += 1
}
console.log(
  `${failed === 0 ? 'All' : `${values.kernel.length - failed} of ${values.kernel.length}`} passed in ${seconds(startedMs)}.`,
)
process.exitCode = failed === 0 ? 0 : 1

/** onoff waits for edges with an add-on, which no other script lets npm compile. */
async function buildAddOn() {
  if (existsSync(inProject('node_modules', 'epoll', 'build', 'Release', 'epoll.node'))) return
  const { ok, output } = await runCommand('npm', ['rebuild', 'epoll', '--ignore-scripts=false'])
  if (!ok) fail(`epoll, the add-on of onoff, could not be compiled:\n${output}`)
}
