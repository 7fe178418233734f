import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { untilAnswered } from '../links/clocks.ts'
import { startTcpProxy } from '../links/tcp-proxy.ts'
import { CLI, makePlace, type Place, type Program, runCli } from '../support/program.ts'

describe('The demo that is played once', () => {
  it('tells its story, finds all replicas equal, and ends with code 0 and without a trace', async (t) => {
    const place = await makePlace(t)
    const demo = place.start(process.execPath, ['scripts/start.mjs', '--once'], { TMPDIR: place.path })
    assert.equal(await demo.end, 0, [...demo.lines, ...demo.errors].join('\n'))
    const story = [
      /^1\. +Three gateways are up/,
      /^2\. +gateway-1 sets hall\/setpoint to 20\. Seen on gateway-2 after [\d.]+ ms, on gateway-3 after [\d.]+ ms\.$/,
      /^3\. +gateway-3 is cut off/,
      /^4\. +Both sides change the same point.*gateway-1 sets hall\/setpoint to 21, gateway-3 to 24/,
      /^5\. +Both sides change points of their own/,
      /^6\. +gateway-3 is reconnected\. \d+ ms later all three have the same state, order and conflicts\.$/,
      /^7\. +The change of higher priority stands: hall\/setpoint is 21\..*gateway-3 #\d+ wanted 24, gateway-1 #\d+ stands/,
      /^8\. +Nothing else had to yield: .*0 \+ 2 \+ 3 = 5\.$/,
      /^9\. +gateway-2 is cut off.*kill -9\.$/,
      /^10\. +The others go on without it/,
      /^11\. +gateway-2 is started again.*hall\/blind, which nobody else had, is down\.$/,
      /^12\. +\d+ ms later it has caught up/,
      /^13\. +All replicas are equal: .* Of 10 changes 9 are applied and 1 is listed as a conflict: nothing is lost\.$/,
    ]
    const steps = demo.lines.filter((line) => /^\d+\./.test(line))
    assert.equal(steps.length, story.length)
    for (const [index, pattern] of story.entries()) assert.match(steps[index] ?? '', pattern)
    assert.deepEqual(leftOvers(place.path), [])
  })

  it('does not print the password of a broker that does not answer', async () => {
    const demo = await runCli(['demo', '--once', '--broker', 'mqtt://pump:opensesame@127.0.0.1:1'])
    assert.match(demo.errors.join(), /no broker answers on mqtt:\/\/127\.0\.0\.1:1: start it/)
    const wrong = await runCli(['demo', '--once', '--broker', 'http://pump:opensesame@127.0.0.1'])
    assert.match(wrong.errors.join(), /--broker http:\/\/127\.0\.0\.1 is not an address/)
  })

  it('ends with code 12 and one line that says what differs, when the replicas cannot come together', async (t) => {
    const place = await makePlace(t)
    const broker = place.start(process.execPath, [CLI, 'broker', '--port', '0', '--json'])
    const { port } = JSON.parse(await broker.line(/"ready"/)) as { port: number }
    const proxy = await startTcpProxy(port)
    t.after(() => proxy.end())
    const { demo, seconds } = await playToStep3(place, `mqtt://127.0.0.1:${proxy.port}`)
    proxy.sever()
    assert.equal(await demo.end, 12)
    assert.equal(demo.errors.length, 1, demo.errors.join('\n'))
    assert.match(demo.errors[0] ?? '', new RegExp(`^fleetstep: after step \\d+: .+ even after ${seconds} s$`))
    assert.deepEqual(leftOvers(place.path), [])
  })

  it('ends with code 12 when it is interrupted, because it has compared nothing', async (t) => {
    const place = await makePlace(t)
    const demo = place.start(process.execPath, [CLI, 'demo', '--once'], { TMPDIR: place.path })
    await demo.line(/^1\. /)
    demo.kill('SIGINT')
    assert.equal(await demo.end, 12)
    assert.deepEqual(demo.errors, ['fleetstep: ended before the story was over'])
    assert.deepEqual(leftOvers(place.path), [])
  })

  it('says in one line that the broker it was told of does not answer', async () => {
    const { code, errors } = await runCli(['demo', '--once', '--broker', 'mqtt://127.0.0.1:1'])
    assert.equal(code, 6)
    assert.equal(errors.length, 1)
    assert.match(errors[0] ?? '', /no broker answers on mqtt:\/\/127\.0\.0\.1:1: start it, or leave --broker out/)
  })
})

describe('The demo that stays', () => {
  it('answers a second terminal, sees a gateway go and come, and ends with code 0 on Ctrl-C', async (t) => {
    const place = await makePlace(t)
    const demo = await startStaying(place)
    const set = await runCli(['state', 'set', 'hall/lamp', '"blue"', '--gateway', 'gateway-1'], place.env)
    assert.equal(set.code, 0, set.errors.join('\n'))
    await seen(place, 'gateway-3', 'hall/lamp', '"blue"')

    const [, pid] = /kill -9 (\d+)/.exec(await demo.line(/kill -9 \d+ /)) ?? []
    process.kill(Number(pid), 'SIGKILL')
    await demo.line(/^gateway-2 is down\.$/)
    const words = /npx fleetstep (run .*)$/.exec(await demo.line(/npx fleetstep run/))?.[1]?.split(' ') ?? []
    const again = place.start(process.execPath, [CLI, ...words])
    await demo.line(/^gateway-2 is up again\.$/)
    await seen(place, 'gateway-2', 'hall/lamp', '"blue"')

    demo.kill('SIGINT')
    assert.equal(await demo.end, 0)
    // The script says there if it had to build.
    assert.deepEqual(
      demo.errors.filter((line) => line.startsWith('fleetstep')),
      [],
    )
    assert.ok(demo.lines.some((line) => line.startsWith('gateway-2 goes on: it was started by hand')))
    assert.match(demo.lines.at(-1) ?? '', /^The fleet has ended\./)
    again.kill('SIGTERM')
    assert.equal(await again.end, 0)
    assert.deepEqual(sockets(place), [])
  })

  it('leaves no process behind when it is killed with SIGKILL', async (t) => {
    const place = await makePlace(t)
    const demo = await startStaying(place)
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(demo.lines[0] ?? '')?.[1])
    assert.equal(await isAnswered({ host: '127.0.0.1', port }), true)
    const held = sockets(place)
    assert.equal(held.length, 3)
    demo.kill('SIGKILL')
    for (const address of [...held.map((path) => ({ path })), { host: '127.0.0.1', port }]) await untilSilent(address)
  })
})

/** @returns the demo in its third step, and how long a step may take: as short as this machine, here and now, can keep */
async function playToStep3(place: Place, broker: string): Promise<{ demo: Program; seconds: number }> {
  for (const seconds of [4, 15, 60]) {
    const words = ['demo', '--once', '--broker', broker, '--step-timeout', String(seconds)]
    const demo = place.start(process.execPath, [CLI, ...words], { TMPDIR: place.path })
    const isThere = await demo.line(/^3\. /).then(
      () => true,
      () => false,
    )
    if (isThere) return { demo, seconds }
  }
  throw new Error('no step of the demo came to its end within a minute')
}

/** Through the script of `npm start`, whose end has to reach all. */
async function startStaying(place: Place): Promise<Program> {
  const demo = place.start(process.execPath, ['scripts/start.mjs', '--directory', join(place.path, 'demo')])
  await demo.line(/The fleet stays up/)
  await demo.line(/npx fleetstep run/)
  return demo
}

function sockets({ path }: Place): string[] {
  const folder = join(path, 'fleetstep')
  return existsSync(folder) ? readdirSync(folder).map((file) => join(folder, file)) : []
}

function leftOvers(path: string): string[] {
  return readdirSync(path).filter((name) => name.startsWith('fleetstep-demo'))
}

async function seen(place: Place, gateway: string, path: string, json: string): Promise<void> {
  await untilAnswered(
    async () => (await runCli(['state', 'get', path, '--gateway', gateway, '--json'], place.env)).lines,
    (lines) => lines.join('').includes(json),
    `${gateway} has ${path}`,
  )
}

async function isAnswered(address: { host: string; port: number } | { path: string }): Promise<boolean> {
  const socket = connect(address)
  const answered = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
  })
  socket.destroy()
  return answered
}

async function untilSilent(address: Parameters<typeof isAnswered>[0]): Promise<void> {
  await untilAnswered(
    async () => await isAnswered(address),
    (answered) => !answered,
    'nobody answers there',
  )
}
