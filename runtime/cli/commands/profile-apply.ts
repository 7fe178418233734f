import type { Command } from 'commander'
import type { AppliedProfile } from '../../gateway/profile-part.ts'
import { withGateway } from '../connect.ts'
import { print, valueText } from '../output.ts'
import { differencesText, enforcementText } from '../profile-text.ts'

/** @throws FleetstepError `profile-invalid` with line and column; what is in force stays */
export async function applyProfile(command: Command): Promise<void> {
  const applied = (await withGateway(command, async (gateway) => await gateway.call('profile.apply'))) as AppliedProfile
  print(command, applied, () => appliedText(applied))
}

function appliedText(applied: AppliedProfile): string {
  const { file, hash, differences, misfits } = applied
  const left = misfits.map(({ path, value, reason }) => `  ${path} is ${valueText(value)}: ${reason}`)
  return [
    `${file}: version ${hash} is in force${differences.length === 0 ? ' already' : ''}`,
    ...(differences.length === 0 ? [] : [differencesText(differences)]),
    enforcementText(applied.fleet),
    ...(left.length === 0 ? [] : ['from before, and not allowed now; each stays until it is set anew:', ...left]),
  ].join('\n')
}
