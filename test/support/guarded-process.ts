import { silentLogger } from '../../runtime/base/logger.ts'
import { OutputGuard } from '../../runtime/gateway/devices/output-guard.ts'
import { systemClock } from '../../runtime/gateway/system-clock.ts'

/*
 * A process whose outputs are guarded: node guarded-process.mjs FILE. It prints "ready"; a line of input makes it hang, as a bug
 * does that never ends.
 */
const [, , file = ''] = process.argv
const guard = new OutputGuard({ clock: systemClock, logger: silentLogger, beatMs: 500, beatsMissed: 4 })
guard.arm({ files: [{ file, text: 'safe' }], program: null })
process.stdin.once('data', () => {
  for (;;);
})
process.stdout.write('ready\n')
