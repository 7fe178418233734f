import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { fail, inProject, runCommand } from '../project.mjs'
import { installPackages } from '../system-tools.mjs'

/**
 * What an emulated machine boots.
 * @typedef {{ version: string, image: string, modules: readonly string[] }} Kernel `modules` in the order of loading
 */

/**
 * Debian's kernel of a series with the modules that its build leaves out: simulated GPIO lines and their interrupts, made
 * of Debian's sources against its headers. What was made once is kept under .cache/hardware.
 * @param {string} series such as 6.1
 * @returns {Promise<Kernel>}
 */
export async function prepareKernel(series) {
  const version = await versionOf(series)
  const folder = inProject('.cache', 'hardware', version)
  const image = join(folder, 'boot', `vmlinuz-${version}`)
  if (!existsSync(join(folder, 'ready'))) {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    await unpackImage(version, folder)
    await buildModules(series, version, folder)
    writeFileSync(join(folder, 'ready'), '')
  }
  return { version, image, modules: await modulesOf(version, folder) }
}

/** The newest of the series that apt knows: its meta-package depends on it. */
async function versionOf(/** @type {string} */ series) {
  const meta = series === '6.1' ? 'linux-image-amd64' : `linux-image-${series}-amd64`
  const { output } = await runCommand('apt-cache', ['depends', meta])
  const version = /Depends: linux-image-(\S+)/.exec(output)?.[1]
  if (version !== undefined) return version
  return fail(`apt knows no kernel ${series} (${meta}): run apt-get update, or take a series that this Debian has.`)
}

/** Unpacked, not installed: this machine is to boot its own kernel. */
async function unpackImage(/** @type {string} */ version, /** @type {string} */ folder) {
  await must('apt-get', ['download', `linux-image-${version}`], folder)
  const archive = readdirSync(folder).find((name) => name.endsWith('.deb')) ?? ''
  await must('dpkg-deb', ['-x', archive, '.'], folder)
  rmSync(join(folder, archive))
  await must('depmod', ['-b', folder, version], folder)
}

async function buildModules(/** @type {string} */ series, /** @type {string} */ version, /** @type {string} */ folder) {
  const obstacle = await installPackages([`linux-headers-${version}`, `linux-source-${series}`])
  if (obstacle !== null) fail(`The modules for kernel ${version} cannot be made: ${obstacle}.`)
  const source = `linux-source-${series}`
  const build = join(folder, 'build')
  mkdirSync(build)
  const wanted = [`${source}/drivers/gpio/*.h`, `${source}/drivers/gpio/gpio-sim.c`, `${source}/kernel/irq/irq_sim.c`]
  await must('tar', ['-xJf', `/usr/src/${source}.tar.xz`, '--strip-components=3', '--wildcards', ...wanted], build)
  adapt(join(build, 'irq_sim.c'))
  writeFileSync(join(build, 'Makefile'), 'obj-m := irq_sim.o gpio-sim.o\n')
  const kernelBuild = `/usr/src/linux-headers-${version}`
  await must('make', ['-C', kernelBuild, `-j${availableParallelism()}`, `M=${build}`, 'modules'], build)
  for (const name of ['irq_sim.ko', 'gpio-sim.ko']) renameSync(join(build, name), join(folder, name))
}

/** Inside the kernel it may use a function that modules may not; the one beside it does the same. */
function adapt(/** @type {string} */ file) {
  const text = readFileSync(file, 'utf8')
  const adapted = text.replace(/handle_simple_irq\(irq_to_desc\((\w+)\)\)/, 'generic_handle_irq($1)')
  writeFileSync(file, `${adapted}\n#include <linux/module.h>\nMODULE_LICENSE("GPL");\n`)
}

/** What the guest needs to reach the files of this machine, then the simulated lines. */
async function modulesOf(/** @type {string} */ version, /** @type {string} */ folder) {
  /** @type {string[]} */
  const modules = []
  for (const name of ['virtio_pci', '9pnet_virtio', '9p', 'configfs']) {
    const output = await must('modprobe', ['-d', folder, '-S', version, '--show-depends', name], folder)
    for (const [, path] of output.matchAll(/^insmod (\S+)/gm)) modules.push(path ?? '')
  }
  for (const [index, path] of modules.entries()) {
    if (path.endsWith('.xz') && !existsSync(path.slice(0, -3))) await must('xz', ['-dk', path], folder)
    modules[index] = path.replace(/\.xz$/, '')
  }
  const own = ['irq_sim.ko', 'gpio-sim.ko'].map((name) => join(folder, name))
  return [...new Set([...modules, ...own])].filter((path) => basename(path) !== '')
}

async function must(/** @type {string} */ command, /** @type {readonly string[]} */ args, /** @type {string} */ cwd) {
  const { ok, output } = await runCommand(command, args, { cwd })
  if (!ok) fail(`${command} ${args.join(' ')} failed:\n${output.trim().split('\n').slice(-15).join('\n')}`)
  return output
}
