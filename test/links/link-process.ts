/** A process that does nothing but hold an MQTT link open, so that a test can kill it: NODE PORT. */
import type { NodeId } from '../../runtime/base/ids.ts'
import { testLink } from './mqtt-fixture.ts'
import { Witness } from './witness.ts'

const [node, port] = process.argv.slice(2)
testLink(node as NodeId, Number(port)).open(new Witness())
