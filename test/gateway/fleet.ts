import type { TestContext } from 'node:test'
import type { NodeId } from '../../runtime/base/ids.ts'
import { type Gateway, type GatewayOptions, openGateway } from '../../runtime/gateway/gateway.ts'
import { memoryHub, type MemoryHub } from '../../runtime/links/memory/memory-link.ts'
import { MemoryStore } from '../../runtime/storage/memory-store.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import { realClock } from '../links/clocks.ts'

export const ANNA = '0200000000000001' as NodeId
export const BERT = '0200000000000002' as NodeId
/** No founder. */
export const CARL = '0200000000000003' as NodeId

/** Anna's changes stand where both change one point. */
const fleet: Genesis = {
  name: 'test',
  founders: [
    { node: ANNA, tier: 1 },
    { node: BERT, tier: 0 },
  ],
}

/** Two gateways of one fleet in this process, on a medium that can be cut. They are closed after the test. */
export async function openPair(t: TestContext): Promise<{ anna: Gateway; bert: Gateway; hub: MemoryHub }> {
  const hub = memoryHub({ clock: realClock })
  const anna = await open(t, ANNA, { links: [() => hub.link(ANNA)], device: 'anna' })
  const bert = await open(t, BERT, { links: [() => hub.link(BERT)], device: 'bert' })
  return { anna, bert, hub }
}

/** One gateway that is closed after the test. */
export async function open(t: TestContext, node: NodeId, options: Partial<GatewayOptions> = {}): Promise<Gateway> {
  const gateway = await openGateway({
    fleet,
    node,
    storage: new MemoryStore(),
    links: [],
    clock: realClock,
    ...options,
  })
  t.after(async () => await gateway.close())
  return gateway
}

/** A gateway that is alone: what it stores is settled. */
export async function openAlone(t: TestContext, options: Partial<GatewayOptions> = {}): Promise<Gateway> {
  return await open(t, ANNA, { fleet: { name: 'alone', founders: [{ node: ANNA, tier: 0 }] }, ...options })
}
