import { isFounding, type MemberId, type NodeId, nodeOf } from '../../runtime/base/ids.ts'
import type { Output } from '../../runtime/sync/output.ts'
import type { EventLog } from './event-log.ts'

/** What a replica wants done, in one line each. Frames are told by what they are for. */
export function logOutput(log: EventLog, now: number, node: string, output: Output): void {
  const add = (event: string, stage: number | null, detail: string): void => log.add(now, node, event, stage, detail)
  switch (output.kind) {
    case 'store':
      return add('store', null, `record ${output.number}, ${output.record.length} bytes`)
    case 'snapshot':
      return add('snapshot', null, `through record ${output.through}`)
    case 'send':
      return add('send', null, `${output.to.channel} ${JSON.stringify(output.to.links)}, ${output.frame.length} bytes`)
    case 'integrated':
      return add('integrate', null, `${output.operations.map(shortId).join(' ')} ${output.place}`)
    case 'outcome':
      return add(
        'outcome',
        null,
        `${shortId(output.operation)} ${output.before ?? 'new'} -> ${output.outcome}${output.reason === null ? '' : `: ${output.reason}`}`,
      )
    case 'superseded':
      return add('outcome', null, `${[...output.operations].map(shortId).join(' ')} applied -> superseded`)
    case 'rules':
      return add('rules', null, `${output.device}: ${output.before ?? 'none'} -> ${output.after ?? 'none'}`)
    case 'change':
      return add('change', null, `${output.change.path} = ${JSON.stringify(output.change.after)}`)
    case 'conflict': {
      const { winner, loser, path } = output.conflict
      return add('conflict', loser.stage, `${path}: ${shortId(loser.operation)} yields to ${shortId(winner.operation)}`)
    }
    case 'durable':
      return add('durable', null, shortId(output.through))
    case 'removed':
      return add('removed', null, output.operations.map(shortId).join(' '))
    case 'draft-durable':
      return add('durable', null, `draft ${shortId(output.draft)}`)
    case 'draft-settled': {
      const { original, issued } = output
      return add(
        'settled',
        null,
        `${original.kind} ${shortId(original.id)} as ${issued === null ? 'none' : shortId(issued.id)}`,
      )
    }
    case 'standing':
      return add('standing', null, `${output.member.slice(16)} ${output.draftReason ?? 'member'}`)
    case 'settled':
      return add('settled', output.floor, '')
    case 'alarm':
      return add('ALARM', null, JSON.stringify(output.alarm))
    case 'evidence':
      return add('evidence', null, output.name)
  }
}

/** `b:3` for the third operation of node b as a founder, `b.1f3a:3` for that of a later life. */
export function shortId(id: { readonly member: MemberId; readonly seq: number }): string {
  const life = isFounding(id.member) ? '' : id.member.slice(16, 21)
  return `${shortName(nodeOf(id.member))}${life}:${id.seq}`
}

function shortName(node: NodeId): string {
  return String.fromCharCode(0x61 + Number.parseInt(node.slice(0, 2), 16) - 0x0a)
}
