import { FleetstepError } from '../../base/errors.ts'
import { assertEverywhere, currentNumber, currentValue, LAMP, VISITS } from './partition-chapter.ts'
import type { Scene } from './scene.ts'

/**
 * A process is killed. What it alone held comes back from its disk: it was cut off when it confirmed that change, so no
 * other gateway can have told it.
 */
export async function restartChapter(scene: Scene): Promise<void> {
  const [first, second, third] = scene.fleet.gateways
  const visitsBefore = await currentNumber(scene, VISITS)
  const blind = (await currentValue(scene, BLIND)) === 'down' ? 'up' : 'down'
  const lamp = (await currentValue(scene, LAMP)) !== true
  await scene.cutOff(second)
  await scene.set(second, BLIND, blind)
  const pid = second.pid
  await second.kill()
  await scene.until((sights) => (sights[1]?.reading === null ? null : `${second.name} still answers`))
  await scene.tell(
    `${second.name} is cut off, confirms one more change (${BLIND} is ${blind}), and then its process ${pid} ` +
      `gets kill -9.`,
  )
  await Promise.all([scene.set(first, LAMP, lamp), scene.add(third, VISITS, 1)])
  await scene.tell(`The others go on without it: ${LAMP} becomes ${lamp}, ${VISITS} gets 1 more.`)
  await startAgain(scene, blind)
  const caughtUpMs = await scene.untilEqual()
  const replicas = await scene.replicas()
  const expected = { [BLIND]: blind, [LAMP]: lamp, [VISITS]: visitsBefore + 1 }
  for (const [path, value] of Object.entries(expected)) assertEverywhere(replicas, path, value)
  await scene.tell(
    `${Math.round(caughtUpMs)} ms later it has caught up with what it missed, and the others have its change.`,
    { caughtUpMs },
  )
}

const BLIND = 'hall/blind'

async function startAgain(scene: Scene, blind: string): Promise<void> {
  const [, second] = scene.fleet.gateways
  const startedMs = performance.now()
  second.start('end')
  await second.ready(scene.patience)
  const tookMs = performance.now() - startedMs
  const reading = await second.read()
  if (reading?.state[BLIND] !== blind) {
    throw new FleetstepError('not-converged', `${second.name} has lost ${BLIND} = ${blind}, which it had confirmed`)
  }
  await scene.tell(
    `${second.name} is started again. After ${Math.round(tookMs)} ms it answers, and has its state from its disk: ` +
      `${Object.keys(reading.state).length} points, and ${BLIND}, which nobody else had, is ${blind}.`,
    { tookMs },
  )
}
