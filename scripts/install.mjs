import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { fail, inProject, projectRoot } from './project.mjs'

/**
 * Makes node_modules what package-lock.json says, with `npm ci`, when it is missing or of another time. It needs Node
 * alone, so a script can call it before it imports any dependency.
 */
export function ensureInstalled() {
  requireNode(20)
  const reason = whyInstall()
  if (reason === null) return
  console.error(`Installing the dependencies with npm ci: ${reason}.`)
  const { status, error, output } = npmCi()
  if (status === 0) return
  if (error) fail(`npm could not be started (${error.message}). Install npm, or put it on the PATH, and try again.`)
  console.error(output.trim().split('\n').slice(0, 12).join('\n'))
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED/.test(output)) {
    fail('The package registry was not reached. The first set-up needs the network once; connect and run this again.')
  }
  fail('npm ci failed: its own words are above. Mend that and run this again.')
}

/** @returns {string | null} why node_modules does not serve, or null when it does */
function whyInstall() {
  const installedList = inProject('node_modules', '.package-lock.json')
  if (!existsSync(installedList)) return 'node_modules is missing'
  const wanted = packagesOf(inProject('package-lock.json'))
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

function npmCi() {
  // npm names its own program when it runs a script, so the same npm is used even if another comes first on the PATH.
  const program = process.env['npm_execpath']
  const args = ['ci', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
  const ran = program?.endsWith('npm-cli.js')
    ? spawnSync(process.execPath, [program, ...args], { cwd: projectRoot, encoding: 'utf8' })
    : spawnSync('npm', args, { cwd: projectRoot, encoding: 'utf8', shell: process.platform === 'win32' })
  return { status: ran.status, error: ran.error, output: `${ran.stdout ?? ''}${ran.stderr ?? ''}` }
}

function requireNode(/** @type {number} */ major) {
  if (Number(process.versions.node.split('.')[0]) >= major) return
  fail(`Fleetstep needs Node.js ${major} or newer; this is ${process.version}. Install a newer one and try again.`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) ensureInstalled()
