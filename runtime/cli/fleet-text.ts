import { toHex } from '../base/bytes.ts'
import { nodeOf } from '../base/ids.ts'
import type { ProposedEpoch } from '../gateway/epoch-file.ts'
import type { GatewayStatus } from '../gateway/inspection.ts'
import { table } from './output.ts'

/** Members, and drafts that ask in vain, for people. */
export function membersText({ members, candidates }: GatewayStatus): string {
  const rows = members.map((line) => {
    const cut = line.cut === null ? 'its cut is not known' : `operations to ${line.cut} stand`
    const standing = line.isRetired ? `retired, ${cut}` : line.isSelf ? 'this gateway' : 'member'
    return [nodeOf(line.member), line.member.slice(17), String(line.tier), line.role, line.token ?? '-', standing]
  })
  const drafts = candidates.map(({ member, tier, role, refusal }) => [
    nodeOf(member),
    member.slice(17),
    String(tier),
    role,
    '-',
    `not taken in: ${refusal ?? 'it waits'}`,
  ])
  return table([['node', 'life', 'tier', 'role', 'token', ''], ...rows, ...drafts])
}

/** The newest epoch as a gateway sees it. */
export function epochStatusText(epoch: GatewayStatus['epoch']): string {
  if (epoch.number === 0) return 'nobody was ever retired: there is no epoch yet'
  const waits = epoch.waitsFor.length === 0 ? [] : [['waits for', epoch.waitsFor.join(' ')]]
  return table([
    ['epoch', `${epoch.number}${epoch.isForced ? ', forced' : ''}, announced ${epoch.announced}`],
    ['counting', epoch.counting.join(' ')],
    ['retired', listText(epoch.retired)],
    ['cuts', epoch.knowsCuts ? 'known' : 'not known yet'],
    ...waits,
    ['revoked tokens', listText(epoch.revoked)],
    ['let in', listText(epoch.admitted)],
  ])
}

/** What a signature is given for. */
export function epochText(epoch: ProposedEpoch): string {
  return table([
    ['epoch', `${epoch.number}${epoch.isForced === true ? ', forced: what only others hold is lost' : ''}`],
    ['counting', epoch.counting.join(' ')],
    ['retired', listText(epoch.retired)],
    ['revoked tokens', listText(epoch.revoked ?? [])],
    ['let in', (epoch.admitted ?? []).map(admittedText).join('; ') || 'none'],
  ])
}

/** A draft without a token asks for any tier, and for any key: who signs sees what he gives. */
function admittedText({ member, tier, role, key }: NonNullable<ProposedEpoch['admitted']>[number]): string {
  return `${member} as ${role ?? 'gateway'}, tier ${tier}, key ${toHex(key).slice(0, 16)}`
}

function listText(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(' ')
}
