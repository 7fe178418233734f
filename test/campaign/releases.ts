import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** What a later release than ours says that ours does not know: how many kinds of write more, and how many versions on. */
export interface Release {
  readonly kinds: number
  readonly versions: number
}

/** Where a client writes so that a later release uses a kind of write of its own: the first one adds `1`, and so on. */
export function laterPath(kind: number, point: string): string {
  return `later/${kind}/${point}`
}

/**
 * A daemon of a later release, built from these sources: its frames carry a later version, and it writes below `later/` with
 * kinds that ours has no meaning for.
 * @returns the file that node runs
 */
export async function buildRelease({ kinds, versions }: Release): Promise<string> {
  const outdir = join(FOLDER, `release-${versions}-${kinds}-${process.pid}`)
  const file = join(outdir, 'main.js')
  if (existsSync(file)) return file
  const { build } = await import('esbuild')
  const changes: Readonly<Record<string, readonly (readonly [was: string, is: string])[]>> = {
    'message-codec.ts': [['const PROTOCOL_VERSION = 1', `const PROTOCOL_VERSION = ${1 + versions}`]],
    'write-codec.ts': [
      ["const length = kind !== 'set' ? 4", "const length = kind !== 'set' || laterKind(path) !== null ? 4"],
      ['WRITE_KINDS.indexOf(kind)', 'laterKind(path) ?? WRITE_KINDS.indexOf(kind)'],
      ["WRITE_KINDS[reader.uint('kind of write')]", "kindOf(reader.uint('kind of write'))"],
    ],
  }
  const added = `
function laterKind(path: string): number | null {
  const kind = Number(/^later\\/(\\d+)\\//.exec(path)?.[1] ?? 0)
  return kind > 0 && kind <= ${kinds} ? WRITE_KINDS.length - 1 + kind : null
}
function kindOf(number: number) {
  return number >= WRITE_KINDS.length && number < WRITE_KINDS.length + ${kinds} ? 'set' : WRITE_KINDS[number]
}
`
  await build({
    entryPoints: [resolve('runtime', 'cli', 'main.ts')],
    outdir,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    logLevel: 'error',
    plugins: [
      {
        name: 'later-release',
        setup(bundling) {
          bundling.onLoad({ filter: /runtime\/sync\/(message|write)-codec\.ts$/ }, ({ path }) => {
            const name = path.endsWith('write-codec.ts') ? 'write-codec.ts' : 'message-codec.ts'
            let contents = readFileSync(path, 'utf8')
            for (const [was, is] of changes[name] ?? []) {
              if (!contents.includes(was)) throw new Error(`${name} does not hold ‘${was}’ any more: see releases.ts`)
              contents = contents.replace(was, is)
            }
            return { contents: name === 'write-codec.ts' ? contents + added : contents, loader: 'ts' }
          })
        },
      },
    ],
  })
  return file
}

/** Of this campaign. */
export function removeReleases(): void {
  for (const name of existsSync(FOLDER) ? readdirSync(FOLDER) : [])
    if (name.endsWith(`-${process.pid}`) && name.startsWith('release-'))
      rmSync(join(FOLDER, name), { recursive: true, force: true })
}

const FOLDER = resolve('.cache', 'campaign')
