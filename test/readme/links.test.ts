import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, it } from 'node:test'

describe('documents', () => {
  const runtime = readdirSync('runtime', { recursive: true, encoding: 'utf8' })
  const rooms = runtime.filter((file) => file.endsWith('.md')).map((file) => join('runtime', file))
  for (const document of ['README.md', 'CHANGELOG.md', 'device-profiles/README.md', ...rooms]) {
    it(`${document} links to what is there`, () => {
      const broken = linksOf(readFileSync(document, 'utf8')).filter(
        (link) => !existsSync(resolve(dirname(document), link)),
      )
      assert.deepEqual(broken, [])
    })
  }

  it('README.md links each promise to what defends it', () => {
    const [, section = ''] = readFileSync('README.md', 'utf8').split('## What is promised')
    const rows =
      section
        .split('What is **not** promised')[0]
        ?.match(/^\| .*$/gm)
        ?.slice(2) ?? []
    assert.ok(rows.length >= 10)
    for (const row of rows) {
      const defence = linksOf(row.split('|').at(-2) ?? '')
      assert.ok(
        defence.some((link) => link.startsWith('test/')),
        row,
      )
      // The title of a link to a test is a part of the test's name, so that the link says what of the file it means.
      for (const [, file = '', rest = ''] of row.matchAll(/\]\((test\/[^\s)]+\.test\.ts)([^)]*)\)/g)) {
        const title = rest.trim().slice(1, -1)
        assert.ok(title !== '' && namesOf(file).some((name) => name.includes(title)), `${file} has no test ‘${title}’`)
      }
      for (const [, name = ''] of row.matchAll(/`([a-z]+[A-Z]\w+)`/g))
        assert.ok(
          defence.some((link) => readFileSync(link, 'utf8').includes(`function ${name}(`)),
          `${name} is no check`,
        )
    }
  })
})

/** Of tests and suites. */
function namesOf(file: string): string[] {
  const names = readFileSync(file, 'utf8').matchAll(/\b(?:describe|it|test)\(\s*(['`])(.*?)\1,/g)
  return [...names].map(([, , name = '']) => name)
}

/** Relative ones, without what stands behind #. */
function linksOf(markdown: string): string[] {
  return [...markdown.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].flatMap(([, link = '']) => (link.includes(':') ? [] : [link]))
}
