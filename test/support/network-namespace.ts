import { spawnSync } from 'node:child_process'
import type { TestContext } from 'node:test'
import { until } from '../links/clocks.ts'
import { PROGRAM, startCommand, type Run, type Workplace } from '../cli/program.ts'

/** A network of its own on this machine: what is multicast in it leaves it not. */
export interface NetworkNamespace {
  /** Starts a gateway in it and waits until it says that it is ready. */
  gateway(place: Workplace, config: string, nodeName: string): Promise<Run>
}

/** Why there can be none here, or false. It takes root, the tool `ip`, and a kernel that lets a container make one. */
export const NAMESPACE_SKIP: string | false = obstacle()

/** It goes after the test. */
export function networkNamespace(t: TestContext): NetworkNamespace {
  const name = `fleetstep-test-${process.pid}`
  ip('netns', 'add', name)
  t.after(() => ip('netns', 'delete', name))
  ip('-n', name, 'link', 'set', 'lo', 'up')
  ip('-n', name, 'link', 'add', 'wire', 'type', 'veth', 'peer', 'name', 'end')
  ip('-n', name, 'link', 'set', 'end', 'up')
  ip('-n', name, 'addr', 'add', '10.77.0.1/24', 'dev', 'wire')
  ip('-n', name, 'link', 'set', 'wire', 'up', 'multicast', 'on')
  ip('-n', name, 'route', 'add', '224.0.0.0/4', 'dev', 'wire')
  return {
    async gateway(place, config, nodeName) {
      const words = ['netns', 'exec', name, process.execPath, PROGRAM, 'run', '--config', config, '--node-id', nodeName]
      const run = startCommand(place, 'ip', words)
      await until(() => run.stdout.includes('\n') || run.code !== null, 'the gateway is ready')
      if (run.code !== null) throw new Error(`the gateway ended with ${run.code}: ${run.stderr}`)
      return run
    },
  }
}

function obstacle(): string | false {
  const name = `fleetstep-try-${process.pid}`
  const tried = spawnSync('ip', ['netns', 'add', name])
  if (tried.status !== 0) return 'no network namespace can be made here: it takes root and the tool ip'
  const wired = spawnSync('ip', ['-n', name, 'link', 'add', 'wire', 'type', 'veth', 'peer', 'name', 'end'])
  spawnSync('ip', ['netns', 'delete', name])
  return wired.status !== 0 && 'no interface can be made in a network namespace here'
}

function ip(...words: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', words, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${words.join(' ')}: ${stderr}`)
}
