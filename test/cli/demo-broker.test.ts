import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startBroker } from '../../runtime/cli/demo/broker.ts'
import type { Child, Children } from '../../runtime/cli/demo/children.ts'

const PATIENCE = { boundMs: 10_000, signal: new AbortController().signal }

test('the demo uses the broker that it has started, not one that took the port at the same moment', async () => {
  const { children, ports } = brokers([
    { end: 'exit code 6', words: 'the embedded broker cannot listen on 127.0.0.1:1883' },
    { end: null, words: 'broker ready on mqtt://127.0.0.1:4321' },
  ])
  const broker = await startBroker(children, PATIENCE)
  assert.deepEqual(ports, ['1883', '0'])
  assert.equal(broker.url, 'mqtt://127.0.0.1:4321')
  assert.equal(broker.text, 'an embedded broker on 127.0.0.1:4321, because 1883 is in use')
})

test('a broker of the demo that ends for another reason is told with its own words', async () => {
  const { children } = brokers([{ end: 'SIGKILL', words: 'broker ready on mqtt://127.0.0.1:1883' }])
  await assert.rejects(startBroker(children, PATIENCE), /SIGKILL/)
})

interface Played {
  readonly end: string | null
  readonly words: string
}

/** Processes that have come this far, in the order in which they are started. */
function brokers(played: readonly Played[]): { readonly children: Children; readonly ports: string[] } {
  const ports: string[] = []
  const children = {
    start(program: string, words: readonly string[]): Child {
      const { end } = played[ports.length] ?? assert.fail('one too many')
      ports.push(words.at(-1) ?? '')
      return { program, pid: ports.length, end: () => end, kill: async () => undefined, stop: async () => undefined }
    },
    words: ({ pid }: Child) => played[pid - 1]?.words ?? null,
    failure: (child: Child) => new Error(String(child.end())),
  }
  return { children: children as unknown as Children, ports }
}
