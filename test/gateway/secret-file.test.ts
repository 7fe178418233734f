import assert from 'node:assert/strict'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createSecretFile, removeSecretFile, replaceSecretFile } from '../../runtime/gateway/secret-file.ts'
import { onFullDisk } from '../support/full-disk.ts'

const TEXT = 'a secret of some length\n'

describe('a file with a secret', () => {
  for (const [name, write] of [
    ['made', createSecretFile],
    ['put in the place of another one', replaceSecretFile],
  ] as const) {
    it(`is whole when it is ${name}, whenever the power is cut, and has its name when that is done`, (t) => {
      const folder = folderOf(t)
      const file = join(folder, 'deep', 'member.key')
      const done = watch(t, () => {
        if (fs.existsSync(file)) assert.equal(fs.readFileSync(file, 'utf8'), TEXT)
      })
      write({ file, text: TEXT, code: 'key-invalid' })
      const placed = name === 'made' ? 'link member.key' : 'rename member.key'
      assert.deepEqual(done, [
        `sync ${basename(folder)}`,
        'write',
        `sync member.key.${process.pid}.new`,
        placed,
        'sync deep',
      ])
      assert.equal(fs.readFileSync(file, 'utf8'), TEXT)
      assert.equal(fs.statSync(file).mode & 0o777, 0o600)
      assert.deepEqual(fs.readdirSync(join(folder, 'deep')), ['member.key'])
    })
  }

  it('leaves one that is there as it is', (t) => {
    const file = join(folderOf(t), 'member.key')
    const make = (text: string): void => createSecretFile({ file, text, code: 'key-invalid' })
    make(TEXT)
    assert.throws(() => make('another'), { code: 'file-occupied', message: /member\.key is there already/ })
    assert.equal(fs.readFileSync(file, 'utf8'), TEXT)
    assert.deepEqual(fs.readdirSync(join(file, '..')), ['member.key'])
  })

  it('is not there at all when the disk is full, which is said', async (t) => {
    const folder = folderOf(t)
    const file = join(folder, 'member.key')
    const make = (): void => createSecretFile({ file, text: TEXT, code: 'key-invalid' })
    await assert.rejects(onFullDisk(5, make), {
      code: 'disk-full',
      exitCode: 5,
      message: /cannot write \S+member\.key: ENOSPC; make room/,
    })
    assert.deepEqual(fs.readdirSync(folder), [])
  })

  it('is gone for good when it was removed', (t) => {
    const folder = folderOf(t)
    const file = join(folder, 'founder.key')
    createSecretFile({ file, text: TEXT, code: 'key-invalid' })
    const done = watch(t, () => undefined)
    removeSecretFile(file)
    assert.deepEqual([fs.existsSync(file), done], [false, [`sync ${basename(folder)}`]])
  })
})

function folderOf(t: TestContext): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'fleetstep-secret-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** What is done to files from now on, by their names. @param look called before each step and after it */
function watch(t: TestContext, look: () => void): readonly string[] {
  const done: string[] = []
  const { fsyncSync, linkSync, renameSync, writeSync } = fs
  const step = <Result>(name: string, act: () => Result): Result => {
    look()
    done.push(name)
    const result = act()
    look()
    return result
  }
  fs.fsyncSync = (descriptor) =>
    step(`sync ${basename(fs.readlinkSync(`/proc/self/fd/${descriptor}`))}`, () => fsyncSync(descriptor))
  fs.linkSync = (from, to) => step(`link ${basename(String(to))}`, () => linkSync(from, to))
  fs.renameSync = (from, to) => step(`rename ${basename(String(to))}`, () => renameSync(from, to))
  fs.writeSync = ((...words: Parameters<typeof writeSync>) => step('write', () => writeSync(...words))) as never
  syncBuiltinESMExports()
  t.after(() => {
    Object.assign(fs, { fsyncSync, linkSync, renameSync, writeSync })
    syncBuiltinESMExports()
  })
  return done
}
