import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { killDaemon } from './kill-daemon.ts'

// `npm run faults -- kill --runs 200` is the same with more runs. It starts dist/cli.js.
describe('A daemon that is killed with SIGKILL under load', () => {
  it('has lost no operation that it had reported as durable', async (test) => {
    const figures = await killDaemon({ runs: RUNS, seed: 1 })
    test.diagnostic(
      `${figures.runs} kills, ${figures.durable} durable operations, ${figures.metInFlight} met some in flight`,
    )
    assert.equal(figures.runs, RUNS)
    assert.ok(figures.durable > 10 * RUNS && figures.metInFlight > RUNS / 2, JSON.stringify(figures))
  })
})

const RUNS = 10
