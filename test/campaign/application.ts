import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { CampaignFleet } from './campaign-fleet.ts'
import { writeProfile } from './devices.ts'
import { MOSQUITTO } from './plan.ts'
import { BUILDS } from './releases.ts'

/** What the application of the campaign is told, as JSON in a file. */
export interface ApplicationSettings {
  /** Name of its device, and of its node among others on this machine. */
  readonly name: string
  readonly seed: string
  readonly directory: string
  readonly profile: string
  readonly servers: readonly string[]
  /** Where the harness speaks with it. */
  readonly socket: string
}

/** Bundles the application without the library, of which it is told the file when it is started. */
export async function buildApplication(): Promise<void> {
  const { build } = await import('esbuild')
  await build({
    entryPoints: [resolve('test', 'campaign', 'library-application.ts')],
    outfile: applicationFile(),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    logLevel: 'error',
  })
}

/** @returns what node runs of it, with the library of a release */
export function applicationCommand(
  fleet: CampaignFleet,
  name: string,
  seed: string,
  directory: string,
): (release: string) => string[] {
  const file = join(fleet.folder, `${name}.json`)
  const settings: ApplicationSettings = {
    name,
    seed,
    directory,
    profile: writeProfile(fleet, name, 0),
    servers: [`mqtt://${MOSQUITTO.address}:1883`],
    socket: join(fleet.folder, 'run', 'fleetstep', `${name}.sock`),
  }
  writeFileSync(file, JSON.stringify(settings))
  return (release) => [applicationFile(), join(release, 'index.js'), file]
}

function applicationFile(): string {
  return join(BUILDS, `application-${process.pid}`, 'application.mjs')
}
