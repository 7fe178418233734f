import assert from 'node:assert/strict'
import { execFile, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { openGateway, type Gateway } from '../../runtime/gateway/gateway.ts'
import { memoryStorage, mqtt } from '../../runtime/gateway/parts.ts'
import { founders } from '../bench/workload.ts'
import { until, untilAnswered } from '../links/clocks.ts'
import { MOSQUITTO_FLEET, MOSQUITTO_SKIP, startMosquitto } from '../links/mosquitto.ts'
import { readWireFile } from '../vectors/wire.ts'

/** Debian's own interpreter, for which its package python3-cbor2 is. */
const PYTHON = '/usr/bin/python3'
const hasDecoder = existsSync(PYTHON) && spawnSync(PYTHON, ['-c', 'import cbor2']).status === 0
const SKIP =
  !hasDecoder && process.env['CI'] !== 'true' && 'python3-cbor2 is not installed: apt-get install python3-cbor2'

interface Read {
  readonly fleet: string
  readonly kind: string
  readonly message: unknown
}

/** Beside this process, whose gateways have to go on. */
async function readWithPython(frames: readonly string[]): Promise<readonly Read[]> {
  const reading = promisify(execFile)(PYTHON, ['test/interop/read_frames.py'], { maxBuffer: 64 * 1024 * 1024 })
  reading.child.stdin?.end(`${frames.join('\n')}\n`)
  const { stdout } = await reading
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Read)
}

describe('an independent reader in Python', { skip: SKIP }, () => {
  it('understands every kind of message, and each batch to its last field', async () => {
    const { fleet, frames } = readWireFile()
    const reads = await readWithPython(frames.map(({ frame }) => frame))
    assert.equal(reads.length, frames.length)
    for (const [index, { name, message }] of frames.entries()) {
      const read = reads[index]
      assert.equal(read?.fleet, fleet, name)
      const [kind] = Object.keys(message)
      assert.equal(read?.kind.replaceAll('-', ''), kind?.replaceAll('-', '').toLowerCase(), name)
      if ('batch' in message) assert.deepEqual(read?.message, message.batch, name)
    }
    const kinds = new Set(reads.map(({ kind }) => kind))
    assert.equal(kinds.size, 10, `all kinds are among the vectors: ${[...kinds].join(', ')}`)
  })

  it('understands what mosquitto_sub shows of a fleet at work', { skip: MOSQUITTO_SKIP }, async (t) => {
    const broker = await startMosquitto(MOSQUITTO_FLEET)
    t.after(() => broker.end())
    const frames = listen(t, broker.port)
    await until(() => broker.log().includes('Sending SUBACK'), 'mosquitto_sub listens')
    const gateways = await openFleet(t, broker.port)
    const [first] = gateways
    first?.state.set('hall/lamp', true)
    for (let count = 0; count < 200; count += 1) first?.state.set(`hall/point${count}`, count)
    await until(() => gateways.every(({ state }) => state.entries().length === 201), 'both have all')
    const wanted = Array.from({ length: 200 }, (_, count) => `["hall/point${count}","set",${count},null]`)
    wanted.push('["hall/lamp","set",true,null]')
    // Both gateways may have all before mosquitto_sub, a process of its own, has shown it.
    const reads = await untilAnswered(
      async () => (frames.length === 0 ? [] : await readWithPython(frames)),
      (heard) => {
        const text = JSON.stringify(heard.filter(({ kind }) => kind === 'batch'))
        return heard.some(({ kind }) => kind === 'announcement') && wanted.every((words) => text.includes(words))
      },
      'Python has read an announcement and all changes',
    )
    assert.deepEqual(new Set(reads.map(({ fleet }) => fleet)), new Set([first?.fleet]))
  })
})

/** Frames as hexadecimal text, as they come. */
function listen(t: TestContext, port: number): readonly string[] {
  const words = ['-p', String(port), '-q', '1', '-F', '%x']
  const topics = ['op', 'b', 'w'].flatMap((kind) => ['-t', `fleet/+/${kind}/+`])
  const listener = spawn('mosquitto_sub', [...words, ...topics], { stdio: ['ignore', 'pipe', 'ignore'] })
  t.after(() => listener.kill('SIGKILL'))
  const frames: string[] = []
  createInterface({ input: listener.stdout }).on('line', (line) => frames.push(line))
  return frames
}

async function openFleet(t: TestContext, port: number): Promise<readonly Gateway[]> {
  const fleet = founders(2)
  return await Promise.all(
    fleet.founders.map(async ({ node }) => {
      const links = [mqtt({ servers: [`mqtt://127.0.0.1:${port}`] })]
      const gateway = await openGateway({ fleet, node, storage: memoryStorage(), links })
      t.after(() => gateway.close())
      return gateway
    }),
  )
}
