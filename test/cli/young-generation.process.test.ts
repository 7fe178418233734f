import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { bundleProcess } from '../support/bundle-process.ts'

const MIB = 2 ** 20

describe('the room for new objects', () => {
  test('stays as small as it was at the start, whatever the load', async () => {
    const program = await bundleProcess('test/support/young-generation-process.ts', 'young-generation')
    const roomOf = async (how: string): Promise<number> => {
      const { stdout } = await promisify(execFile)(process.execPath, [program, how])
      return Number(stdout)
    }
    const [small, usual] = [await roomOf('small'), await roomOf('usual')]
    assert.ok(small > 0 && small <= 8 * MIB, `${small} bytes`)
    assert.ok(usual > 2 * small, `${usual} bytes without it: it is needed no more`)
  })
})
