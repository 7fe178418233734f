import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inProject, runCommand, tool } from './project.mjs'

/** @typedef {{ ok: boolean, output: string }} Result */

const manifest = JSON.parse(readFileSync(inProject('package.json'), 'utf8'))

/**
 * Checks the package as a user gets it: packs it, has its entry points and types examined, and uses the tarball.
 * It needs a fresh dist.
 * @returns {Promise<Result>}
 */
export async function checkPackage() {
  const folder = mkdtempSync(join(tmpdir(), 'fleetstep-package-'))
  try {
    const packed = await runCommand('npm', ['pack', '--loglevel=error', '--pack-destination', folder])
    if (!packed.ok) return packed
    const tarball = join(folder, `${manifest.name}-${manifest.version}.tgz`)
    for (const step of [examineEntries, examineTypes, importTarball, runAlone]) {
      const result = await step(tarball, folder)
      if (!result.ok) return result
    }
    return { ok: true, output: '' }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function examineEntries(/** @type {string} */ tarball) {
  return runCommand(tool('publint'), ['run', tarball, '--strict'])
}

function examineTypes(/** @type {string} */ tarball) {
  return runCommand(tool('attw'), [tarball, '--profile', 'esm-only', '--no-emoji', '--format', 'table'])
}

/** An application that depends on the package imports it, and its command answers. */
async function importTarball(/** @type {string} */ tarball, /** @type {string} */ folder) {
  const application = join(folder, 'application')
  const unpacked = await unpack(tarball, join(application, 'node_modules', manifest.name))
  if (!unpacked.ok) return unpacked
  linkDependencies(join(application, 'node_modules'))
  const source = `console.log(Object.keys(await import('${manifest.name}')).length > 0 ? 'imported' : 'no exports')`
  const imported = await runCommand(process.execPath, ['--input-type=module', '--eval', source], { cwd: application })
  if (imported.output.trim() !== 'imported') return failed('import of the packed library', imported.output)
  return answersVersion(join(application, 'node_modules', manifest.name, manifest.bin.fleetstep), application)
}

/** The program has its dependencies inside: it must start where there is no node_modules at all. */
async function runAlone(/** @type {string} */ tarball, /** @type {string} */ folder) {
  const alone = join(folder, 'alone')
  const unpacked = await unpack(tarball, alone)
  return unpacked.ok ? answersVersion(join(alone, manifest.bin.fleetstep), alone) : unpacked
}

/** The file itself is started, so that its first line and its mode are checked too. */
async function answersVersion(/** @type {string} */ program, /** @type {string} */ cwd) {
  const answered = await runCommand(program, ['--version'], { cwd })
  if (answered.ok && answered.output.trim() === manifest.version) return answered
  return failed(`${manifest.bin.fleetstep} --version, expected ${manifest.version}`, answered.output)
}

function unpack(/** @type {string} */ tarball, /** @type {string} */ folder) {
  mkdirSync(folder, { recursive: true })
  return runCommand('tar', ['-xzf', tarball, '-C', folder, '--strip-components=1'])
}

function linkDependencies(/** @type {string} */ nodeModules) {
  for (const name of readdirSync(inProject('node_modules'))) {
    if (name !== manifest.name && !name.startsWith('.'))
      symlinkSync(inProject('node_modules', name), join(nodeModules, name))
  }
}

/** @returns {Result} */
function failed(/** @type {string} */ what, /** @type {string} */ output) {
  return { ok: false, output: `${what} failed:\n${output}` }
}
