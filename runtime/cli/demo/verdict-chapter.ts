import { FleetstepError } from '../../base/errors.ts'
import type { Scene } from './scene.ts'

/** All replicas are compared, and every change of the story is asked after. */
export async function verdictChapter(scene: Scene): Promise<void> {
  // What is settled is compared by its digest, so the floor has to pass the story.
  await scene.untilEqual(scene.ledger.stage)
  const replicas = await scene.replicas()
  const { applied, listed, missing } = scene.ledger.account(replicas)
  const [loss] = missing
  if (loss !== undefined) throw new FleetstepError('not-converged', loss)
  const points = Object.keys(replicas[0]?.reading.state ?? {}).length
  await scene.tell(
    `All replicas are equal: ${points} points, their order, outcomes and conflicts, and the digest of what is settled. ` +
      `Of ${scene.ledger.length} changes ${applied.length} are applied and ${listed.length} is listed as a conflict: ` +
      `nothing is lost.`,
    { points, changes: scene.ledger.length, applied: applied.length, listed: listed.length },
  )
}
