import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createHash } from 'node:crypto'
import type { NodeId } from '../../runtime/base/ids.ts'
import { exportDataDirectory } from '../../runtime/gateway/data-export.ts'
import { importDataDirectory } from '../../runtime/gateway/data-import.ts'
import { openGateway, type Gateway } from '../../runtime/gateway/gateway.ts'
import { memoryHub } from '../../runtime/links/memory/memory-link.ts'
import { JournalStore } from '../../runtime/storage/journal-store.ts'
import { nodeFileSystem, nodeProcessTable } from '../../runtime/storage/node-file-system.ts'
import { fleetIdOf, type Genesis } from '../../runtime/sync/membership.ts'
import { realClock, until } from '../links/clocks.ts'

const ANNA = '0200000000000001' as NodeId
const BERT = '0200000000000002' as NodeId
const FLEET: Genesis = {
  name: 'pair',
  founders: [
    { node: ANNA, tier: 1 },
    { node: BERT, tier: 0 },
  ],
}

describe('An export that is imported', () => {
  it('starts the gateway where it stopped, as the same member, if nothing happened since', async (t) => {
    const rig = new Rig(t)
    const [anna, bert] = await rig.openBoth()
    await anna.state.set('lamp', 1).durable
    await until(() => bert.state.get('lamp') === 1, 'bert has it')
    const member = anna.inspect().self
    await anna.close()
    const report = await exportDataDirectory(rig.directory(ANNA), rig.file('export'))
    const imported = await rig.import('export', 'new card')
    assert.equal(imported.lastRecord, report.lastRecord)
    const again = await rig.open(ANNA, 'new card')
    assert.deepEqual([again.state.get('lamp'), again.inspect().self], [1, member])
    await again.state.set('lamp', 2).durable
    await until(() => bert.state.get('lamp') === 2, 'bert follows')
    assert.deepEqual([...again.alarms(), ...bert.alarms()], [])
  })

  it('that is older than what the fleet knows is noticed: the gateway becomes a draft, and nothing is lost or applied twice', async (t) => {
    const rig = new Rig(t)
    const [first, bert] = await rig.openBoth()
    await first.state.add('starts', 1).durable
    const member = first.inspect().self
    await first.close()
    await exportDataDirectory(rig.directory(ANNA), rig.file('export'))
    const second = await rig.open(ANNA, ANNA)
    for (const speed of [10, 20, 30]) await second.state.set('speed', speed).durable
    await second.state.add('starts', 1).durable
    await until(() => bert.state.get('starts') === 2 && bert.state.get('speed') === 30, 'bert has all')
    await second.close()
    const { replaced } = await rig.import('export', ANNA)
    assert.ok(replaced.includes('replaced-0001-format.json'))
    const restored = await rig.open(ANNA, ANNA)
    await until(() => restored.inspect().self !== member, 'it has noticed')
    assert.deepEqual(
      restored.alarms().map(({ name }) => name),
      ['regressed'],
    )
    const { status, draftReason } = restored.inspect()
    assert.equal(status, 'draft')
    // It is told by whatever reaches it first: how much the fleet holds of it, or its own newest announcement.
    assert.match(draftReason ?? '', /holds 5 operations of this node, which knows only 1|before it was set back/)
    // What it changes now waits for it to be taken in, and nothing is sent under a seq that the fleet knows.
    await restored.state.set('speed', 40).durable
    const held = bert.inspect().members.find((line) => line.member === member)
    assert.deepEqual([bert.state.get('starts'), bert.state.get('speed'), held?.heldSeq], [2, 30, 5])
    // Where it was heard before it noticed, it had taken back what it had said.
    for (const alarm of bert.alarms())
      assert.deepEqual([alarm.name, 'member' in alarm && alarm.member], ['untrue-announcement', member])
  })

  it('is refused whole wherever it was altered, and nothing is written', async (t) => {
    const rig = new Rig(t)
    const [anna] = await rig.openBoth()
    for (let turn = 0; turn < 3; turn += 1) await anna.state.set('lamp', turn).durable
    await anna.close()
    await exportDataDirectory(rig.directory(ANNA), rig.file('export'))
    const text = readFileSync(rig.file('export'), 'utf8')
    const lines = text.trimEnd().split('\n').slice(0, -1)
    const altered: readonly (readonly [string, RegExp])[] = [
      ['', /is not all of an export/],
      [text.slice(0, text.length / 2), /is not JSON|is not all of an export/],
      [text.replace('"bytes":"', '"bytes":"A'), /is not base64|means nothing/],
      [text.replace('"isWhole":true', '"isWhole":false'), /is not the checksum/],
      [`${text}${lines[0]}\n`, /comes after the end/],
      // Whoever writes a right checksum under wrong content is noticed too.
      [sealed(lines.slice(0, -1)), /holds records up to/],
      [sealed([...lines.slice(0, -2), ...lines.slice(-1)]), /does not belong here/],
      [sealed([...lines, lines.at(-1) ?? '']), /does not belong here/],
      [sealed([...lines.slice(0, -1), replaceBytes(lines.at(-1) ?? '', 'AAAA')]), /means nothing to a gateway/],
      [sealed([(lines[0] ?? '').replace('"export":1', '"export":2'), ...lines.slice(1)]), /format 2/],
    ]
    for (const [content, message] of altered) {
      writeFileSync(rig.file('altered'), content)
      await assert.rejects(rig.import('altered', 'nowhere'), { code: 'export-invalid', message }, String(message))
      await assert.rejects(nodeFileSystem.list(rig.directory('nowhere')), { code: 'ENOENT' })
    }
    await assert.rejects(rig.import('missing', 'nowhere'), { code: 'export-invalid', message: /ENOENT/ })
  })
})

function sealed(lines: readonly string[]): string {
  const text = `${lines.join('\n')}\n`
  return `${text}${JSON.stringify({ sha256: createHash('sha256').update(text).digest('hex') })}\n`
}

function replaceBytes(line: string, bytes: string): string {
  return JSON.stringify({ ...(JSON.parse(line) as object), bytes })
}

/** Two gateways with real data directories below one folder. */
class Rig {
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'fleetstep-restored-'))
  readonly #hub = memoryHub({ clock: realClock })
  readonly #links = new Map<NodeId, ReturnType<ReturnType<typeof memoryHub>['link']>>()
  readonly #open: Gateway[] = []

  constructor(test: TestContext) {
    test.after(async () => {
      await Promise.all(this.#open.map((gateway) => gateway.close()))
      rmSync(this.#folder, { recursive: true })
    })
  }

  file(name: string): string {
    return join(this.#folder, name)
  }

  directory(name: string): string {
    return this.file(`data ${name}`)
  }

  async openBoth(): Promise<readonly [Gateway, Gateway]> {
    return [await this.open(ANNA, ANNA), await this.open(BERT, BERT)]
  }

  async open(node: NodeId, name: string): Promise<Gateway> {
    const link = this.#links.get(node) ?? this.#hub.link(node)
    this.#links.set(node, link)
    const gateway = await openGateway({
      fleet: FLEET,
      node,
      storage: new JournalStore({
        fileSystem: nodeFileSystem,
        processes: nodeProcessTable,
        directory: this.directory(name),
        owner: { fleet: fleetIdOf(FLEET), node },
      }),
      links: [() => link],
      clock: realClock,
    })
    this.#open.push(gateway)
    return gateway
  }

  import(file: string, name: string): ReturnType<typeof importDataDirectory> {
    const directory = this.directory(name)
    const place = { file: this.file(file), directory, gateway: null }
    return importDataDirectory({ ...place, replaces: true, acceptsForeign: false })
  }
}
