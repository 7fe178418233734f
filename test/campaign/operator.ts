import { setTimeout as sleep } from 'node:timers/promises'
import type { CampaignFleet } from './campaign-fleet.ts'

const LOOK_INTERVAL_MS = 1000

/** Looks after the fleet: whoever asks to come back and is refused is let in again, as its gateways advise. */
export async function watchOver(
  fleet: CampaignFleet,
  isOver: () => boolean,
  note: (line: string) => void,
): Promise<void> {
  const letIn = new Set<string>()
  for (; !isOver(); await sleep(LOOK_INTERVAL_MS)) {
    // Whoever asks to come back is heard by its neighbours.
    for (const [gateway, { candidates, epoch }] of await fleet.statuses())
      for (const { member, refusal } of candidates) {
        if (refusal === null || letIn.has(member) || epoch.admitted.includes(member)) continue
        letIn.add(member)
        note(`the operator lets ${member} in again, which was refused: ${refusal}`)
        const [node = ''] = member.split('.')
        await fleet
          .operate('--gateway', gateway, 'fleet', 'replace', node, '--fleet', 'campaign')
          .catch((error: unknown) => {
            letIn.delete(member)
            note(`the operator was told: ${String(error)}`)
          })
      }
  }
}
