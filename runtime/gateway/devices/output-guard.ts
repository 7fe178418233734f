import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Clock } from '../../base/clock.ts'
import { DEVICE_RETRY_MAX_MS, OUTPUT_GUARD_BEAT_MS, OUTPUT_GUARD_BEATS_MISSED } from '../../base/limits.ts'
import type { Logger } from '../../base/logger.ts'
import type { HeldWrite } from '../../device/gpio/pin.ts'

/** All that makes outputs safe while the daemon is gone. */
export interface SafeWrites {
  readonly files: readonly HeldWrite[]
  /** A program and its words, for outputs that no file stands for; null if there are none. */
  readonly program: readonly string[] | null
}

export interface OutputGuardOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** How long a hung daemon is waited for. */
  readonly beatMs?: number
  readonly beatsMissed?: number
}

/**
 * Waits for the end of its input, which is a pipe that only the daemon holds: however the daemon ends, the kernel closes it.
 * Then it writes each text into its file and becomes the program. The words are the seconds of one wait, how many waits in vain
 * mean that the daemon hangs, the number of files, each file and its text, then the program. A daemon that hangs is killed:
 * it holds the ports of its instruments, and a supervisor starts it anew. The waits are counted in a row, so that a step of the
 * wall clock, by which some shells wait, is no reason. A service manager that ends the whole group does not stop the guard; the
 * word `done` does. A shell takes a megabyte or two, where another Node would take forty.
 */
const SCRIPT = `trap '' HUP INT TERM PIPE
wait=$1 allowed=$2 files=$3 missed=0 why='is gone'; shift 3
while :; do
  if [ "$wait" = 0 ]; then read -r word; else read -r -t "$wait" word; fi
  case $? in
    0) missed=0; [ "$word" = done ] && exit 0 ;;
    1|2) break ;;
    *) missed=$((missed + 1))
      if [ "$missed" -ge "$allowed" ]; then why='hung and was killed'; kill -KILL "$PPID"; break; fi ;;
  esac
done
written=0 all=$files
while [ "$files" -gt 0 ]; do
  printf %s "$2" > "$1" && written=$((written + 1)); shift 2; files=$((files - 1))
done
[ "$all" -gt 0 ] && echo "fleetstep: the gateway $why: GPIO outputs at their safe values: $written of $all" >&2
[ $# -eq 0 ] && exit 0
exec "$@"`

/** Sets outputs to their safe values when this process is gone without having done so: kill -9, a bug, out of memory; or hangs. */
export class OutputGuard {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #beatMs: number
  readonly #beatsMissed: number
  #writes: SafeWrites = { files: [], program: null }
  #child: ChildProcess | null = null
  /** The end of the last one whose place another one took, and of all before it. */
  #endOfOthers: Promise<void> = Promise.resolve()
  #cancelRestart: () => void = () => undefined
  #cancelBeat: () => void = () => undefined
  #isOver = false

  constructor({ clock, logger, beatMs, beatsMissed }: OutputGuardOptions) {
    this.#clock = clock
    this.#logger = logger
    this.#beatMs = beatMs ?? OUTPUT_GUARD_BEAT_MS
    this.#beatsMissed = beatsMissed ?? OUTPUT_GUARD_BEATS_MISSED
  }

  /** @param writes what makes all outputs safe; they replace those before */
  arm(writes: SafeWrites): void {
    if (this.#isOver || JSON.stringify(writes) === JSON.stringify(this.#writes)) return
    this.#writes = writes
    const before = this.#child
    this.#start()
    // The new one stands before the old one goes.
    if (before !== null) this.#endOfOthers = Promise.all([this.#endOfOthers, dismiss(before)]).then(() => undefined)
  }

  /** To be called when outputs could not be made safe, and their ports are free: it does at once what it is there for. */
  takeOver(): void {
    this.#end()?.stdin?.end()
  }

  /** To be called when the outputs are safe. Resolves when nothing will write any more. */
  async disarm(): Promise<void> {
    const child = this.#end()
    await Promise.all([this.#endOfOthers, child === null ? null : dismiss(child)])
  }

  #end(): ChildProcess | null {
    this.#isOver = true
    this.#cancelRestart()
    this.#cancelBeat()
    const child = this.#child
    this.#child = null
    return child
  }

  #start(): void {
    this.#cancelRestart()
    this.#cancelBeat()
    this.#child = null
    const { files, program } = this.#writes
    if (files.length === 0 && program === null) return
    const isTimed = existsSync(TIMED_SHELL)
    const words = [
      String(isTimed ? this.#beatMs / 1000 : 0),
      String(this.#beatsMissed),
      String(files.length),
      ...files.flatMap(({ file, text }) => [file, text]),
      ...(program ?? []),
    ]
    // A group of its own: Ctrl-C in a terminal is meant for the daemon.
    const child = spawn(isTimed ? TIMED_SHELL : SHELL, ['-c', SCRIPT, 'fleetstep-output-guard', ...words], {
      stdio: ['pipe', 'ignore', 'inherit'],
      detached: true,
    })
    child.unref()
    child.stdin?.on('error', () => undefined)
    child.once('error', (error) => this.#noteEnd(child, String(error)))
    child.once('exit', (code, signal) => this.#noteEnd(child, `it ended with ${signal ?? code}`))
    this.#child = child
    if (isTimed) this.#beatLater(child)
  }

  #beatLater(child: ChildProcess): void {
    this.#cancelBeat = this.#clock.schedule(this.#clock.now() + this.#beatMs, () => {
      // A guard that does not read, because somebody has stopped it, is not told any more.
      if (child.stdin?.writableLength === 0) child.stdin.write('beat\n')
      this.#beatLater(child)
    })
  }

  #noteEnd(child: ChildProcess, reason: string): void {
    if (this.#isOver || this.#child !== child) return
    this.#child = null
    this.#cancelBeat()
    this.#logger.warn(`the guard of the outputs is gone (${reason}): until it is back, a crash leaves them as they are`)
    this.#cancelRestart = this.#clock.schedule(this.#clock.now() + DEVICE_RETRY_MAX_MS, () => this.#start())
  }
}

/** Of the common shells it alone tells a wait in vain from the end of its input. Without it a hung daemon is not noticed. */
const TIMED_SHELL = '/bin/bash'
const SHELL = '/bin/sh'

/** Resolves when it has ended. */
function dismiss(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  child.stdin?.end('done\n')
  // Its end is waited for, even if nothing else keeps this process alive.
  child.ref()
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
}
