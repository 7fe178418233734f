/** One line for each event, made to be read by eye: time, node, event, stage, and what else there is to say. */
export class EventLog {
  readonly lines: string[] = []

  add(now: number, node: string, event: string, stage: number | null, detail: string): void {
    const time = (now / 1000).toFixed(3).padStart(9)
    this.lines.push(
      `${time} ${node.padEnd(2)} ${event.padEnd(9)} ${(stage === null ? '' : `@${stage}`).padEnd(5)} ${detail}`,
    )
  }
}
