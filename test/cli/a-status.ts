import type { NodeId } from '../../runtime/base/ids.ts'
import { silentLogger } from '../../runtime/base/logger.ts'
import { openGateway } from '../../runtime/gateway/gateway.ts'
import { type GatewayStatus, statusOf } from '../../runtime/gateway/inspection.ts'
import { memoryStorage } from '../../runtime/gateway/parts.ts'
import { founders } from '../bench/workload.ts'

/** Of a gateway in a fleet of two that has just started and is alone. */
export async function aStatus(): Promise<GatewayStatus> {
  const gateway = await openGateway({
    node: '0000000000001000' as NodeId,
    fleet: founders(2),
    storage: memoryStorage(),
    links: [],
    logger: silentLogger,
  })
  const status = statusOf(gateway)
  await gateway.close()
  return status
}
