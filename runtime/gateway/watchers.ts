import { FleetstepError } from '../base/errors.ts'
import { WATCHES_MAX } from '../base/limits.ts'
import type { Logger } from '../base/logger.ts'
import { matchesPattern, type PathPattern, patternProblem } from '../state/path.ts'
import type { Change } from '../sync/output.ts'

export type WatchCallback = (change: Change) => void

/** `tentative`: each change when it is executed here. `settled`: each change that nothing can undo any more. */
export type View = 'tentative' | 'settled'

interface Watch {
  readonly pattern: PathPattern
  readonly view: View
  readonly callback: WatchCallback
}

/** Who wants to know of changes. A callback that throws harms nobody else. */
export class Watchers {
  /** Another list after each change of it: what a callback adds is for the changes after the one that it is told of. */
  #watches: readonly Watch[] = []
  readonly #logger: Logger

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** @returns a function that ends the watch. @throws FleetstepError `request-invalid`, `limit-reached` */
  add(pattern: PathPattern, view: View, callback: WatchCallback): () => void {
    const problem = patternProblem(pattern)
    if (problem !== null)
      throw new FleetstepError('request-invalid', `nothing matches ${JSON.stringify(pattern)}: ${problem}`)
    if (this.#watches.length >= WATCHES_MAX) {
      throw new FleetstepError('limit-reached', `there are ${WATCHES_MAX} watches already: end one that is not needed`)
    }
    const watch = { pattern, view, callback }
    this.#watches = [...this.#watches, watch]
    return () => {
      this.#watches = this.#watches.filter((other) => other !== watch)
    }
  }

  notify(change: Change): void {
    for (const watch of this.#watches) {
      if ((watch.view === 'settled') !== change.settled || !matchesPattern(change.path, watch.pattern)) continue
      try {
        watch.callback(change)
      } catch (error) {
        this.#logger.error(`a watch of ${watch.pattern} threw: ${String(error)}`)
      }
    }
  }
}
