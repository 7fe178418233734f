import * as v from 'valibot'
import type { LinkReport } from '../gateway/gateway.ts'
import { type Form, recordOf } from './answer-form.ts'
import { table } from './output.ts'

type LinkStatus = Omit<LinkReport, 'name' | 'isOpen'>

const LINK_STATUS = {
  state: v.string(),
  cause: v.nullable(v.string()),
  peer: v.string(),
  counters: recordOf<LinkReport['counters']>({
    framesSent: v.number(),
    framesReceived: v.number(),
    dropped: v.record(v.string(), v.number()),
  }),
}

export const linkStatusSchema: Form<LinkStatus> = recordOf<LinkStatus>(LINK_STATUS)
export const linkSchema: Form<LinkReport> = recordOf<LinkReport>({ ...LINK_STATUS, name: v.string() })

/** The answer of the control method `link.list` as a table, with the cause of what is not up below its link. */
export function linksText(links: readonly LinkReport[], indent: string = ''): string {
  if (links.length === 0) return `${indent}none: this gateway is alone; its config names no links`
  return links.map((link) => linkText(link, indent)).join('\n')
}

function linkText({ name, state, cause, peer, counters }: LinkReport, indent: string): string {
  const traffic = `sent ${counters.framesSent}, received ${counters.framesReceived} frames`
  const line = table([[name, state, peer, traffic]], indent)
  return cause === null ? line : `${line}\n${indent}  ${cause}`
}
