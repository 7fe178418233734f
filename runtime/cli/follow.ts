import type { Command } from 'commander'
import { FleetstepError } from '../base/errors.ts'
import { withGateway } from './connect.ts'
import { stopSignal } from './lifecycle.ts'
import { print } from './output.ts'

/**
 * Prints each event of a watch until the user ends it.
 * @throws FleetstepError `daemon-unreachable` if the gateway ends before the user does
 */
export async function watchUntilStopped(
  command: Command,
  method: string,
  params: Readonly<Record<string, unknown>>,
  text: (event: unknown) => string,
): Promise<void> {
  await withGateway(command, async (gateway) => {
    let isStopped = false
    void stopSignal().then(() => {
      isStopped = true
      gateway.close()
    })
    try {
      await gateway.watch(method, params, (event) => print(command, event, () => text(event)))
    } catch (error) {
      if (!isStopped) throw error
    }
    if (!isStopped) throw new FleetstepError('daemon-unreachable', `the gateway on ${gateway.path} has ended`)
  })
}
