/**
 * Ends this process as SIGTERM does when the one that started it with a channel is gone, however that came about: nothing
 * else tells a child that its parent was killed with SIGKILL.
 */
export function endWithParent(): void {
  if (process.channel === undefined) return
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  // The channel alone keeps nobody alive.
  process.channel.unref()
}
