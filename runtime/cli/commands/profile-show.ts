import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import * as v from 'valibot'
import { profileDifferences } from '../../device/profiles/difference.ts'
import type { LoadedProfile } from '../../device/profiles/document.ts'
import { readProfileText } from '../../device/profiles/document.ts'
import { acceptedProfile, type ProfileFile, readProfileFile } from '../../device/profiles/load.ts'
import { differencesToJson, profileToJson } from '../../gateway/profile-json.ts'
import type { ProfileReport } from '../../gateway/profile-keeper.ts'
import { shippedProfile } from '../../gateway/shipped-profiles.ts'
import { recordOf } from '../answer-form.ts'
import { ask } from '../connect.ts'
import { print } from '../output.ts'
import { differencesText } from '../profile-text.ts'

/** @param name of a profile, or undefined for the one in force on the running gateway */
export async function showProfile(command: Command, name: string | undefined): Promise<void> {
  const shown = name === undefined ? await inForce(command) : readProfileFile(shippedProfile(name))
  const { profile, hash, warnings } = acceptedProfile(shown)
  print(command, { file: shown.file, hash, warnings, profile: profileToJson(profile) }, () => textToKeep(shown))
}

/** From one profile to another; from what is in force to one; or to the gateway's file as it is now. */
export async function diffProfiles(command: Command, from: string | undefined, to: string | undefined): Promise<void> {
  const before = from === undefined || to === undefined ? await inForce(command) : readProfileFile(shippedProfile(from))
  const after = readProfileFile(shippedProfile(to ?? from ?? before.file))
  const [old, next] = [acceptedProfile(before), acceptedProfile(after)]
  const differences = differencesToJson(profileDifferences(old.profile, next.profile))
  const result = {
    from: { file: before.file, hash: old.hash },
    to: { file: after.file, hash: next.hash },
    differences,
  }
  print(command, result, () => (differences.length === 0 ? sameText(old) : differencesText(differences)))
}

async function inForce(command: Command): Promise<ProfileFile> {
  const report = await ask(command, 'profile.get', {}, reportSchema)
  return { file: report.file, text: report.text, reading: readProfileText(report.text) }
}

const reportSchema = recordOf<ProfileReport>({ file: v.string(), text: v.string() })

function sameText({ hash }: LoadedProfile): string {
  return `they say the same (version ${hash}); comments and layout do not count`
}

/** A copy lies elsewhere, so the schema for editors is named by its whole path. */
function textToKeep({ file, text }: ProfileFile): string {
  const schema = join(dirname(file), 'profile.schema.json')
  return text.replace(/^(# yaml-language-server: \$schema=)\.\/profile\.schema\.json$/m, `$1${schema}`)
}
