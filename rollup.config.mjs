import { chmodSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { builtinModules } from 'node:module'
import commonjs from '@rollup/plugin-commonjs'
import json from '@rollup/plugin-json'
import nodeResolve from '@rollup/plugin-node-resolve'
import esbuild from 'rollup-plugin-esbuild'

const manifest = JSON.parse(readFileSync('package.json', 'utf8'))

const builtins = new Set(builtinModules.flatMap((name) => [name, `node:${name}`]))

/** Their compiled parts fit one platform, so the program loads them from node_modules when it needs them. */
const nativeAddOns = ['serialport', '@serialport', 'onoff', 'epoll']

/** An application that uses the library has each of these once, in its own node_modules. */
const libraryDependencies = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })

/**
 * The program. Its pure JavaScript dependencies are inside, which halves the CPU time of a start. What is imported on
 * demand (every command is) becomes a chunk of its own and is loaded when it is called for.
 */
const program = {
  input: { cli: 'runtime/cli/main.ts' },
  output: {
    dir: 'dist',
    format: 'es',
    entryFileNames: '[name].js',
    chunkFileNames: 'cli/[name]-[hash].js',
    banner: (chunk) => (chunk.isEntry ? '#!/usr/bin/env node' : ''),
  },
  external: (id) => builtins.has(id) || isFrom(nativeAddOns, id),
  plugins: [
    leaveOut('mqtt', ['./ws', './wx', './ali', 'socks', 'worker-timers']),
    nodeResolve({ preferBuiltins: true, exportConditions: ['node'] }),
    // Requires that are computed at run time (pino's transports, ws's optional add-ons) are left alone: none is used.
    commonjs({ ignoreDynamicRequires: true, ignoreTryCatch: true }),
    json({ preferConst: true }),
    transpile({ minify: true }),
    removeStale('cli'),
    executable('dist/cli.js'),
  ],
  onwarn: failOnWarning,
}

/** The library: the one public entry. All dependencies stay outside. */
const library = {
  input: { index: 'runtime/index.ts' },
  output: { dir: 'dist', format: 'es', entryFileNames: '[name].js', chunkFileNames: 'library/[name]-[hash].js' },
  external: (id) => builtins.has(id) || isFrom([...nativeAddOns, ...libraryDependencies], id),
  plugins: [
    nodeResolve({ preferBuiltins: true, exportConditions: ['node'] }),
    json({ preferConst: true }),
    transpile({ minify: false }),
    removeStale('library'),
  ],
  onwarn: failOnWarning,
}

export default [program, library]

function transpile({ minify }) {
  return esbuild({ target: 'node20', minify, sourceMap: false })
}

function isFrom(packages, id) {
  return packages.some((name) => id === name || id.startsWith(`${name}/`))
}

/** Chunk names carry a hash, so stale ones would pile up and be packed. They go last: a program that runs may need them. */
function removeStale(directory) {
  const isStale = (bundle) => (file) => !(`${directory}/${file}` in bundle)
  return {
    name: 'remove-stale',
    writeBundle({ dir }, bundle) {
      const folder = `${dir}/${directory}`
      for (const file of readdirSync(folder).filter(isStale(bundle))) rmSync(`${folder}/${file}`)
    },
  }
}

/**
 * Modules that a dependency asks for and this program never reaches: WebSocket, SOCKS and browser parts of the MQTT client
 * cost 2 MiB of memory and an eighth of the bundle.
 */
function leaveOut(dependency, modules) {
  const empty = '\0left-out'
  const isAsker = (importer) => importer?.includes(`node_modules/${dependency}/`)
  return {
    name: 'leave-out',
    resolveId: (id, importer) => (isAsker(importer) && modules.includes(id) ? empty : null),
    load: (id) => (id === empty ? 'export default {}; export const streamBuilder = undefined' : null),
  }
}

function executable(file) {
  return { name: 'executable', writeBundle: () => chmodSync(file, 0o755) }
}

/** A warning about our own code, or about anything that would be missing at run time, fails the build. */
function failOnWarning(warning) {
  const fatal = ['UNRESOLVED_IMPORT', 'MISSING_EXPORT', 'MISSING_GLOBAL_NAME']
  const files = warning.ids ?? [warning.id ?? warning.loc?.file ?? '']
  const fromDependency = files.every((file) => file.includes('node_modules'))
  if (fromDependency && !fatal.includes(warning.code)) return
  throw new Error(`${warning.code ?? 'warning'}: ${warning.message}`)
}
