import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, describe, it } from 'node:test'
import { EXIT_CODES } from '../../runtime/base/errors.ts'
import { fleetstep, type Workplace, workplace } from './program.ts'

describe('a daemon of another version on the control socket', () => {
  for (const words of [
    'status',
    'fleet members',
    'fleet epochs',
    'state get',
    'state get --telemetry',
    'state show',
    'state set lamp true',
    'conflict list',
    'conflict reapply x',
    'journal list',
    'link list',
    'profile list',
    'profile show',
    'profile diff',
    'profile apply',
    'profile apply --offered',
    'profile misfits',
    'profile remove pump',
  ]) {
    it(`is told as such by fleetstep ${words}, which is no bug`, async (t) => {
      const place = workplace(t)
      const runs = await Promise.all(
        [5, [5], [{}]].map(async (answer, index) => {
          const socket = await otherDaemon(t, place, `${index}.sock`, answer)
          return await fleetstep(place, ...words.split(' '), '--socket', socket)
        }),
      )
      for (const { code, stdout, stderr } of runs) {
        assert.deepEqual([code, stdout], [EXIT_CODES['message-invalid'], ''], stderr)
        assert.match(
          stderr,
          /^fleetstep: the gateway on \S+ answers \S+ in another form than this version knows: [^\n]+\n$/,
        )
      }
    })
  }
})

/** Answers every request with this. @returns the socket that it listens on */
async function otherDaemon(t: TestContext, place: Workplace, name: string, answer: unknown): Promise<string> {
  const path = join(place.folder, name)
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    createInterface(socket).on('line', (line) => {
      const { id } = JSON.parse(line) as { id: number }
      socket.write(`${JSON.stringify({ id, result: answer })}\n`)
    })
  })
  await new Promise<void>((resolve) => void server.listen(path, resolve))
  t.after(() => server.close())
  return path
}
