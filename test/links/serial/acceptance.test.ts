import { acceptLink } from '../link-acceptance.ts'
import { serialHarness } from './serial-fixture.ts'

acceptLink('serial', () => Promise.resolve(serialHarness()), false, 'point-to-point')
acceptLink('serial at 9600 baud', () => Promise.resolve(serialHarness({ baud: 9600 })), false, 'point-to-point')
acceptLink(
  'serial on a bad line',
  () => Promise.resolve(serialHarness({ bitErrorRate: 1e-4, burstRate: 1e-5, byteLossRate: 1e-5, latencyMs: 16 })),
  false,
  'point-to-point',
)
