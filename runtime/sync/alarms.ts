import type { Alarm, Output } from './output.ts'

/** Raises each alarm once for each member, however often its cause is met. */
export class Alarms {
  readonly #raised = new Set<string>()

  raise(alarm: Alarm): Output[] {
    const key = `${alarm.name} ${'member' in alarm ? alarm.member : ''}`
    if (this.#raised.has(key)) return []
    this.#raised.add(key)
    return [{ kind: 'alarm', alarm }]
  }
}
