import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { fail, inProject } from './project.mjs'

/**
 * Makes node_modules what package-lock.json says, with `npm ci`, when it is missing or of another time. It needs Node
 * alone, so a script can call it before it imports any dependency.
 */
export function ensureInstalled() {
  requireNode(20)
  const failure = install('.')
  if (failure !== null) fail(failure)
}

/**
 * The same for any folder of the project that has a lockfile.
 * @returns {string | null} one line for people if it failed, behind npm's own words, or null
 */
export function install(/** @type {string} */ folder) {
  const reason = whyInstall(folder)
  if (reason === null) return null
  console.error(`Installing ${folder === '.' ? 'the dependencies' : folder} with npm ci: ${reason}.`)
  const { status, error, output } = npmCi(inProject(folder))
  if (status === 0) return null
  if (error) return `npm could not be started (${error.message}). Install npm, or put it on the PATH, and try again.`
  console.error(output.trim().split('\n').slice(0, 12).join('\n'))
  return /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED/.test(output)
    ? 'The package registry was not reached. The first set-up needs the network once; connect and run this again.'
    : 'npm ci failed: its own words are above. Mend that and run this again.'
}

/** @returns {string | null} why node_modules of the folder does not serve, or null when it does */
function whyInstall(/** @type {string} */ folder) {
  const installedList = inProject(folder, 'node_modules', '.package-lock.json')
  if (!existsSync(installedList)) return 'node_modules is missing'
  const wanted = packagesOf(inProject(folder, 'package-lock.json'))
  const installed = packagesOf(installedList)
  for (const [path, { version, optional, peer }] of Object.entries(wanted)) {
    if (path === '' || optional || peer) continue
    if (installed[path]?.version !== version) return `${path} is not at ${version}`
  }
  return null
}

/** @returns {Record<string, { version: string, optional?: boolean, peer?: boolean }>} */
function packagesOf(/** @type {string} */ file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages ?? {}
}

function npmCi(/** @type {string} */ cwd) {
  // npm names its own program when it runs a script, so the same npm is used even if another comes first on the PATH.
  const program = process.env['npm_execpath']
  const args = ['ci', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
  const ran = program?.endsWith('npm-cli.js')
    ? spawnSync(process.execPath, [program, ...args], { cwd, encoding: 'utf8' })
    : spawnSync('npm', args, { cwd, encoding: 'utf8', shell: process.platform === 'win32' })
  return { status: ran.status, error: ran.error, output: `${ran.stdout ?? ''}${ran.stderr ?? ''}` }
}

function requireNode(/** @type {number} */ major) {
  if (Number(process.versions.node.split('.')[0]) >= major) return
  fail(`Fleetstep needs Node.js ${major} or newer; this is ${process.version}. Install a newer one and try again.`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) ensureInstalled()
