import { type ChildProcess, spawn } from 'node:child_process'
import type { Clock } from '../../base/clock.ts'
import { DEVICE_RETRY_MAX_MS } from '../../base/limits.ts'
import type { Logger } from '../../base/logger.ts'
import type { HeldWrite } from '../../device/gpio/pin.ts'

/**
 * Waits for the end of its input, which is a pipe that only the daemon holds: however the daemon ends, the kernel closes it.
 * Then it writes each text ($2, $4, …) into its file ($1, $3, …). A service manager that ends the whole group does not stop
 * it; the word `done` does. A shell takes a megabyte, where another Node would take forty.
 */
const SCRIPT = `trap '' HUP INT TERM PIPE
while read -r word; do [ "$word" = done ] && exit 0; done
while [ $# -ge 2 ]; do printf %s "$2" > "$1"; shift 2; done`

/** Sets outputs to their safe values when this process is gone without having done so: kill -9, a bug, out of memory. */
export class OutputGuard {
  readonly #clock: Clock
  readonly #logger: Logger
  #writes: readonly HeldWrite[] = []
  #child: ChildProcess | null = null
  #cancelRestart: () => void = () => undefined
  #isOver = false

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  /** @param writes what makes all outputs safe; they replace those before */
  arm(writes: readonly HeldWrite[]): void {
    if (this.#isOver || sameWrites(writes, this.#writes)) return
    this.#writes = writes
    const before = this.#child
    this.#start()
    // The new one stands before the old one goes.
    if (before !== null) dismiss(before)
  }

  /** To be called when the outputs are safe. Resolves when nothing will write any more. */
  async disarm(): Promise<void> {
    this.#isOver = true
    this.#cancelRestart()
    const child = this.#child
    this.#child = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve())
      child.once('error', () => resolve())
    })
    // Its end is waited for, even if nothing else keeps this process alive.
    child.ref()
    dismiss(child)
    await ended
  }

  #start(): void {
    this.#cancelRestart()
    this.#child = null
    if (this.#writes.length === 0) return
    const words = this.#writes.flatMap(({ file, text }) => [file, text])
    // A group of its own: Ctrl-C in a terminal is meant for the daemon.
    const child = spawn('/bin/sh', ['-c', SCRIPT, 'fleetstep-output-guard', ...words], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
    child.unref()
    child.stdin.on('error', () => undefined)
    child.once('error', (error) => this.#noteEnd(child, String(error)))
    child.once('exit', (code, signal) => this.#noteEnd(child, `it ended with ${signal ?? code}`))
    this.#child = child
  }

  #noteEnd(child: ChildProcess, reason: string): void {
    if (this.#isOver || this.#child !== child) return
    this.#child = null
    this.#logger.warn(`the guard of the outputs is gone (${reason}): until it is back, a crash leaves them as they are`)
    this.#cancelRestart = this.#clock.schedule(this.#clock.now() + DEVICE_RETRY_MAX_MS, () => this.#start())
  }
}

function dismiss(child: ChildProcess): void {
  child.stdin?.end('done\n')
}

function sameWrites(left: readonly HeldWrite[], right: readonly HeldWrite[]): boolean {
  return (
    left.length === right.length &&
    left.every(({ file, text }, index) => file === right[index]?.file && text === right[index].text)
  )
}
