import type { Command } from 'commander'
import { FleetstepError } from '../base/errors.ts'

/** The words of the command line as the parser takes them. @throws FleetstepError `usage` */
export function readWords(words: readonly string[]): readonly string[] {
  if (words.length === 0) return ['--help']
  // Node.js has put this sign where it could not read: what was meant would be stored as something else.
  const spoilt = words.find((word) => word.includes('\uFFFD'))
  if (spoilt !== undefined)
    throw new FleetstepError('usage', `${spoilt} is not UTF-8: set the terminal, or what made the word, to UTF-8`)
  const [first, ...others] = words
  // What a command has is known only when it is run.
  return first === 'help' ? [...others, '--help'] : words
}

/** Such as the words of a script whose variable is not set: "" would be the folder one is in, or all networks. @throws FleetstepError `usage` */
export function refuseEmptyOptions(command: Command): void {
  for (let at: Command | null = command; at !== null; at = at.parent) {
    const empty = at.options.find((option) => at?.getOptionValue(option.attributeName()) === '')
    if (empty !== undefined)
      throw new FleetstepError('usage', `${empty.long} is empty: give it a value, or leave it out`)
  }
}
