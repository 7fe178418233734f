/** What a room may say to the operator. One clear line each; `facts` are for machines. */
export interface Logger {
  debug(message: string, facts?: Facts): void
  info(message: string, facts?: Facts): void
  warn(message: string, facts?: Facts): void
  error(message: string, facts?: Facts): void
}

export type Facts = Readonly<Record<string, unknown>>

export const silentLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
}

function ignore(): void {}
