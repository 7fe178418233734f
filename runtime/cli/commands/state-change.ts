import type { Command } from 'commander'
import * as v from 'valibot'
import { FleetstepError } from '../../base/errors.ts'
import { type Form, recordOf } from '../answer-form.ts'
import { ask } from '../connect.ts'
import { print } from '../output.ts'
import { type PatchOptions, readPatch } from '../patch.ts'
import { readStandardInput } from '../standard-input.ts'
import { parseValue } from '../value-argument.ts'

export async function setState(command: Command, path: string, text: string | undefined): Promise<void> {
  if (text === undefined) return await change(command, 'state.set', { path })
  const { string } = command.opts<{ readonly string?: true }>()
  await change(command, 'state.set', { path, value: string === true ? text : parseValue(text) })
}

export async function removeState(command: Command, path: string): Promise<void> {
  await change(command, 'state.delete', { path })
}

export async function patchState(command: Command, json: string | undefined): Promise<void> {
  await change(command, 'state.patch', readPatch(await patchText(json), command.opts<PatchOptions>()))
}

async function patchText(json: string | undefined): Promise<string | null> {
  if (json !== '-') return json ?? null
  if (process.stdin.isTTY) throw new FleetstepError('usage', '- reads the patch from standard input: pipe it in')
  return await readStandardInput()
}

async function change(command: Command, method: string, params: Readonly<Record<string, unknown>>): Promise<void> {
  const receipt = await ask(command, method, params, receiptSchema)
  print(command, receipt, () => receiptText(receipt))
}

/** What became of a change, as the control protocol says it. */
interface ShownReceipt {
  readonly operation: string
  readonly stage: number
  readonly outcome: string
  readonly settled: boolean
  readonly draft: boolean
}

export const receiptSchema: Form<ShownReceipt> = recordOf<ShownReceipt>({
  operation: v.string(),
  stage: v.number(),
  outcome: v.string(),
  settled: v.boolean(),
  draft: v.boolean(),
})

export function receiptText({ outcome, operation, stage, settled, draft }: ShownReceipt): string {
  if (draft) return `${outcome}: draft ${operation}, on this disk; it waits until this node is a member`
  const certainty = settled ? 'settled' : 'on this disk; not settled yet'
  return `${outcome}: operation ${operation} at stage ${stage}, ${certainty}`
}
