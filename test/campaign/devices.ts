import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isRecord } from '../../runtime/gateway/control-protocol.ts'
import type { CampaignFleet } from './campaign-fleet.ts'
import { deviceProfile, INSTRUMENTED } from './device-profile.ts'
import { FOUNDER, GATEWAYS } from './plan.ts'

/** The profile of one gateway's device as its file says it. */
export function writeProfile(fleet: CampaignFleet, name: string, revision: number): string {
  const file = join(fleet.folder, `${name}-profile.yaml`)
  const instrument = name === INSTRUMENTED ? (fleet.instrument?.device ?? null) : null
  writeFileSync(file, deviceProfile(revision, instrument))
  return file
}

/** The operator puts a revision of a profile in force: in a fleet with keys the founder does it for the others. */
export async function applyProfile(fleet: CampaignFleet, name: string, revision: number): Promise<void> {
  const file = writeProfile(fleet, name, revision)
  const { node } = await fleet.gateway(name).status()
  const words = name === FOUNDER ? [] : [file, '--device', name, '--node', node]
  await fleet.operate('--gateway', FOUNDER, 'profile', 'apply', ...words)
}

/** The hash of each device's profile in the state of the fleet as one gateway has it. */
export async function profilesOf(fleet: CampaignFleet, name: string): Promise<Readonly<Record<string, string>>> {
  const list = await fleet.gateway(name).call('profile.list')
  const profiles = Array.isArray(list) ? list.filter(isRecord) : []
  return Object.fromEntries(profiles.map(({ device, hash }) => [String(device), String(hash)]))
}

/** Readings that one gateway lacks, or that are not fresh: of each device its load, and what the instrument says. */
export async function missingReadings(fleet: CampaignFleet, name: string): Promise<readonly string[]> {
  const list = await fleet.gateway(name).call('telemetry.list')
  const fresh = (Array.isArray(list) ? list.filter(isRecord) : []).flatMap(({ path, quality }) =>
    quality === 'good' ? [String(path)] : [],
  )
  const due = [...GATEWAYS.map((gateway) => `${gateway.name}/load`), `${INSTRUMENTED}/probe`]
  return due.filter((path) => !fresh.includes(path))
}
