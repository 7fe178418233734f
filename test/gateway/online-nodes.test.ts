import assert from 'node:assert/strict'
import { test } from 'node:test'
import { statusText } from '../../runtime/cli/status-text.ts'
import { statusOf } from '../../runtime/gateway/inspection.ts'
import { newCounters } from '../../runtime/links/counters.ts'
import type { Link, LinkEvents } from '../../runtime/links/link.ts'
import { ANNA, BERT, open } from './fleet.ts'

/** A link that is whatever the test says. */
class SaidLink implements Link {
  readonly name: string
  readonly reach = 'broadcast'
  events: LinkEvents | null = null

  constructor(name: string) {
    this.name = name
  }

  open(events: LinkEvents): void {
    this.events = events
  }

  send(): boolean {
    return true
  }

  async close(): Promise<void> {
    this.events = null
  }

  status(): ReturnType<Link['status']> {
    return { state: 'up', cause: null, peer: '', counters: newCounters() }
  }
}

test('a gateway is online while a link that is up says so, and no longer', async (t) => {
  const [broker, cable] = [new SaidLink('mqtt'), new SaidLink('serial')]
  const gateway = await open(t, ANNA, { links: [() => broker, () => cable] })
  for (const { events } of [broker, cable]) {
    events?.up()
    events?.presence(BERT, true)
  }
  assert.deepEqual(gateway.online(), [BERT])
  assert.match(statusText(statusOf(gateway)), new RegExp(`^ +${BERT} .* online$`, 'm'))
  broker.events?.down('it is gone')
  assert.deepEqual(gateway.online(), [BERT], 'it is on the cable still')
  cable.events?.presence(BERT, false)
  assert.deepEqual(gateway.online(), [])
  cable.events?.presence(BERT, true)
  await gateway.closeLink('serial')
  assert.deepEqual(gateway.online(), [], 'nobody says so any more')
  assert.doesNotMatch(statusText(statusOf(gateway)), /online/)
})
