import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'

interface Result {
  readonly name: string
  readonly rows: readonly Readonly<Record<string, unknown>>[]
}

describe('npm run bench', () => {
  it('runs every benchmark at its smoke size, and each row carries a ratio', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['scripts/bench.mjs', 'all', '--smoke', '--json'])
    const { results } = JSON.parse(stdout) as { results: readonly Result[] }
    const files = readdirSync('test/bench').filter((file) => file.endsWith('.bench.ts'))
    assert.deepEqual(results.map(({ name }) => `${name}.bench.ts`).sort(), files.sort())
    for (const { name, rows } of results) {
      assert.ok(rows.length > 0, name)
      for (const row of rows) assert.ok(Object.entries(row).some(isRatio), `${name}: ${JSON.stringify(row)}`)
    }
    for (const row of results.find(({ name }) => name === 'core')?.rows ?? [])
      for (const floor of ['ratioToFloor', 'ratioToPackedFloor', 'ratioToProtocolFloor'])
        assert.ok(isRatio([floor, row[floor]]), `${floor}: ${JSON.stringify(row)}`)
  })
})

function isRatio([field, figure]: [string, unknown]): boolean {
  return field.startsWith('ratio') && typeof figure === 'number' && Number.isFinite(figure) && figure > 0
}
