import type { Command } from 'commander'
import { EXIT_CODES } from '../../base/errors.ts'
import type { Remark } from '../../device/profiles/document.ts'
import { readProfileFile } from '../../device/profiles/load.ts'
import { shippedProfile } from '../../gateway/shipped-profiles.ts'
import { print } from '../output.ts'
import { remarksText } from '../profile-text.ts'

interface Verdict {
  readonly file: string
  readonly valid: boolean
  readonly name: string | null
  readonly hash: string | null
  readonly points: number
  readonly problems: readonly Remark[]
  readonly warnings: readonly Remark[]
}

/** @throws FleetstepError `profile-invalid` if a file cannot be read at all */
export function validateProfiles(command: Command, names: readonly string[]): void {
  const verdicts = names.map((name) => validate(shippedProfile(name)))
  print(command, verdicts, () => verdicts.map(verdictText).join('\n'))
  if (verdicts.some(({ valid }) => !valid)) process.exitCode = EXIT_CODES['profile-invalid']
}

function validate(file: string): Verdict {
  const { reading } = readProfileFile(file)
  if (reading.kind === 'refused') {
    return { file, valid: false, name: null, hash: null, points: 0, problems: reading.problems, warnings: [] }
  }
  const { profile, hash, warnings } = reading.profile
  const points = profile.deviceResources.length
  return { file, valid: true, name: profile.name, hash, points, problems: [], warnings }
}

function verdictText({ file, valid, name, hash, points, problems, warnings }: Verdict): string {
  const summary = valid
    ? `${file} is valid: ${name}, ${points} point${points === 1 ? '' : 's'}, version ${hash}`
    : `${file} is not valid: ${problems.length} problem${problems.length === 1 ? '' : 's'}`
  return [remarksText(file, problems, 'error'), remarksText(file, warnings, 'warning'), summary]
    .filter((text) => text !== '')
    .join('\n')
}
