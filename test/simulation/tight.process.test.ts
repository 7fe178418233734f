import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'

test('all invariants hold and the fleet converges also where each bound is a few items', () => {
  const words = ['scripts/sim.mjs', '--tight', '--seed', '20000', '--schedules', '300', '--keep-going']
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' })
  assert.equal(status, 0, stdout + stderr)
  assert.match(stdout, /^300 schedules, 0 failed/m)
  // The bounds have been other ones: else no journal is ever long.
  assert.match(stdout, /journal-long [0-9]{3}/)
})
