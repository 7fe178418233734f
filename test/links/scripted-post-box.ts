import type { NodeId } from '../../runtime/base/ids.ts'
import { FLEET } from './mqtt-fixture.ts'
import { say, type ScriptedBroker, startScriptedBroker } from './scripted-broker.ts'

/** Takes one publish at once. */
const RECEIVE_MAXIMUM_1 = [0x20, 6, 0, 0, 3, 0x21, 0, 1]
const SUBSCRIBED = [0, 0, 0, 0, 0, 0]
/** What a guest says before it sends frames: that it is there, and where it is reached. */
const GREETINGS = 2

export interface ScriptedPostBox extends ScriptedBroker {
  readonly url: string
  /** The guest has published so many frames. */
  readonly frames: number
}

/**
 * The post box of a peer that is there, says nothing of addresses, and lets one guest publish one message at a time.
 * @param takes how many frames it acknowledges; after the last one it sends its guest a frame of its own
 */
export async function startScriptedPostBox(owner: NodeId, guest: NodeId, takes: number): Promise<ScriptedPostBox> {
  let published = 0
  const broker = await startScriptedBroker({
    connack: RECEIVE_MAXIMUM_1,
    suback: SUBSCRIBED,
    subscribe: () => undefined,
    publish(socket, packetId) {
      published += 1
      if (published > GREETINGS + takes) return
      socket.write(Buffer.from([0x40, 2, ...packetId]))
      if (published === 1) say(socket, `fleet/${FLEET}/n/${owner}/st`, 'online 1')
      if (takes > 0 && published === GREETINGS + takes) say(socket, `fleet/${FLEET}/in/${guest}/${owner}`, 'taken')
    },
  })
  return {
    ...broker,
    url: `mqtt://127.0.0.1:${broker.port}`,
    get frames() {
      return Math.max(0, published - GREETINGS)
    },
  }
}
