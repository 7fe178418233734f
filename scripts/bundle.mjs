import { existsSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { fail, inProject, projectRoot } from './project.mjs'

/**
 * Bundles TypeScript into one module under .cache and returns its path. Packages stay outside; traces point at the
 * sources; `import.meta.url` stays the address of the source file, so that a test finds what lies beside it.
 * Call `ensureInstalled` first.
 * @param {{ name: string, files: readonly string[], keepNames?: boolean, bounds?: Bounds }} bundle `name` of the result; `files` in the
 *   project are imported in this order. With one file, its exports are the module's. `keepNames` false where two functions
 *   of one name may be told apart by a number, and each function that is made costs no call that names it. `bounds` instead of those of runtime/base/limits.ts.
 * @typedef {Readonly<Record<string, number>>} Bounds
 */
export async function bundle({ name, files, keepNames = true, bounds = {} }) {
  for (const file of files) if (!existsSync(inProject(file))) fail(`${file} is not there.`)
  const { build } = await import('esbuild')
  const folder = inProject('.cache', 'bundles')
  const outfile = join(folder, `${name}.mjs`)
  rmSync(outfile, { force: true })
  const [only] = files
  const contents =
    files.length === 1 ? `export * from ${quote(only)}` : files.map((file) => `import ${quote(file)}`).join('\n')
  const bundled = build({
    stdin: { contents, resolveDir: projectRoot, sourcefile: `${name}.mjs`, loader: 'js' },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    // The package says `sideEffects: false`, which is true of the library and not of tests.
    ignoreAnnotations: true,
    sourcemap: true,
    sourcesContent: false,
    keepNames,
    logLevel: 'error',
    plugins: [otherBounds(bounds), ownAddresses, bundledPackages],
  })
  await bundled.catch(() => fail(`${name} could not be bundled: the first error is above.`))
  return outfile
}

/** Bundles one file and imports it. */
export async function bundleAndImport(
  /** @type {{ name: string, file: string, keepNames?: boolean, bounds?: Bounds }} */ options,
) {
  const { file, ...rest } = options
  process.setSourceMapsEnabled(true)
  return import(pathToFileURL(await bundle({ ...rest, files: [file] })).href)
}

function quote(/** @type {string | undefined} */ file) {
  return JSON.stringify(`./${file}`)
}

/**
 * A package whose modules import each other without the ending of the file, which node refuses and a bundler does not.
 * @type {import('esbuild').Plugin}
 */
const bundledPackages = {
  name: 'bundled-packages',
  setup(build) {
    build.onResolve({ filter: /^@ldclabs\/cose-ts\// }, ({ path }) => ({
      path: fileURLToPath(import.meta.resolve(path)),
    }))
  },
}

/**
 * Each bound stands in one line of its own.
 * @returns {import('esbuild').Plugin}
 */
function otherBounds(/** @type {Bounds} */ bounds) {
  return {
    name: 'other-bounds',
    setup(build) {
      build.onLoad({ filter: /runtime\/base\/limits\.ts$/ }, ({ path }) => {
        let contents = readFileSync(path, 'utf8')
        for (const [name, value] of Object.entries(bounds)) {
          const line = new RegExp(`^export const ${name}(: number)? = .*$`, 'm')
          if (!line.test(contents)) fail(`there is no bound ${name}`)
          contents = contents.replace(line, `export const ${name} = ${value}`)
        }
        return { contents, loader: 'ts', resolveDir: dirname(path) }
      })
    },
  }
}

/** @type {import('esbuild').Plugin} */
const ownAddresses = {
  name: 'own-addresses',
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8')
      if (!source.includes('import.meta.url')) return null
      const contents = source.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
      return { contents, loader: 'ts', resolveDir: dirname(path) }
    })
  },
}
