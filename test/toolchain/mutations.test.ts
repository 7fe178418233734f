import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

test('every mutation of the mutation check still applies: its text stands once, and its tests are there', () => {
  const cwd = fileURLToPath(new URL('../../', import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/mutations.mjs', '--check'], {
    cwd,
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
  assert.match(stdout, /^\d{3} mutations apply$/m)
})
