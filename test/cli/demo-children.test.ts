import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Children } from '../../runtime/cli/demo/children.ts'
import { FleetDirectory } from '../../runtime/gateway/fleet-directory.ts'

test('a machine that starts no process for the demo is no bug of it', async (t) => {
  const directory = new FleetDirectory(null)
  const program = process.execPath
  t.after(() => {
    process.execPath = program
    directory.remove()
  })
  process.execPath = '/nowhere/node'
  const children = new Children(directory)
  assert.throws(() => children.start('broker', [], 'start'), { code: 'limit-reached', message: /no process could be/ })
  // That it could not is told once more, to nobody: it would end the process, and this test, if it were not taken.
  await turn()
})
