import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Both carry the process id of their campaign, so that several can run on one machine and none takes away what is another's. */
export const FOLDER_PREFIX = 'fleetstep-campaign-'
export const NAMESPACE_PREFIX = 'fsc'

/** Takes away what campaigns have left that ended without their own end: processes, namespaces, mounts, loop devices, folders. */
export function removeLeftovers(): string[] {
  const removed: string[] = []
  for (const namespace of namespaces()) {
    if (isAlive(Number(/^fsc(\d+)-/.exec(namespace)?.[1]))) continue
    for (const pid of run('ip', 'netns', 'pids', namespace).split('\n')) end(Number(pid))
    run('ip', 'netns', 'delete', namespace)
    removed.push(namespace)
  }
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(FOLDER_PREFIX) || isAlive(Number(/^fleetstep-campaign-(\d+)-/.exec(name)?.[1]))) continue
    removeFolder(join(tmpdir(), name))
    removed.push(name)
  }
  return removed
}

function removeFolder(folder: string): void {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n')
  for (const [device = '', mountPoint = ''] of mounts.map((line) => line.split(' '))) {
    if (!mountPoint.startsWith(`${folder}/`)) continue
    spawnSync('fsfreeze', ['--unfreeze', mountPoint])
    run('umount', mountPoint)
    run('losetup', '--detach', device)
  }
  rmSync(folder, { recursive: true, force: true })
}

function namespaces(): string[] {
  return run('ip', 'netns', 'list')
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name.startsWith(NAMESPACE_PREFIX))
}

/** Whether a campaign has this process id. */
function isAlive(pid: number): boolean {
  return pid === process.pid || wordsOf(pid).includes('campaign')
}

function wordsOf(pid: number): string {
  if (!Number.isInteger(pid) || pid <= 1) return ''
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

function end(pid: number): void {
  if (!Number.isInteger(pid) || pid <= 1) return
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}

function run(command: string, ...words: readonly string[]): string {
  return spawnSync(command, words, { encoding: 'utf8' }).stdout ?? ''
}
