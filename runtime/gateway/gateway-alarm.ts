import { unreachable } from '../base/errors.ts'
import { nodeOf } from '../base/ids.ts'
import type { Alarm } from '../sync/output.ts'

/** What people must know: of the fleet, or of this node's own storage. Each has a stable name. */
export type GatewayAlarm =
  | Alarm
  /** Records that had been acknowledged are missing after `lastRecord`; the other members send what they have. */
  | { readonly name: 'storage-damaged'; readonly lastRecord: number }
  | { readonly name: 'medium-failing'; readonly errors: number }

/** What it means and what to do, in one line. */
export function describeAlarm(alarm: GatewayAlarm): string {
  switch (alarm.name) {
    case 'late-operation':
      return `operation ${alarm.seq} of ${alarm.member} came after its place was settled and was refused: that node was restored from an old backup or cloned`
    case 'identity-used-twice':
      return `${alarm.member} has issued two different operations ${alarm.seq}: two nodes use one identity; take one of them off the network`
    case 'untrue-announcement':
      return `${alarm.member} announces what cannot be true: ${alarm.reason}; it lies, was restored from an old backup, or two nodes use its identity: if it goes on, fleetstep fleet retire ${nodeOf(alarm.member)}`
    case 'regressed':
      return `this node stands still: ${alarm.reason}; its data directory is older than what it has said, or its card was cloned`
    case 'divergence':
      return `${alarm.member} has another settled state at floor ${alarm.floor}: collect the journals of both nodes and report it`
    case 'welcome-doubted':
      return `${alarm.member} offers a settled state that ${alarm.by.map(nodeOf).join(', ')} contradicts: nothing of it was taken, and this node asks others; compare the gateways, and retire the one that lies`
    case 'epoch-conflict':
      return `two different epochs have the number ${alarm.number}: two operators retired nodes at the same time; the second one is refused here; make another epoch`
    case 'epoch-forced':
      return `the operator has forced epoch ${alarm.number}: what only members hold that do not count in it is lost to the fleet`
    case 'second-key':
      return `a node asks to join as ${alarm.member}, to which another key is bound: two nodes use one identity; take one of them off the network`
    case 'token-overused':
      return `${alarm.used} member ids have joined with token ${alarm.token}, which is for ${alarm.uses}: a split let in some on each side; fleetstep fleet members shows who has it: retire whom you do not know`
    case 'cut-below-floor':
      return `operations of ${alarm.member} behind ${alarm.seq} were cut although they are settled here: they stay; an epoch was forced`
    case 'newer-release':
      return `a node of this fleet runs another release (${alarm.reason}): what it says is dropped here, and is fetched once the newer release is installed here too`
    case 'journal-long':
      return `the journal holds ${alarm.operations} operations because ${alarm.waitingFor ?? 'the own disk'} has not confirmed them: bring that node back or retire it`
    case 'storage-damaged':
      return `acknowledged records after record ${alarm.lastRecord} are missing from the data directory: the rest is fetched from the other members; replace the card`
    case 'medium-failing':
      return `the medium refused a batch ${alarm.errors} times, and each was written elsewhere: replace the card soon`
    default:
      return unreachable(alarm)
  }
}
