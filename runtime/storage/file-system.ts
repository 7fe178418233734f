/**
 * What storage asks of a file system: no more than a power cut leaves meaning to. The real one is node-file-system.ts;
 * the tests have one that loses power, tears writes and runs full. A failure is an Error with the `code` of errno(3).
 */
export interface FileSystem {
  /** Makes the directory and its parents, durable on return; no error if it is there. */
  makeDirectory(path: string): Promise<void>
  /** Names in the directory, in any order. */
  list(directory: string): Promise<readonly string[]>
  /** `create` makes an empty file, or empties the one that is there. */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<File>
  /** Replaces `to` atomically. On the medium only after `syncDirectory`. */
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** Resolves once the names in the directory are on the medium (fsync of the directory). */
  syncDirectory(path: string): Promise<void>
  /** Bytes that this user may still write on the file system of the directory. */
  freeBytes(directory: string): Promise<number>
  /** Makes a mark that carries a short text, in one step. False if that name exists, whatever it carries. */
  createMark(path: string, text: string): Promise<boolean>
  /** The text of a mark, or null if there is none. */
  readMark(path: string): Promise<string | null>
}

export interface File {
  /** Fills `into` from the offset `at`, as far as the file goes; may stop short. Returns the bytes read, 0 at the end. */
  read(into: Uint8Array, at: number): Promise<number>
  /** Writes at the offset `at`; may stop short. Returns the bytes written. */
  write(bytes: Uint8Array, at: number): Promise<number>
  /** Resolves once content and size are on the medium (fdatasync). */
  sync(): Promise<void>
  size(): Promise<number>
  /**
   * The path by which it was opened leads to it still. Asked at every commit, so it looks at the names that the machine has
   * in memory, and at once: 3 µs.
   */
  isInPlace(): boolean
  close(): Promise<void>
}

/** Writes all of `bytes`, in several steps where a write stops short. */
export async function writeFully(file: File, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const written = await file.write(bytes.subarray(done), at + done)
    if (written === 0) throw new Error('the file system took no byte of a write and gave no reason')
    done += written
  }
}

/** Up to `length` bytes from `at`; fewer only at the end of the file. */
export async function readFully(file: File, length: number, at: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let done = 0
  while (done < length) {
    const count = await file.read(bytes.subarray(done), at + done)
    if (count === 0) break
    done += count
  }
  return bytes.subarray(0, done)
}

/** Opens, hands over, and closes whatever happens. */
export async function withFile<T>(
  fileSystem: FileSystem,
  path: string,
  mode: 'read' | 'write' | 'create',
  use: (file: File) => Promise<T>,
): Promise<T> {
  const file = await fileSystem.open(path, mode)
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}

/** `code` of errno(3), or an empty text. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** The path leads to nothing. */
export function isNowhere(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(errorCode(error))
}

/** No space, or none left for this user. */
export function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(errorCode(error))
}
