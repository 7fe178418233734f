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

/** The folder of the program and the library that were built from these sources. */
export const OUR_RELEASE: string = resolve('dist')

/**
 * The program and the library of a later release, built from these sources: its frames carry a later version, and it writes below
 * `later/` with kinds that ours has no meaning for.
 * @returns its folder, with the same files as `dist`
 */
export async function buildRelease({ kinds, versions }: Release): Promise<string> {
  const outdir = join(BUILDS, `release-${versions}-${kinds}-${process.pid}`)
  if (existsSync(join(outdir, 'cli.js'))) return outdir
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
    entryPoints: { cli: resolve('runtime', 'cli', 'main.ts'), index: resolve('runtime', 'index.ts') },
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
  return outdir
}

/** Of this campaign, and its application. */
export function removeReleases(): void {
  for (const name of existsSync(BUILDS) ? readdirSync(BUILDS) : [])
    if (name.endsWith(`-${process.pid}`) && /^(release|application)-/.test(name))
      rmSync(join(BUILDS, name), { recursive: true, force: true })
}

/** What campaigns build; the names of what is in it end with the process id of their campaign. */
export const BUILDS: string = resolve('.cache', 'campaign')
