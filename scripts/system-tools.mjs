import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { runCommand } from './project.mjs'

/** What tests use beyond npm. A test that needs one says so by naming its command, or the word that stands for it. */
const systemTools = [
  { command: 'mosquitto', debianPackage: 'mosquitto', purpose: 'the MQTT link against a broker of its own kind' },
  { command: 'socat', debianPackage: 'socat', purpose: 'serial links over terminals and the real serial library' },
  {
    command: 'nats-server',
    debianPackage: 'nats-server',
    purpose: 'a cluster of NATS, and the settings written for it',
  },
  { command: 'rabbitmq-server', debianPackage: 'rabbitmq-server', purpose: 'a cluster of RabbitMQ' },
  {
    file: '/usr/lib/python3/dist-packages/cbor2',
    command: 'python3',
    word: 'python3-cbor2',
    debianPackage: 'python3-cbor2',
    purpose: 'frames read by another decoder',
  },
  {
    file: '/usr/lib/python3/dist-packages/cryptography',
    command: 'python3',
    word: 'python3-cryptography',
    debianPackage: 'python3-cryptography',
    purpose: 'signatures verified by another library',
  },
  {
    file: '/usr/lib/python3/dist-packages/pymodbus',
    command: 'python3',
    word: 'python3-pymodbus',
    debianPackage: 'python3-pymodbus',
    purpose: 'Modbus against a slave of another kind',
  },
  {
    file: '/usr/lib/python3/dist-packages/serial_asyncio',
    command: 'python3',
    word: 'python3-serial-asyncio',
    debianPackage: 'python3-serial-asyncio',
    purpose: 'Modbus against a slave of another kind',
  },
  { command: 'mosquitto_sub', debianPackage: 'mosquitto-clients', purpose: 'what other tools see' },
  { command: 'faketime', word: 'libfaketime', debianPackage: 'faketime', purpose: 'daemons whose clock is wrong' },
  { command: 'ip', word: 'networkNamespace', debianPackage: 'iproute2', purpose: 'gateways that find each other' },
]

/** Debian puts daemons where only root's PATH looks. */
const daemonFolders = ['/usr/local/sbin', '/usr/sbin']

/** The PATH under which tests find these tools. */
export function pathWithTools() {
  return [process.env['PATH'] ?? '', ...daemonFolders].join(delimiter)
}

/**
 * Installs what is missing, with apt, where that needs no question answered.
 * @param {(word: string) => boolean} isNeeded
 * @returns {Promise<string[]>} one clear line for each tool that could not be had
 */
export async function ensureSystemTools(isNeeded) {
  const missing = systemTools.filter((tool) => isNeeded(tool.word ?? tool.command) && !isInstalled(tool))
  if (missing.length === 0) return []
  const packages = missing.map(({ debianPackage }) => debianPackage)
  const obstacle = await install(packages)
  return missing
    .filter((tool) => !isInstalled(tool))
    .map(
      ({ command, purpose }) =>
        `Not tested: ${purpose}. ${command} is missing: ${obstacle ?? 'the package has no such command'}.`,
    )
}

/** A library has no command of its own: its folder tells. */
function isInstalled(/** @type {{ command: string, file?: string }} */ { command, file }) {
  return isThere(command) && (file === undefined || existsSync(file))
}

function isThere(/** @type {string} */ command) {
  return pathWithTools()
    .split(delimiter)
    .some((folder) => folder !== '' && existsSync(join(folder, command)))
}

/**
 * Installs packages of Debian, with apt, where that needs no question answered; those that are there cost nothing.
 * @param {readonly string[]} packages
 * @returns {Promise<string | null>} why they were not installed, or null
 */
export async function installPackages(packages) {
  const { ok, output } = await runCommand('dpkg-query', ['--show', '--showformat=${Status}\n', ...packages])
  const areAll =
    ok &&
    output
      .trim()
      .split('\n')
      .every((line) => line === 'install ok installed')
  return areAll ? null : await install([...packages])
}

/** @returns {Promise<string | null>} why it was not installed, or null */
async function install(/** @type {string[]} */ packages) {
  const wish = `install ${packages.join(' ')} and try again`
  if (!isThere('apt-get')) return `there is no apt-get here; ${wish}`
  const asRoot = process.getuid?.() === 0
  if (!asRoot && !(await runCommand('sudo', ['-n', 'true'])).ok) return `sudo asks for a password; ${wish}`
  console.log(`Installing ${packages.join(', ')} with apt-get, for the tests.`)
  const [command, ...args] = [...(asRoot ? [] : ['sudo', '-n']), 'sh', '-c', aptScript, 'sh', ...packages]
  const { ok, output } = await runCommand(command ?? 'sh', args)
  return ok ? null : `apt-get failed (${output.trim().split('\n').at(-1)}); ${wish}`
}

/** The tests start their own brokers, so the packages' services are kept from starting (policy-rc.d, exit 101). */
const aptScript = `
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
fi
apt-get install -y -qq --no-install-recommends "$@" 2>/dev/null && exit 0
apt-get update -qq
apt-get install -y -qq --no-install-recommends "$@"
`
