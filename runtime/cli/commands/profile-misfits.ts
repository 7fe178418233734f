import type { Command } from 'commander'
import * as v from 'valibot'
import type { CorrectedMisfit } from '../../gateway/profile-misfits.ts'
import { type Form, recordOf } from '../answer-form.ts'
import { ask } from '../connect.ts'
import { print, valueText } from '../output.ts'
import { receiptSchema, receiptText } from './state-change.ts'

export const misfitSchema: Form<CorrectedMisfit> = recordOf<CorrectedMisfit>({
  path: v.string(),
  reason: v.string(),
  problem: v.optional(v.string()),
})

/** @param device this gateway's own if undefined */
export async function showMisfits(command: Command, device: string | undefined): Promise<void> {
  const { correct } = command.opts<{ readonly correct?: true }>()
  const params = { ...(device !== undefined && { device }), ...(correct === true && { correct }) }
  const misfits = await ask(command, 'profile.misfits', params, v.array(misfitSchema))
  print(command, misfits, () => misfitsText(misfits, correct === true))
}

export async function removeProfile(command: Command, device: string): Promise<void> {
  const receipt = await ask(command, 'profile.remove', { device }, receiptSchema)
  print(command, receipt, () => receiptText(receipt))
}

function misfitsText(misfits: readonly CorrectedMisfit[], isCorrected: boolean): string {
  if (misfits.length === 0) return 'every value fits'
  const lines = misfits.map((misfit) => {
    const { path, value, reason } = misfit
    return `${path} ${isCorrected ? 'was' : 'is'} ${valueText(value)}: ${reason}${isCorrected ? `; ${nowText(misfit)}` : ''}`
  })
  return [
    ...lines,
    ...(isCorrected ? [] : ['each stays until it is set anew; --correct gives defaults, and takes the others away']),
  ].join('\n')
}

function nowText(misfit: CorrectedMisfit): string {
  if (misfit.problem !== undefined) return `it stays: ${misfit.problem}`
  return 'now' in misfit ? `now ${valueText(misfit.now)}` : 'gone'
}
