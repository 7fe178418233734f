import type { Command } from 'commander'
import * as v from 'valibot'
import { FleetstepError } from '../../base/errors.ts'
import { acceptedProfile, readProfileFile } from '../../device/profiles/load.ts'
import type { TakenOffer } from '../../gateway/profile-offers.ts'
import type { AppliedProfile } from '../../gateway/profile-part.ts'
import { shippedProfile } from '../../gateway/shipped-profiles.ts'
import { recordOf } from '../answer-form.ts'
import { ask } from '../connect.ts'
import { print, table, valueText } from '../output.ts'
import { differencesText, enforcementText, differenceSchema, enforcementSchema } from '../profile-text.ts'
import { misfitSchema } from './profile-misfits.ts'
import { receiptSchema, receiptText } from './state-change.ts'

interface ApplyOptions {
  readonly device?: string
  readonly node?: string
  readonly offered?: true
}

/**
 * Without a name the gateway reads its own profile again.
 * @throws FleetstepError `profile-invalid` with line and column; what is in force stays
 */
export async function applyProfile(command: Command, name: string | undefined): Promise<void> {
  const { device, node, offered } = command.opts<ApplyOptions>()
  if (offered === true && name === undefined && node === undefined) return await applyOffered(command, device)
  if (name !== undefined && device !== undefined && node !== undefined) {
    return await applyForAnother(command, name, { device, node })
  }
  if (name !== undefined || device !== undefined || node !== undefined) {
    throw new FleetstepError(
      'usage',
      'for another node name all three: fleetstep profile apply FILE --device NAME --node ID; this gateway applies the profile of its config',
    )
  }
  const applied = await ask(command, 'profile.apply', {}, appliedSchema)
  print(command, applied, () => appliedText(applied))
}

const appliedSchema = recordOf<AppliedProfile>({
  file: v.string(),
  hash: v.string(),
  differences: v.array(differenceSchema),
  misfits: v.array(misfitSchema),
  fleet: enforcementSchema,
})

async function applyForAnother(
  command: Command,
  name: string,
  target: Readonly<Record<'device' | 'node', string>>,
): Promise<void> {
  const file = readProfileFile(shippedProfile(name))
  // A mistake is told with the name of the file.
  acceptedProfile(file)
  const params = { ...target, text: file.text }
  const receipt = await ask(command, 'profile.enforce', params, receiptSchema)
  print(command, receipt, () => receiptText(receipt))
}

async function applyOffered(command: Command, device: string | undefined): Promise<void> {
  const params = device === undefined ? {} : { device }
  const taken = await ask(command, 'profile.take-offers', params, v.array(takenSchema))
  print(command, taken, () => {
    if (taken.length === 0) return 'no profile is offered that is not in force'
    return table(taken.map(({ device: of, name, hash, outcome }) => [of, name, `version ${hash}`, outcome]))
  })
}

const takenSchema = recordOf<TakenOffer>({
  device: v.string(),
  name: v.string(),
  hash: v.string(),
  outcome: v.string(),
})

function appliedText(applied: AppliedProfile): string {
  const { file, hash, differences, misfits } = applied
  const left = misfits.map(({ path, value, reason }) => `  ${path} is ${valueText(value)}: ${reason}`)
  return [
    `${file}: version ${hash} is in force${differences.length === 0 ? ' already' : ''}`,
    ...(differences.length === 0 ? [] : [differencesText(differences)]),
    enforcementText(applied.fleet),
    ...(left.length === 0
      ? []
      : [
          'from before, and not allowed now; each stays until it is set anew, or fleetstep profile misfits --correct:',
          ...left,
        ]),
  ].join('\n')
}
