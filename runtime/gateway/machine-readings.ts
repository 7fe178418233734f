import type { Logger } from '../base/logger.ts'
import { healthPath, reportedPath } from '../device/profiles/points.ts'
import type { DeviceProfile, DeviceResource } from '../device/profiles/profile.ts'
import { SystemDriver } from '../device/system/system-driver.ts'
import { openSystemSource, type SystemReading, type SystemSource } from '../device/system/system-source.ts'
import { StateReports } from './devices/state-reports.ts'
import type { Gateway, LinkReport } from './gateway.ts'
import { systemClock } from './system-clock.ts'

/** Reports what a gateway measures of itself, as its profile says. @returns a function that ends it */
export function startReadings(gateway: Gateway, profile: DeviceProfile, logger: Logger): () => void {
  const reports = new StateReports(gateway.state, systemClock, logger)
  const resources = new Map(profile.deviceResources.map((resource) => [resource.name, resource]))
  const about = (name: string, tell: (resource: DeviceResource) => void): void => {
    const resource = resources.get(name)
    if (resource !== undefined) tell(resource)
  }
  const driver = new SystemDriver({
    profile,
    source: withLinks(openSystemSource(), () => gateway.links()),
    clock: systemClock,
    logger,
    onReading: (name, value) =>
      about(name, (resource) => reports.report(reportedPath(gateway.device, resource), value)),
    onTaken: (name) =>
      about(name, (resource) => {
        if (reports.isTold(reportedPath(gateway.device, resource))) gateway.noteReading(name)
      }),
    onHealth: (name, problem) =>
      about(name, (resource) => {
        const path = healthPath(gateway.device, resource)
        // A machine that can read itself is nothing that the state has to hold.
        if (problem === null && gateway.state.get(path) === undefined) return
        reports.report(path, problem === null ? { state: 'up' } : { state: 'down', error: problem })
      }),
  })
  driver.start()
  return () => {
    driver.stop()
    reports.stop()
  }
}

/** Adds what only the gateway knows to a source of this machine. */
export function withLinks(source: SystemSource, links: () => readonly LinkReport[]): SystemSource {
  let before = new Map<string, Counts>()
  const quality = (): SystemReading => {
    const reports = links()
    if (reports.length === 0) return { kind: 'failed', reason: 'this gateway has no link' }
    const shares = reports.map((link) => shareOf(link, before.get(link.name)))
    before = new Map(reports.map((link) => [link.name, countsOf(link)]))
    return { kind: 'value', value: (100 * shares.reduce((sum, share) => sum + share, 0)) / shares.length }
  }
  return { read: (quantity, path) => (quantity === 'linkQuality' ? quality() : source.read(quantity, path)) }
}

interface Counts {
  readonly passed: number
  readonly dropped: number
}

/** Of the frames since the last reading those that were not dropped; nothing of a link that is down, all of an idle one. */
function shareOf(link: LinkReport, before: Counts | undefined): number {
  if (link.state !== 'up') return 0
  const now = countsOf(link)
  const passed = Math.max(0, now.passed - (before?.passed ?? 0))
  const dropped = Math.max(0, now.dropped - (before?.dropped ?? 0))
  return passed + dropped === 0 ? 1 : passed / (passed + dropped)
}

function countsOf({ counters }: LinkReport): Counts {
  const dropped = Object.values(counters.dropped).reduce((sum, count) => sum + count, 0)
  return { passed: counters.framesSent + counters.framesReceived, dropped }
}
