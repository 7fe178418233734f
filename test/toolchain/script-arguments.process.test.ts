import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { main as campaign } from '../campaign/campaign.ts'
import { main as faults } from '../faults/faults.ts'

describe('an option that is none', () => {
  for (const script of ['test', 'check', 'bench', 'budgets', 'mutations', 'sim', 'vectors']) {
    it(`of npm run ${script} is told in one line above the usage`, () => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [`scripts/${script}.mjs`, '--nonsense'], {
        encoding: 'utf8',
      })
      assert.match(`${stdout}${stderr}`, new RegExp(`^Unknown option '--nonsense'.*\\n+npm (run )?${script}`))
      assert.doesNotMatch(stderr, /^ +at /m)
      assert.equal(status, 2)
    })
  }

  it('of npm run campaign or faults ends it with the same code', async (t) => {
    const told = t.mock.method(console, 'error', () => undefined)
    assert.equal(await campaign(['--nonsense']), 2)
    assert.equal(await faults(['--nonsense']), 2)
    for (const { arguments: words } of told.mock.calls)
      assert.match(String(words[0]), /^Unknown option '--nonsense'.*\n\nnpm run /)
    assert.equal(told.mock.callCount(), 2)
  })
})
