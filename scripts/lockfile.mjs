import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { fail, inProject } from './project.mjs'

/**
 * `npm ci` refuses a lockfile that leaves out a package for some other platform, and npm leaves it out when the registry
 * in use did not have it. This finds such gaps and fills them from what the lockfile itself says: the parent names the
 * exact version, and the package's name says its platform.
 * @typedef {{ version: string, dev?: boolean, optional?: boolean, os?: string[], cpu?: string[], libc?: string[] }} Locked
 * @typedef {Locked & { optionalDependencies?: Record<string, string> }} Parent
 */

const files = ['package-lock.json', 'test/bench/peers/package-lock.json']

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const processors = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64']

/** @returns {Promise<{ ok: boolean, output: string }>} */
export async function checkLockfile() {
  for (const file of files) {
    const [gap] = gapsIn(file).keys()
    if (gap === undefined) continue
    return { ok: false, output: `${file} leaves out ${gap}, so npm ci would refuse it. Run: node scripts/lockfile.mjs` }
  }
  return { ok: true, output: '' }
}

/** @returns {Map<string, Locked>} by path, what the lockfile should hold and does not */
function gapsIn(/** @type {string} */ file) {
  /** @type {Record<string, Parent>} */
  const packages = JSON.parse(readFileSync(inProject(file), 'utf8')).packages
  const gaps = new Map()
  for (const parent of Object.values(packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      const path = `node_modules/${name}`
      if (!(path in packages)) gaps.set(path, locked(name, version, parent.dev === true))
    }
  }
  return gaps
}

/** @returns {Locked} */
function locked(/** @type {string} */ name, /** @type {string} */ version, /** @type {boolean} */ dev) {
  if (!/^\d+\.\d+\.\d+$/.test(version))
    fail(`${name} is wanted as ${version}: only npm can choose a version. Run npm install.`)
  const words = name.split(/[/-]/)
  const os = systems.filter((system) => words.includes(system))
  const cpu = processors.filter((processor) => words.includes(processor))
  const libc = words.some((word) => word.startsWith('musl'))
    ? ['musl']
    : words.some((word) => word.startsWith('gnu'))
      ? ['glibc']
      : []
  return {
    version,
    ...(cpu.length > 0 && { cpu }),
    ...(dev && { dev }),
    ...(libc.length > 0 && { libc }),
    optional: true,
    ...(os.length > 0 && { os }),
  }
}

/** Puts them where npm would: in the order of their paths. */
function fillGaps(/** @type {string} */ file) {
  const gaps = gapsIn(file)
  const lock = JSON.parse(readFileSync(inProject(file), 'utf8'))
  const entries = [...Object.entries(lock.packages), ...gaps]
  lock.packages = Object.fromEntries(entries.toSorted(([a], [b]) => a.localeCompare(b, 'en')))
  if (gaps.size > 0) writeFileSync(inProject(file), `${JSON.stringify(lock, null, 2)}\n`)
  console.log(gaps.size === 0 ? `${file} is whole.` : `${file}: ${gaps.size} packages of other platforms added.`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) for (const file of files) fillGaps(file)
