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
    [
      'let in',
      listText(
        (epoch.admitted ?? []).map(({ member, role }) => (role === undefined ? member : `${member} as ${role}`)),
      ),
    ],
  ])
}

function listText(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(' ')
}
