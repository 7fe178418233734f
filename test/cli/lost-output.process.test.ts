import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { aloneConfig, fleetstep, PROGRAM, startCommand, workplace } from './program.ts'

/** A device that every write to fails on as on a full disk. */
const FULL = '/dev/full'

describe('fleetstep, when what it prints cannot be written', () => {
  for (const more of ['', ' --json']) {
    it(`says so with exit code 5 where the disk is full${more}, and ends well where the reader has gone`, async (t) => {
      const place = workplace(t)
      const full = startCommand(place, 'sh', ['-c', `exec node ${PROGRAM} config${more} > ${FULL}`])
      await full.ended
      assert.equal(full.code, 5)
      if (more === '')
        assert.equal(
          full.stderr,
          'fleetstep: standard output goes to a disk that is full: free some space, and run it again\n',
        )
      const piped = startCommand(place, 'bash', ['-c', `node ${PROGRAM} config${more} | true; exit \${PIPESTATUS[0]}`])
      await piped.ended
      assert.deepEqual([piped.code, piped.stderr], [0, ''])
    })

    it(`goes on as a gateway where its log and its output go to a full disk${more}, and ends cleanly`, async (t) => {
      const place = workplace(t)
      const config = aloneConfig(place, 'pump')
      const words = `run --config ${config} --node-id a${more}`
      const gateway = startCommand(place, 'sh', ['-c', `exec node ${PROGRAM} ${words} > ${FULL} 2> ${FULL}`])
      await untilItAnswers(place)
      gateway.kill('SIGTERM')
      await gateway.ended
      assert.equal(gateway.code, 0)
    })

    it(`goes on as a gateway whose log nobody reads any more${more}, and ends cleanly`, async (t) => {
      const place = workplace(t)
      const config = aloneConfig(place, 'pump')
      const words = [PROGRAM, 'run', '--config', config, '--node-id', 'a', ...(more === '' ? [] : ['--json'])]
      const gateway = spawn(process.execPath, words, { cwd: place.folder, env: place.environment })
      t.after(() => gateway.kill('SIGKILL'))
      gateway.stdout.destroy()
      gateway.stderr.destroy()
      const ended = once(gateway, 'exit')
      await untilItAnswers(place)
      gateway.kill('SIGTERM')
      assert.deepEqual(await ended, [0, null])
    })
  }
})

async function untilItAnswers(place: Parameters<typeof fleetstep>[0]): Promise<void> {
  const state = { isReady: false, tries: 0 }
  while (!state.isReady && state.tries < 60) {
    state.tries += 1
    state.isReady = (await fleetstep(place, 'state', 'set', 'lamp', 'true')).code === 0
  }
  assert.ok(state.isReady, 'the gateway takes a change')
}
