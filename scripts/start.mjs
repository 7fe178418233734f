import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { ensureBuilt } from './ensure-built.mjs'
import { ensureInstalled } from './install.mjs'
import { fail, inProject } from './project.mjs'

/** `npm start -- …`: all the set-up, then `fleetstep demo …` in the folder that it was called from. */
ensureInstalled()
await ensureBuilt()

// The channel tells the demo when this process is gone, even if it was killed.
const demo = spawn(process.execPath, [inProject('dist', 'cli.js'), 'demo', ...process.argv.slice(2)], {
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
})
// Ctrl-C reaches both: this process waits for the demo to end its own. A signal that came to this one alone is passed on.
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => demo.kill(signal))
demo.on('error', (error) => fail(`The demo could not be started: ${error.message}`))
demo.on('exit', (code, signal) => {
  process.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
})
