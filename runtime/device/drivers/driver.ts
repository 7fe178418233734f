import type { Value } from '../../state/value.ts'

/** What every driver of devices has in common; a driver is bound to resources of one profile when it is made. */
export interface DeviceDriver {
  /** Nothing is told within this call. */
  start(): void
  /** Sets an output, which is one of those that the driver was bound to. `done` is called once: null, or why it failed. */
  write(resource: string, value: Value, done: (problem: string | null) => void): void
  /** What the output has, as read back now; null where that cannot be told without asking a device. */
  readBack(resource: string): Value | null
  /** Lets go of pins and ports. Outputs stay as they are. Never rejects, and nothing is told after it. */
  close(): Promise<void>
}

/** What a driver tells. */
export interface DriverEvents {
  /** A reading was good, whether it was worth a report, which came before, or not: it is as old as this call. */
  taken(resource: string): void
  /** A reading that its profile allows and that is worth a report. */
  reading(resource: string, value: Value): void
  /** The resource works again, or does not any more; told when that changes. */
  health(resource: string, health: Health): void
}

export type Health =
  | { readonly state: 'up' }
  /**
   * @property error one line: what, where, what to do
   * @property isGone its port is not there: the plug was pulled
   */
  | { readonly state: 'down'; readonly error: string; readonly isGone: boolean }
