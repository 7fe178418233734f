import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { commandBlocks, firstMismatch } from './command-blocks.ts'

describe('The blocks of a document that show what a command prints', () => {
  it('are those that follow a comment with the command', () => {
    const markdown =
      'a\n\n<!-- run: ls -l -->\n\n```text\none\ntwo\n```\n\n```sh\nnot this\n```\n<!-- beside: x -->\n```\ny\n```\n'
    assert.deepEqual(commandBlocks(markdown), [
      { setting: 'alone', command: 'ls -l', expected: ['one', 'two'] },
      { setting: 'beside', command: 'x', expected: ['y'] },
    ])
  })

  it('must be there', () => {
    assert.throws(() => commandBlocks('<!-- run: ls -->\n\nwords\n\n```text\none\n```\n'), /no code block follows/)
  })
})

describe('What a command prints', () => {
  const printed = ['> npm', '', 'port 1883 is free', 'one', 'two', 'three']

  it('fits the lines that were expected, with … for anything', () => {
    assert.equal(firstMismatch(['port … is free', 'one'], printed), null)
    assert.equal(firstMismatch(['port … is free', '…', 'three'], printed), null)
    assert.equal(firstMismatch(['…'], printed), null)
  })

  it('does not fit when a line is missing, between two others, or out of order', () => {
    assert.equal(firstMismatch(['four'], printed), 'four')
    assert.equal(firstMismatch(['one', 'three'], printed), 'three')
    assert.equal(firstMismatch(['three', '…', 'one'], printed), 'one')
    assert.equal(firstMismatch(['port (1883) is free'], printed), 'port (1883) is free')
  })
})
