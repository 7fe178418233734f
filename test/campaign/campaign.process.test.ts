import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { obstacleToCampaign } from './campaign.ts'

/**
 * The whole product under fire: mosquitto, nats-server, socat, mosquitto_sub, libfaketime, networkNamespace. Where nothing may be
 * skipped it is the campaign of five minutes; elsewhere a short one.
 */
const IS_GATE = process.env['CI'] === 'true'
const MINUTES = IS_GATE ? 5 : 1

/** A machine that is ten times slower heals ten times slower. */
const PATIENCE_S = 300

const OBSTACLE = obstacleToCampaign()

describe('a campaign of real gateways', { skip: !IS_GATE && OBSTACLE !== null && OBSTACLE }, () => {
  it(`keeps what was promised, under load and trouble, for ${MINUTES} minutes`, async (t) => {
    assert.equal(OBSTACLE, null, 'a campaign cannot be run here: it needs root, network namespaces and loop devices')
    const lines: string[] = []
    const words = ['scripts/campaign.mjs', '--seed', '20', '--minutes', `${MINUTES}`, '--patience', `${PATIENCE_S}`]
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] })
    t.after(() => child.kill('SIGTERM'))
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => lines.push(line))
    const [code] = (await once(child, 'close')) as [number | null]
    assert.equal(code, 0, lines.slice(-60).join('\n'))
    for (const line of lines.slice(-5)) t.diagnostic(line)
  })
})
