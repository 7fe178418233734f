import { unwatchFile, watchFile } from 'node:fs'
import { PROFILE_POLL_MS } from '../base/limits.ts'
import type { WatchFile } from './profile-keeper.ts'

/**
 * Looks at the file in short intervals, since that notices an editor that writes a new file in its place, a file that is gone and
 * comes back, and one on a network disk. It does not keep the process alive.
 */
export const pollFile: WatchFile = (file, onChange) => {
  const listener = (): void => onChange()
  watchFile(file, { interval: PROFILE_POLL_MS, persistent: false }, listener)
  return () => unwatchFile(file, listener)
}
