import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { main, OWN_FILES, play } from './run-vectors.ts'
import { readScenarios, type Scenario } from './scenario.ts'

describe('golden scenarios', () => {
  for (const scenario of OWN_FILES.flatMap(readScenarios)) {
    test(scenario.name, () => assert.deepEqual(play(scenario), { kind: 'equal' }))
  }
})

describe('npm run vectors', () => {
  const [published = ''] = OWN_FILES

  test('ends without an error when all scenarios are equal', async () => {
    const lines: string[] = []
    assert.equal(await main([published], (line) => lines.push(line)), 0)
    assert.equal(lines.length, 15)
    for (const line of lines) assert.match(line, /: equal$/)
  })

  test('names scenario, step, field, what was expected and what was seen', async () => {
    for (const [change, line] of DIFFERENCES) {
      const lines: string[] = []
      assert.equal(await playChanged(change, (text) => lines.push(text)), 1)
      assert.deepEqual(lines, [`undo-and-redo-by-a-witness: differs: ${line}`])
    }
  })

  test('refuses files that it cannot read or that contradict themselves', async () => {
    const lines: string[] = []
    assert.equal(await main(['no/such/file.json'], (line) => lines.push(line)), 2)
    assert.equal(await playChanged({ deliver: ['c1'] }, (line) => lines.push(line)), 2)
    assert.match(lines.join('\n'), /no\/such\/file\.json[^]*it has not one step for each delivery/)
  })
})

const witness = readScenarios(OWN_FILES[1] ?? '').find(({ name }) => name === 'undo-and-redo-by-a-witness')
if (witness === undefined) throw new Error('members.json lacks the scenario that these tests change')
const [first, second, third, fourth] = witness.steps

/** One wrong expectation for each field that is compared, and what is said of it. */
const DIFFERENCES: readonly (readonly [Partial<Scenario>, string])[] = [
  [stepsWith({ how: 'behind' }), 'step 4 ("b1"): how: expected "behind", seen "insert"'],
  [stepsWith({ executed: [] }), 'step 4 ("b1"): executed: expected [], seen ["b1"]'],
  [stepsWith({ undone: ['c1', 'c3'] }), 'step 4 ("b1"): undone: expected ["c1","c3"], seen ["c1","c2","c3"]'],
  [stepsWith({ removed: ['c1'] }), 'step 4 ("b1"): removed: expected ["c1"], seen []'],
  [stepsWith({ journal: ['b1'] }), 'step 4 ("b1"): journal: expected ["b1"], seen ["b1","c1","c2","c3"]'],
  [stepsWith({ waiting: ['c1'] }), 'step 4 ("b1"): waiting: expected ["c1"], seen []'],
  [stepsWith({ deferred: ['c1'] }), 'step 4 ("b1"): deferred: expected ["c1"], seen []'],
  [
    stepsWith({ outcomes: {} }),
    'step 4 ("b1"): outcomes: expected {}, seen {"b1":"applied","c1":"superseded","c2":"applied","c3":"superseded"}',
  ],
  [stepsWith({ floor: 1 }), 'step 4 ("b1"): floor: expected 1, seen 0'],
  [stepsWith({ mood: 'fine' }), 'step 4 ("b1"): mood is a field that is not known here'],
  [endingWith({ state: { x: 'b1' } }), 'at the end: state: expected {"x":"b1"}, seen {"x":"b1","y":"c2"}'],
  [
    endingWith({ conflicts: [{ op: 'c1', path: 'x', by: 'b1' }] }),
    'at the end: conflicts: expected [{"op":"c1","path":"x","by":"b1"}], seen []',
  ],
  [endingWith({ members: ['A'] }), 'at the end: members: expected ["A"], seen ["A","B","C","D"]'],
]

function stepsWith(change: object): Partial<Scenario> {
  assert.ok(first && second && third && fourth)
  return { steps: [first, second, third, { ...fourth, ...change }] }
}

function endingWith(change: object): Partial<Scenario> {
  assert.ok(witness)
  return { expect: { ...witness.expect, ...change } }
}

async function playChanged(change: Partial<Scenario>, print: (line: string) => void): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'fleetstep-vectors-'))
  try {
    const file = join(folder, 'changed.json')
    writeFileSync(file, JSON.stringify({ _format: {}, scenarios: [{ ...witness, ...change }] }))
    return await main([file], print)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
