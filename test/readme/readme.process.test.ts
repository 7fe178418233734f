import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, it } from 'node:test'
import { makePlace, type Place } from '../support/program.ts'
import { commandBlocks, firstMismatch } from './command-blocks.ts'

/**
 * README.md shows what its commands print. A comment before a code block names the command that is run here:
 *
 *   <!-- run: npm start -- --once -->         it ends with code 0, and the block is what it prints
 *   <!-- beside: npx fleetstep state get -->  the same, while the fleet of the demo is up
 *
 * In the block `…` stands for anything in its line, and a line of `…` alone for any lines.
 */
describe('README.md', () => {
  const blocks = commandBlocks(readFileSync(resolve('README.md'), 'utf8'))

  it('shows what its first command prints', () => {
    assert.equal(blocks[0]?.command, 'npm start -- --once')
  })

  for (const block of blocks.filter(({ setting }) => setting === 'alone')) {
    it(`tells the truth about: ${block.command}`, async (t) => {
      await assertPrints(block.command, block.expected, await makePlace(t))
    })
  }

  it('tells the truth about each command in a second terminal', async (t) => {
    const beside = blocks.filter(({ setting }) => setting === 'beside')
    if (beside.length === 0) return
    const place = await makePlace(t)
    const demo = place.start(process.execPath, ['scripts/start.mjs', '--directory', join(place.path, 'demo')])
    await demo.line(/The fleet stays up/)
    for (const { command, expected } of beside) await assertPrints(command, expected, place)
    demo.kill('SIGINT')
    assert.equal(await demo.end, 0)
  })
})

async function assertPrints(command: string, expected: readonly string[], place: Place): Promise<void> {
  const program = place.start('sh', ['-c', command])
  assert.equal(await program.end, 0, [command, ...program.lines, ...program.errors].join('\n'))
  const mismatch = firstMismatch(expected, program.lines)
  assert.equal(
    mismatch,
    null,
    `${command} does not print ‘${mismatch}’ at its place, but:\n${program.lines.join('\n')}`,
  )
}
