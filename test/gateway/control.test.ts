import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { linkSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { formatOperationId } from '../../runtime/base/ids.ts'
import {
  CONTROL_BACKLOG_BYTES_MAX,
  CONTROL_CONNECTIONS_MAX,
  CONTROL_LINE_BYTES_MAX,
  CONTROL_WATCHES_MAX,
} from '../../runtime/base/limits.ts'
import { silentLogger } from '../../runtime/base/logger.ts'
import { connectControl, type ControlClient } from '../../runtime/gateway/control-client.ts'
import { controlHandler } from '../../runtime/gateway/control-methods.ts'
import { valueFromJson, valueToJson } from '../../runtime/gateway/control-protocol.ts'
import { type ControlHandler, startControlServer } from '../../runtime/gateway/control-server.ts'
import type { Gateway } from '../../runtime/gateway/gateway.ts'
import type { Value } from '../../runtime/state/value.ts'
import { until } from '../links/clocks.ts'
import { openAlone, openPair } from './fleet.ts'
import { FullStore } from './full-store.ts'

describe('control server', () => {
  it('answers each request with its id, in one connection', async (t) => {
    const path = await serve(t, echo)
    const lines = await talk(
      t,
      path,
      '{"id":1,"method":"echo","params":{"a":1}}\n\n{"id":"x"}\n{"id":2,"method":"echo"}\n',
      3,
    )
    // An answer may overtake another: its id says whose it is.
    const answers = new Map(lines.map((line) => [(line as { id: unknown }).id, line]))
    assert.deepEqual(answers.get(1), { id: 1, result: { method: 'echo', params: { a: 1 } } })
    assert.deepEqual(answers.get(2), { id: 2, result: { method: 'echo', params: {} } })
    assert.deepEqual(answers.get(null), {
      id: null,
      error: { code: 'request-invalid', message: 'a request has a number id and a text method' },
    })
  })

  it('answers garbage with one clear error and goes on', async (t) => {
    const path = await serve(t, echo)
    const garbage = ['}{', '[]', 'null', '"text"', '\u0000\u0001', '{"id":1}', '{"id":1,"method":"m","params":[]}']
    const lines = await talk(t, path, `${garbage.join('\n')}\n{"id":9,"method":"echo"}\n`, garbage.length + 1)
    for (const line of lines.slice(0, -1)) assert.equal(codeOf(line), 'request-invalid')
    assert.deepEqual(lines.at(-1), { id: 9, result: { method: 'echo', params: {} } })
  })

  it('ends a connection whose line has no end, and serves the others', async (t) => {
    const path = await serve(t, echo)
    const socket = await open(t, path)
    const lines = linesOf(socket)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write('x'.repeat(CONTROL_LINE_BYTES_MAX + 1))
    await closed
    assert.equal(codeOf(lines[0]), 'request-invalid')
    assert.equal(lines.length, 1)
    assert.deepEqual(await call(t, path, 'echo'), { method: 'echo', params: {} })
  })

  it('says that a value is nested too deep, however deep it is, as of any other', async (t) => {
    const problems: string[] = []
    const logger = { ...silentLogger, error: (line: string) => void problems.push(line) }
    const path = await serve(t, (_method, { value }) => valueToJson(valueFromJson(value)), logger)
    const deep = (levels: number): string => `${'['.repeat(levels)}{"$int":"9"}${']'.repeat(levels)}`
    const lines = await talk(
      t,
      path,
      [16, 17, 100_000].map((levels, id) => `{"id":${id},"method":"m","params":{"value":${deep(levels)}}}\n`).join(''),
      3,
    )
    assert.deepEqual(lines.map(codeOf), [undefined, 'request-invalid', 'request-invalid'])
    assert.deepEqual(problems, [])
  })

  it('bounds what one connection watches, and stops what exceeds it', async (t) => {
    let watching = 0
    const path = await serve(t, (_method, _params, stream) => {
      watching += 1
      stream.onEnd(() => (watching -= 1))
    })
    const socket = await open(t, path)
    const lines = linesOf(socket)
    const requests = CONTROL_WATCHES_MAX + 10
    for (let id = 0; id < requests; id += 1) socket.write(`{"id":${id},"method":"watch"}\n`)
    await until(() => lines.length === requests, 'all are answered')
    assert.equal(watching, CONTROL_WATCHES_MAX)
    assert.equal(lines.filter((line) => codeOf(line) === 'limit-reached').length, 10)
    socket.destroy()
    await until(() => watching === 0, 'all are stopped')
  })

  it('does no more for a connection that was let go', async (t) => {
    let asked = 0
    const path = await serve(t, () => {
      asked += 1
      return 'x'.repeat(1_000_000)
    })
    const socket = await open(t, path)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.pause()
    socket.write('{"id":1,"method":"m"}\n'.repeat(2000))
    await until(() => asked > CONTROL_BACKLOG_BYTES_MAX / 1_000_000, 'it has asked for too much')
    socket.resume()
    await closed
    for (let turn = 0; turn < 2000; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    assert.ok(asked < 100, `${asked} were asked`)
  })

  it('puts a request together from single bytes, within its letters too', async (t) => {
    const path = await serve(t, echo)
    const socket = await open(t, path)
    const lines = linesOf(socket)
    for (const byte of Buffer.from('{"id":1,"method":"ö"}\n')) socket.write(Uint8Array.of(byte))
    await until(() => lines.length === 1, 'it is answered')
    assert.deepEqual(lines, [{ id: 1, result: { method: 'ö', params: {} } }])
  })

  it('answers whoever has ended its own side, as soon as it can, and hangs up then', async (t) => {
    const waiting: (() => void)[] = []
    const path = await serve(t, (method, _params, { onEnd }) => {
      if (method === 'watch') return onEnd(() => undefined)
      return new Promise((resolve) => waiting.push(() => resolve(method)))
    })
    const socket = await open(t, path)
    const lines = linesOf(socket)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.end('{"id":1,"method":"late"}\n{"id":2,"method":"later"}\n{"id":3,"method":"watch"}\n')
    await until(() => waiting.length === 2 && lines.length === 1, 'all are asked for')
    for (const answered of [2, 3]) {
      waiting.shift()?.()
      await until(() => lines.length === answered, `${answered} are answered`)
    }
    await closed
    assert.deepEqual(
      lines.map((line) => (line as { id: unknown }).id),
      [3, 1, 2],
    )
  })

  it('turns away what exceeds its connections with one line', async (t) => {
    const path = await serve(t, echo)
    for (let count = 0; count < CONTROL_CONNECTIONS_MAX; count += 1) await open(t, path)
    await call(t, path, 'echo').then(
      () => assert.fail('one connection too many was served'),
      (error: unknown) => assert.ok(isError('limit-reached', /32 connections are open/)(error), String(error)),
    )
  })

  it('lets a watcher go that does not read, and tells its source to stop', async (t) => {
    let emit: ((event: unknown) => void) | null = null
    let isEnded = false
    const path = await serve(t, (_method, _params, stream) => {
      emit = stream.emit
      stream.onEnd(() => (isEnded = true))
    })
    const socket = await open(t, path)
    socket.pause()
    socket.write('{"id":1,"method":"watch"}\n')
    let sent = 0
    await until(() => {
      if (emit === null) return false
      emit('x'.repeat(100_000))
      sent += 100_000
      return isEnded
    }, 'the watcher is gone')
    // The kernel holds a part of what was sent.
    assert.ok(sent >= CONTROL_BACKLOG_BYTES_MAX && sent < 4 * CONTROL_BACKLOG_BYTES_MAX, `${sent} bytes`)
  })

  it('gives an answer that is larger than the backlog', async (t) => {
    const large = 'x'.repeat(2 * CONTROL_BACKLOG_BYTES_MAX)
    const path = await serve(t, () => large)
    assert.equal(await call(t, path, 'all'), large)
  })

  it('is for its own user alone', async (t) => {
    const path = await serve(t, echo)
    assert.equal(statSync(path).mode & 0o777, 0o600)
  })

  it('takes over the socket of a killed daemon, and not that of a living one', async (t) => {
    const folder = temporaryFolder(t)
    const path = join(folder, 'gateway.sock')
    const killed = await startControlServer(join(folder, 'first.sock'), echo, silentLogger)
    linkSync(killed.path, path)
    await killed.close()
    const server = await startControlServer(path, echo, silentLogger)
    await assert.rejects(
      startControlServer(path, echo, silentLogger),
      isError('daemon-running', /another gateway answers/),
    )
    assert.deepEqual(await call(t, path, 'echo'), { method: 'echo', params: {} })
    await server.close()
    await assert.rejects(connectControl(path), isError('daemon-unreachable', /no gateway answers/))
  })

  it('removes nothing but a socket', async (t) => {
    const path = join(temporaryFolder(t), 'gateway.yaml')
    writeFileSync(path, 'device: pump')
    const refused = isError('config-invalid', /gateway\.yaml: what is there is no socket; set controlSocket/)
    await assert.rejects(startControlServer(path, echo, silentLogger), refused)
    assert.equal(readFileSync(path, 'utf8'), 'device: pump')
  })

  it('leaves the socket of a daemon that has no time for one more', async (t) => {
    const path = join(temporaryFolder(t), 'gateway.sock')
    const program = `require('net').createServer().listen({ path: process.argv[1], backlog: 1 }, () => console.log('ready'))`
    const other = spawn(process.execPath, ['-e', program, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.after(() => other.kill('SIGKILL'))
    await once(other.stdout, 'data')
    other.kill('SIGSTOP')
    const isStopped = (): boolean => /^State:\s+T/m.test(readFileSync(`/proc/${other.pid}/status`, 'utf8'))
    await until(isStopped, 'it stands still')
    while (await isTaken(t, path));
    await assert.rejects(startControlServer(path, echo, silentLogger), isError('config-invalid', /EAGAIN/))
    await assert.rejects(connectControl(path), isError('daemon-unreachable', /cannot be asked \(EAGAIN\)/))
    assert.ok(statSync(path).isSocket())
  })

  it('says which path it cannot use', async (t) => {
    const folder = temporaryFolder(t)
    writeFileSync(join(folder, 'file'), '')
    for (const path of [join(folder, 'file', 'gateway.sock'), join(folder, 'x'.repeat(120))])
      await assert.rejects(
        startControlServer(path, echo, silentLogger),
        isError('config-invalid', /control socket .* set controlSocket/),
      )
  })
})

describe('control client', () => {
  it('gives up on what is no gateway', async (t) => {
    const path = join(temporaryFolder(t), 'other.sock')
    const other = createServer((socket) => socket.end('220 hello\n'))
    await new Promise<void>((resolve) => void other.listen(path, resolve))
    t.after(() => void other.close())
    await assert.rejects(call(t, path, 'status'), isError('daemon-unreachable', /has ended/))
  })

  it('says that the gateway has ended while it waited', async (t) => {
    const folder = temporaryFolder(t)
    const server = await startControlServer(
      join(folder, 'a.sock'),
      async () => await new Promise(() => undefined),
      silentLogger,
    )
    const client = await connectControl(server.path)
    const answer = client.call('status')
    await server.close()
    await assert.rejects(
      answer,
      isError('daemon-unreachable', /has ended before its answer: a change that was asked for may be in its state$/),
    )
  })

  it('tells a bug of the gateway from an error that the user can mend', async (t) => {
    const path = await serve(t, (method) => {
      if (method === 'bug') throw new TypeError('undefined is not a function')
      throw new FleetstepError('disk-full', 'make room')
    })
    await assert.rejects(call(t, path, 'bug'), (error) => !(error instanceof FleetstepError))
    await assert.rejects(call(t, path, 'other'), isError('disk-full', /^make room$/))
  })
})

describe('control methods', () => {
  it('change the state, and answer when it is on the disk', async (t) => {
    const { client, gateway } = await control(t, await openAlone(t))
    const receipt = await client.call('state.set', { path: 'lamp', value: true })
    assert.deepEqual(receipt, {
      operation: `${gateway.node}.00000000:1`,
      stage: 1,
      outcome: 'applied',
      settled: true,
      draft: false,
    })
    await client.call('state.patch', {
      set: { a: 1, b: [1] },
      toggle: ['lamp'],
      add: { n: 2 },
      append: { list: 'x' },
      expect: [['lamp', '==', true]],
    })
    assert.deepEqual(await client.call('state.get'), { a: 1, b: [1], lamp: false, list: ['x'], n: 2 })
    assert.deepEqual(await client.call('state.get', { path: 'n', settled: true }), { n: 2 })
    await client.call('state.delete', { path: 'n' })
    await assert.rejects(client.call('state.get', { path: 'n' }), isError('path-unknown', /nothing at n/))
  })

  it('carry values that JSON lacks', async (t) => {
    const { client, gateway } = await control(t, await openAlone(t))
    const value = { large: 2n ** 60n, bytes: Uint8Array.of(1, 2, 255), list: [1n, null] }
    await client.call('state.set', { path: 'v', value: valueToJson(value) })
    assert.deepEqual(gateway.state.get('v'), { ...value, list: [1, null] })
    assert.deepEqual(valueFromJson({ $int: '12' }), 12n)
  })

  it('carry every value there and back, also a map that looks like one that JSON lacks', () => {
    const mark = fc.constantFrom('$int', '$bytes', '$map')
    // No value has that key.
    const key = fc.string({ minLength: 1 }).filter((text) => text !== '__proto__')
    const { value } = fc.letrec<{ value: Value }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.oneof(fc.integer(), fc.boolean(), fc.string(), fc.constant(null), fc.bigInt(2n ** 60n, 2n ** 63n)),
        fc.uint8Array({ maxLength: 3 }),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.oneof(mark, key), tie('value'), { maxKeys: 2, noNullPrototype: true }),
      ) as fc.Arbitrary<Value>,
    }))
    const there = fc.property(value, (one) => {
      assert.deepEqual(valueFromJson(JSON.parse(JSON.stringify(valueToJson(one)))), one)
    })
    fc.assert(there, { numRuns: 1000 })
  })

  it('say which limit a value does not keep', async (t) => {
    const { client } = await control(t, await openAlone(t))
    const long = client.call('state.set', { path: 'v', value: 'x'.repeat(100_000) })
    await assert.rejects(long, isError('request-invalid', /^a value has at most [0-9]+ bytes$/))
  })

  it('refuse what only looks like such a value', async (t) => {
    const { client, gateway } = await control(t, await openAlone(t))
    for (const value of [
      { $int: '123456789012345678901' },
      { $int: '99999999999999999999' },
      { $int: '12a' },
      { $int: '' },
      { $bytes: 'no base64!' },
      { $bytes: 'AQI' },
      [{ $bytes: 'AQ==\n' }],
    ])
      await assert.rejects(client.call('state.set', { path: 'v', value }), isError('request-invalid', /./))
    assert.deepEqual(gateway.state.entries(), [])
  })

  it('refuse params that do not fit, and have changed nothing then', async (t) => {
    const { client } = await control(t, await openAlone(t))
    const bad: readonly (readonly [string, Readonly<Record<string, unknown>>, string])[] = [
      ['state.nothing', {}, 'request-invalid'],
      ['state.set', { value: 1 }, 'request-invalid'],
      ['state.set', { path: 'a' }, 'request-invalid'],
      ['state.set', { path: 5, value: 1 }, 'request-invalid'],
      ['state.set', { path: 'a//b', value: 1 }, 'operation-invalid'],
      ['state.patch', { set: ['a'] }, 'request-invalid'],
      ['state.patch', { set: { a: 1 }, add: { b: 'x' } }, 'request-invalid'],
      ['state.patch', { set: { a: 1 }, expect: [['b', '~', 1]] }, 'request-invalid'],
      ['state.patch', { set: { a: 1 }, expect: [['b', '==', 1]] }, 'operation-refused'],
      ['state.patch', {}, 'operation-invalid'],
      ['conflict.reapply', { id: 'x' }, 'path-unknown'],
      ['link.open', { name: 'x' }, 'path-unknown'],
    ]
    for (const [method, params, code] of bad) {
      await assert.rejects(
        client.call(method, params),
        (error) => error instanceof FleetstepError && error.code === code,
        `${method} ${JSON.stringify(params)}`,
      )
    }
    assert.deepEqual(await client.call('state.get'), {})
  })

  it('send an event for each change until the watcher goes, then forget it', async (t) => {
    const { client, gateway } = await control(t, await openAlone(t))
    const events: unknown[] = []
    const watching = client.watch('state.watch', { pattern: 'lamp' }, (event) => events.push(event))
    await client.call('status')
    gateway.state.set('lamp', 1)
    gateway.state.set('pump', 1)
    gateway.state.delete('lamp')
    await until(() => events.length === 2, 'both changes are told')
    assert.deepEqual(events, [
      { path: 'lamp', after: 1, settled: false },
      { path: 'lamp', before: 1, settled: false },
    ])
    client.close()
    await watching
  })

  it('tell what becomes of operations on both sides: overturned by one that outranks them, a conflict, settled', async (t) => {
    const { anna, bert } = await openPair(t)
    const sides = await Promise.all([anna, bert].map(async (gateway) => await journalOf(t, gateway)))
    await bert.closeLink('memory')
    const stands = formatOperationId(anna.state.set('lamp', 1).id)
    const yields = formatOperationId(bert.state.set('lamp', 2).id)
    bert.openLink('memory')
    const hasSettled = ({ kind }: JournalEvent): boolean => kind === 'settled'
    await until(() => sides.every((events) => events.some(hasSettled)), 'both are settled on both sides')
    for (const events of sides) {
      const outcomeOf = (id: string): unknown => events.findLast(({ operation }) => operation === id)?.['outcome']
      assert.deepEqual([outcomeOf(stands), outcomeOf(yields)], ['applied', 'superseded'])
      assert.equal(events.filter(({ kind }) => kind === 'conflict').length, 1)
    }
    const [, atIssuer] = sides
    const changed = atIssuer?.find((event) => event['operation'] === yields && event['outcome'] === 'superseded')
    assert.equal(changed?.['before'], 'applied', 'its issuer had it applied')
  })

  it('report status, journal, conflicts and links as plain data', async (t) => {
    const { anna, bert } = await openPair(t)
    const { client } = await control(t, anna)
    await bert.closeLink('memory')
    anna.state.set('lamp', 1)
    const status = await client.call('status')
    assert.ok(typeof status === 'object' && status !== null)
    const { device, journalLength, floorHold, links } = status as Readonly<Record<string, unknown>>
    assert.equal(device, 'anna')
    assert.equal(journalLength, 1)
    assert.ok(floorHold !== null)
    assert.deepEqual(links, await client.call('link.list'))
    assert.deepEqual(await client.call('journal.list'), [
      { operation: `${anna.node}.00000000:1`, stage: 1, outcome: 'applied' },
    ])
    assert.deepEqual(await client.call('conflict.list'), [])
    assert.equal(await client.call('link.close', { name: 'memory' }), null)
    assert.equal(anna.links()[0]?.isOpen, false)
  })

  it('say that the disk is full while a change waits for it', async (t) => {
    const storage = new FullStore()
    const gateway = await openAlone(t, { storage })
    const { client } = await control(t, gateway)
    await client.call('state.set', { path: 'before', value: 1 })
    storage.isFull = true
    await assert.rejects(
      client.call('state.set', { path: 'lamp', value: 1 }),
      isError('disk-full', /is in the state already/),
    )
    await assert.rejects(client.call('state.set', { path: 'pump', value: 1 }), isError('disk-full', /make room/))
    assert.deepEqual(await client.call('state.get'), { before: 1, lamp: 1 })
  })
})

const echo: ControlHandler = (method, params) => ({ method, params })

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'fleetstep-control-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function serve(t: TestContext, handler: ControlHandler, logger = silentLogger): Promise<string> {
  const server = await startControlServer(join(temporaryFolder(t), 'gateway.sock'), handler, logger)
  t.after(async () => await server.close())
  return server.path
}

type JournalEvent = Readonly<Record<string, unknown>>

/** What its clients are told of its journal from now on. */
async function journalOf(t: TestContext, gateway: Gateway): Promise<readonly JournalEvent[]> {
  const { client } = await control(t, gateway)
  const events: JournalEvent[] = []
  void client.watch('journal.watch', {}, (event) => events.push(event as JournalEvent))
  await client.call('status')
  return events
}

async function control(t: TestContext, gateway: Gateway): Promise<{ client: ControlClient; gateway: Gateway }> {
  const client = await connectControl(await serve(t, controlHandler(gateway)))
  t.after(() => client.close())
  return { client, gateway }
}

async function call(t: TestContext, path: string, method: string): Promise<unknown> {
  const client = await connectControl(path)
  t.after(() => client.close())
  return await client.call(method)
}

async function open(t: TestContext, path: string): Promise<Socket> {
  const socket = connect(path)
  t.after(() => socket.destroy())
  await new Promise((resolve) => socket.once('connect', resolve))
  return socket
}

/** Whether one more connection finds a place. */
async function isTaken(t: TestContext, path: string): Promise<boolean> {
  const socket = connect(path)
  t.after(() => socket.destroy())
  return await new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  })
}

/** What has come so far, parsed. */
function linesOf(socket: Socket): unknown[] {
  const lines: unknown[] = []
  let pending = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    const parts = (pending + text).split('\n')
    pending = parts.pop() ?? ''
    for (const part of parts) lines.push(JSON.parse(part))
  })
  return lines
}

async function talk(t: TestContext, path: string, text: string, answers: number): Promise<unknown[]> {
  const socket = await open(t, path)
  const lines = linesOf(socket)
  socket.write(text)
  await until(() => lines.length >= answers, `${answers} lines have come`)
  return lines
}

function codeOf(line: unknown): unknown {
  return (line as { readonly error?: { readonly code?: unknown } }).error?.code
}

function isError(code: string, message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof FleetstepError && error.code === code && message.test(error.message)
}
