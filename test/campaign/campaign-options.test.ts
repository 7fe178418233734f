import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commandOf, readOptions } from './campaign-options.ts'

const CAMPAIGNS: readonly (readonly string[])[] = [
  ['--seed', '7', '--minutes', '10'],
  ['--seed', '8', '--minutes', '120', '--soak'],
  ['--seed', '9', '--minutes', '1', '--only', 'kill twice,outputs', '--per-second', '0.5', '--patience', '300'],
  ['--seed', '9', '--minutes', '5', '--only', 'none'],
]

for (const args of CAMPAIGNS) {
  test(`the command that repeats a campaign of ${args.join(' ')} draws the same one`, () => {
    const options = readOptions(args)
    assert.ok(typeof options === 'object')
    const words = commandOf(options)
      .match(/'[^']*'|\S+/gu)!
      .map((word) => word.replaceAll("'", ''))
    const [npm, run, campaign, separator, ...repeated] = words
    assert.deepEqual([npm, run, campaign, separator], ['npm', 'run', 'campaign', '--'])
    assert.deepEqual(readOptions(repeated), options)
  })
}
