import { isRecord } from '../gateway/control-protocol.ts'
import { table } from './output.ts'

/** The answer of the control method `link.list` as a table, with the cause of what is not up below its link. */
export function linksText(links: unknown, indent: string = ''): string {
  const list = Array.isArray(links) ? links.filter(isRecord) : []
  if (list.length === 0) return `${indent}none: this gateway is alone; its config names no links`
  return list.map((link) => linkText(link, indent)).join('\n')
}

function linkText(link: Readonly<Record<string, unknown>>, indent: string): string {
  const counters = isRecord(link['counters']) ? link['counters'] : {}
  const traffic = `sent ${String(counters['framesSent'])}, received ${String(counters['framesReceived'])} frames`
  const line = table([[String(link['name']), String(link['state']), String(link['peer']), traffic]], indent)
  return typeof link['cause'] === 'string' ? `${line}\n${indent}  ${link['cause']}` : line
}
