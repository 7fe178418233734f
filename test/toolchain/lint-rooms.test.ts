import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

/**
 * Lines of code in a file of a room, and the rule that must refuse them; `allowed` is what the table permits. All plants of
 * a file stand in it together, so `#` in a name becomes the plant's number.
 */
interface Plant {
  readonly file: string
  readonly code: string
  readonly rule: string
}

const imports = 'eslint(no-restricted-imports)'
const globals = 'eslint(no-restricted-globals)'
const properties = 'eslint(no-restricted-properties)'
const allowed = 'allowed'

/** Who may not import whom. The room of the row never imports the rooms of the list. */
const closedDoors: Readonly<Record<string, readonly string[]>> = {
  base: ['state', 'sync', 'links', 'storage', 'device', 'gateway', 'diagnostics', 'cli'],
  state: ['sync', 'links', 'storage', 'device', 'gateway', 'diagnostics', 'cli'],
  sync: ['links', 'storage', 'device', 'gateway', 'diagnostics', 'cli'],
  links: ['state', 'sync', 'storage', 'device', 'gateway', 'diagnostics', 'cli'],
  storage: ['state', 'sync', 'links', 'device', 'gateway', 'diagnostics', 'cli'],
  device: ['sync', 'links', 'storage', 'gateway', 'diagnostics', 'cli'],
  gateway: ['diagnostics', 'cli'],
  diagnostics: ['state', 'sync', 'links', 'storage', 'device', 'gateway', 'cli'],
  cli: ['state', 'sync', 'links', 'storage'],
}

/** Files that have a rule of their own, which must still hold the table of their room. */
const filesWithDoors: Readonly<Record<string, string>> = {
  'base/cbor.ts': '../state/x.ts',
  'base/digest.ts': '../state/x.ts',
  'links/mqtt/link.ts': '../../sync/x.ts',
  'links/mqtt/peers/discovery.ts': '../../../sync/x.ts',
  'links/serial/port.ts': '../../sync/x.ts',
  'links/serial/devices.ts': '../../sync/x.ts',
  'storage/node-file-system.ts': '../links/x.ts',
  'device/identity/node-id.ts': '../../storage/x.ts',
  'device/identity/sources.ts': '../../storage/x.ts',
  'device/profiles/load.ts': '../../storage/x.ts',
  'device/system/system-source.ts': '../../storage/x.ts',
  'device/gpio/onoff-pin.ts': '../../storage/x.ts',
  'device/gpio/chips.ts': '../../storage/x.ts',
  'device/gpio/sysfs-pin.ts': '../../storage/x.ts',
  'device/instruments/modbus-master.ts': '../../storage/x.ts',
  'diagnostics/dashboard/server.ts': '../../storage/x.ts',
}

/** The only files that know a part of the outside; any other file of the program is refused it. */
const outsides: readonly {
  readonly module: string
  readonly at: readonly string[]
  readonly notAt: readonly string[]
}[] = [
  {
    module: 'cbor-x',
    at: ['base/cbor.ts'],
    notAt: ['base/bytes.ts', 'sync/codec.ts', 'links/mqtt/link.ts', 'gateway/pump.ts'],
  },
  {
    module: 'node:crypto',
    at: ['base/digest.ts', 'device/identity/keys.ts'],
    notAt: ['base/bytes.ts', 'state/x.ts', 'sync/x.ts', 'storage/x.ts'],
  },
  {
    module: 'node:zlib',
    at: ['base/deflate.ts'],
    notAt: ['base/bytes.ts', 'state/x.ts', 'sync/x.ts'],
  },
  {
    module: 'mqtt',
    at: ['links/mqtt/link.ts'],
    notAt: ['links/link.ts', 'links/serial/port.ts', 'gateway/pump.ts', 'cli/main.ts', 'index.ts'],
  },
  {
    module: 'bonjour-service',
    at: ['links/mqtt/peers/discovery.ts'],
    notAt: ['links/mqtt/peers/peer-mesh.ts', 'links/mqtt/link.ts', 'gateway/pump.ts'],
  },
  {
    module: 'aedes',
    at: ['links/mqtt/broker.ts'],
    notAt: ['links/memory/link.ts', 'gateway/assemble.ts', 'cli/main.ts'],
  },
  {
    module: 'serialport',
    at: ['links/serial/port.ts'],
    notAt: ['links/serial/serial-link.ts', 'links/serial/devices.ts', 'gateway/assemble.ts'],
  },
  {
    module: 'modbus-serial',
    at: ['device/instruments/modbus-master.ts'],
    notAt: ['device/instruments/modbus-driver.ts', 'gateway/assemble.ts'],
  },
  { module: 'onoff', at: ['device/gpio/onoff-pin.ts'], notAt: ['device/gpio/pin.ts', 'gateway/assemble.ts'] },
  {
    module: 'node:fs',
    at: [
      'storage/node-file-system.ts',
      'links/serial/devices.ts',
      'device/identity/sources.ts',
      'device/profiles/load.ts',
      'device/system/system-source.ts',
      'device/gpio/chips.ts',
      'device/gpio/sysfs-pin.ts',
      'gateway/config.ts',
    ],
    notAt: [
      'base/bytes.ts',
      'state/x.ts',
      'sync/x.ts',
      'links/mqtt/link.ts',
      'links/serial/port.ts',
      'storage/journal.ts',
      'device/identity/node-id.ts',
      'device/profiles/schema.ts',
      'diagnostics/doctor.ts',
      'cli/main.ts',
      'index.ts',
    ],
  },
  {
    module: 'node:fs/promises',
    at: ['gateway/config.ts'],
    notAt: ['storage/journal.ts', 'device/profiles/schema.ts', 'cli/main.ts'],
  },
  {
    module: 'node:http',
    at: ['diagnostics/dashboard/server.ts'],
    notAt: ['diagnostics/metrics.ts', 'links/mqtt/link.ts'],
  },
  {
    module: 'commander',
    at: ['cli/main.ts', 'cli/commands/run.ts'],
    notAt: ['gateway/config.ts', 'diagnostics/doctor.ts'],
  },
]

const impure: readonly { readonly code: string; readonly rule: string }[] = [
  { code: 'export const x# = Date.now()', rule: globals },
  { code: 'export const x# = new Date()', rule: globals },
  { code: 'export const x# = performance.now()', rule: globals },
  { code: 'export const x# = Math.random()', rule: properties },
  { code: "export const x# = Math['random']()", rule: properties },
  { code: 'export const { random: x# } = Math', rule: properties },
  { code: 'setTimeout(() => null, 1)', rule: globals },
  { code: 'setInterval(() => null, 1)', rule: globals },
  { code: 'setImmediate(() => null)', rule: globals },
  { code: 'queueMicrotask(() => null)', rule: globals },
  { code: 'globalThis.setTimeout(() => null, 1)', rule: globals },
  { code: 'export const x# = process.pid', rule: globals },
  { code: 'console.log(1)', rule: globals },
  { code: 'export const x# = crypto.randomUUID()', rule: globals },
  { code: "export const x# = 'a'.localeCompare('b')", rule: properties },
  { code: "export const x# = import('node:os')", rule: imports },
  { code: "export * from 'valibot'", rule: imports },
  { code: "import 'fs'", rule: imports },
]

const asynchronous: readonly { readonly code: string; readonly rule: string }[] = [
  { code: 'export async function a#(): Promise<void> {}\na#()', rule: 'typescript(no-floating-promises)' },
  {
    code: 'export async function a#(): Promise<boolean> { return true }\nif (a#()) throw new Error()',
    rule: 'typescript(no-misused-promises)',
  },
  {
    code: 'export async function a#(): Promise<void> {}\n[1].forEach(async () => { await a#() })',
    rule: 'typescript(no-misused-promises)',
  },
  { code: "export function a#(): void { throw 'text' }", rule: 'typescript(only-throw-error)' },
  { code: 'export async function a#(): Promise<number> { return await 1 }', rule: 'typescript(await-thenable)' },
]

const plants: readonly Plant[] = [
  ...Object.entries(closedDoors).flatMap(([room, doors]) =>
    doors.flatMap((door) => [
      { file: `${room}/x.ts`, code: `import '../${door}/x.ts'`, rule: imports },
      { file: `${room}/deeper/x.ts`, code: `export const x# = import('../../${door}/y/x.ts')`, rule: imports },
    ]),
  ),
  ...Object.entries(openDoors()).flatMap(([room, doors]) =>
    doors.map((door) => ({
      file: `${room}/x.ts`,
      code: `import { a as a# } from '../${door}/x.ts'\nexport const x# = a#`,
      rule: allowed,
    })),
  ),
  ...Object.entries(filesWithDoors).map(([file, path]) => ({ file, code: `import '${path}'`, rule: imports })),
  ...outsides.flatMap(({ module, at, notAt }) => [
    ...at.map((file) => ({ file, code: `import * as a# from '${module}'\nexport const x# = a#`, rule: allowed })),
    ...notAt.map((file) => ({ file, code: `import * as a# from '${module}'\nexport const x# = a#`, rule: imports })),
  ]),
  ...['state/x.ts', 'sync/x.ts', 'sync/deeper/x.ts'].flatMap((file) => impure.map((plant) => ({ file, ...plant }))),
  ...['links/mqtt/x.ts', 'storage/x.ts', 'device/x.ts'].flatMap((file) => [
    { file, code: 'export const x# = Date.now()', rule: globals },
    { file, code: 'setTimeout(() => null, 1)', rule: globals },
    { file, code: 'export const x# = Math.random()', rule: properties },
  ]),
  ...asynchronous.map((plant) => ({ file: 'gateway/pump.ts', ...plant })),
  { file: 'gateway/system-clock.ts', code: 'export const x# = Date.now()', rule: allowed },
  {
    file: 'diagnostics/trace.ts',
    code: "import type { A as A# } from '../sync/x.ts'\nexport type B# = A#",
    rule: allowed,
  },
  {
    file: 'diagnostics/trace.ts',
    code: "import { a as a# } from '../gateway/inspection.ts'\nexport const x# = a#",
    rule: allowed,
  },
  {
    file: 'diagnostics/trace.ts',
    code: "import type { A as A# } from '../gateway/pump.ts'\nexport type B# = A#",
    rule: imports,
  },
  { file: 'sync/x.ts', code: "import '../index.ts'", rule: imports },
  { file: 'gateway/x.ts', code: "import '../../test/support/x.ts'", rule: imports },
  { file: 'index.ts', code: "import './cli/main.ts'", rule: imports },
  { file: 'index.ts', code: "export * from './gateway/assemble.ts'", rule: allowed },
]

describe('the linter', () => {
  let found: readonly ReadonlySet<string>[] = []

  before(() => {
    found = lint(plants)
  })

  plants.forEach(({ file, code, rule }, index) => {
    const what = code.replaceAll('\n', '; ').replaceAll('#', '')
    if (rule === allowed) {
      it(`lets ${file} say: ${what}`, () => {
        const refusals = [imports, globals, properties].filter((name) => found[index]?.has(name))
        assert.deepEqual(refusals, [])
      })
    } else {
      it(`refuses ${file} to say: ${what}`, () => {
        assert.ok(
          found[index]?.has(rule),
          `expected ${rule}, found ${[...(found[index] ?? [])].join(', ') || 'nothing'}`,
        )
      })
    }
  })
})

/** The doors that are not closed are open, apart from one's own. Diagnostics sees only types and one file: not here. */
function openDoors(): Readonly<Record<string, readonly string[]>> {
  const rooms = Object.keys(closedDoors)
  const open = Object.entries(closedDoors).map(([room, closed]) => [
    room,
    rooms.filter((other) => other !== room && !closed.includes(other)),
  ])
  return Object.fromEntries(open) as Readonly<Record<string, readonly string[]>>
}

/** Runs the project's linter once over a tree that holds all plants, and gives the rules that each plant broke. */
function lint(all: readonly Plant[]): readonly ReadonlySet<string>[] {
  const project = fileURLToPath(new URL('../..', import.meta.url))
  const folder = mkdtempSync(join(tmpdir(), 'fleetstep-lint-'))
  try {
    for (const name of ['.oxlintrc.json', 'tsconfig.json']) cpSync(join(project, name), join(folder, name))
    symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'))
    const owners = plantAll(folder, all)
    const linter = join(project, 'node_modules', '.bin', 'oxlint')
    const { stdout, stderr } = spawnSync(linter, ['--format=json'], {
      cwd: folder,
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    })
    assert.ok(stdout.startsWith('{'), `the linter did not run: ${stdout}${stderr}`)
    return rulesByPlant(all, owners, JSON.parse(stdout) as Report)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Which plant each line of each file belongs to. */
type Owners = ReadonlyMap<string, readonly number[]>

function plantAll(folder: string, all: readonly Plant[]): Owners {
  const texts = new Map<string, string>()
  const owners = new Map<string, number[]>()
  all.forEach(({ file, code }, index) => {
    const path = `runtime/${file}`
    const lines = code.replaceAll('#', String(index)).split('\n')
    texts.set(path, `${texts.get(path) ?? ''}${lines.join('\n')}\n`)
    owners.set(path, [...(owners.get(path) ?? []), ...lines.map(() => index)])
  })
  for (const [path, text] of texts) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return owners
}

interface Report {
  readonly diagnostics: readonly {
    readonly code?: string
    readonly filename: string
    readonly labels: readonly { readonly span: { readonly line: number } }[]
  }[]
}

function rulesByPlant(all: readonly Plant[], owners: Owners, report: Report): readonly ReadonlySet<string>[] {
  const rules = all.map(() => new Set<string>())
  for (const { code, filename, labels } of report.diagnostics) {
    const line = labels[0]?.span.line
    const owner = line === undefined ? undefined : owners.get(filename)?.[line - 1]
    if (owner !== undefined && code !== undefined) rules[owner]?.add(code)
  }
  return rules
}
