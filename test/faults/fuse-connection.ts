import { closeSync, openSync, read, writeSync } from 'node:fs'
import { runTool } from './run-tool.ts'

/** A flat directory of files that a test serves itself. Sizes are fixed. */
export interface ServedFile {
  readonly size: number
  read(at: number, length: number): Uint8Array
  write(at: number, bytes: Uint8Array): void
  sync(): void
}

/**
 * The server's side of the FUSE protocol (linux/fuse.h, version 7.31), as far as a loop device on one of the files needs
 * it: every write comes as it is made and every flush as a request of its own. Needs root and /dev/fuse, nothing else.
 * The process that serves must not wait for one of the files in a synchronous call.
 */
export class FuseConnection {
  readonly #device: number
  readonly #directory: string
  readonly #files: ReadonlyMap<string, ServedFile>
  readonly #buffer = Buffer.alloc(WRITE_BYTES_MAX + 8192)
  #ended: Promise<void> = Promise.resolve()

  private constructor(device: number, directory: string, files: ReadonlyMap<string, ServedFile>) {
    this.#device = device
    this.#directory = directory
    this.#files = files
  }

  static async mount(directory: string, files: ReadonlyMap<string, ServedFile>): Promise<FuseConnection> {
    const device = openSync('/dev/fuse', 'r+')
    try {
      const connection = new FuseConnection(device, directory, files)
      const options = 'fd=3,rootmode=40000,user_id=0,group_id=0'
      // The kernel takes the connection from the descriptor 3 of whoever mounts.
      await runTool('mount', ['-i', '-t', 'fuse', '-o', options, 'fleetstep-test', directory], device)
      connection.#ended = connection.#serve()
      return connection
    } catch (error) {
      closeSync(device)
      throw error
    }
  }

  /** The kernel lets go of a file that a loop device had a moment after that was detached; it ends the connection then. */
  async unmount(): Promise<void> {
    await runTool('umount', ['--lazy', this.#directory])
    await this.#ended
    closeSync(this.#device)
  }

  async #serve(): Promise<void> {
    for (;;) {
      const length = await this.#next()
      if (length === null) return
      this.#handle(this.#buffer.subarray(0, length))
    }
  }

  /** Bytes of the next request, or null once the file system is gone. */
  #next(): Promise<number | null> {
    return new Promise((resolve, reject) => {
      read(this.#device, this.#buffer, 0, this.#buffer.length, null, (error, length) => {
        if (error === null) resolve(length)
        else if (error.code === 'ENODEV') resolve(null)
        // A request that was interrupted before it was read.
        else if (error.code === 'ENOENT' || error.code === 'EINTR') resolve(this.#next())
        else reject(error)
      })
    })
  }

  #handle(request: Buffer): void {
    const opcode = request.readUInt32LE(4)
    const unique = request.readBigUInt64LE(8)
    const node = Number(request.readBigUInt64LE(16))
    if (SILENT.has(opcode)) return
    const answer = this.#answer(opcode, node, request.subarray(HEADER_BYTES))
    const error = typeof answer === 'number' ? answer : 0
    const body = typeof answer === 'number' ? EMPTY : answer
    const header = Buffer.alloc(16)
    header.writeUInt32LE(16 + body.length, 0)
    header.writeInt32LE(-error, 4)
    header.writeBigUInt64LE(unique, 8)
    writeSync(this.#device, Buffer.concat([header, body]))
  }

  /** The body, or an errno. */
  #answer(opcode: number, node: number, body: Buffer): Buffer | number {
    switch (opcode) {
      case LOOKUP:
        return this.#lookUp(body.subarray(0, body.indexOf(0)).toString())
      case GETATTR:
      case SETATTR:
        return Buffer.concat([validity(16), this.#attributes(node)])
      case OPEN:
      case OPENDIR:
        return Buffer.alloc(16)
      case READ:
        return Buffer.from(this.#file(node).read(Number(body.readBigUInt64LE(8)), body.readUInt32LE(16)))
      case WRITE:
        return this.#write(node, Number(body.readBigUInt64LE(8)), body.subarray(40, 40 + body.readUInt32LE(16)))
      case FSYNC:
        this.#file(node).sync()
        return EMPTY
      case STATFS:
        return Buffer.alloc(80)
      case INIT:
        return initialAnswer()
      case FLUSH:
      case RELEASE:
      case RELEASEDIR:
      case ACCESS:
      case DESTROY:
        return EMPTY
      default:
        return ENOSYS
    }
  }

  #write(node: number, at: number, bytes: Buffer): Buffer {
    this.#file(node).write(at, Uint8Array.from(bytes))
    const answer = Buffer.alloc(8)
    answer.writeUInt32LE(bytes.length, 0)
    return answer
  }

  #lookUp(name: string): Buffer | number {
    const index = [...this.#files.keys()].indexOf(name)
    if (index < 0) return ENOENT
    const entry = validity(40, 16)
    entry.writeBigUInt64LE(BigInt(FIRST_FILE + index), 0)
    return Buffer.concat([entry, this.#attributes(FIRST_FILE + index)])
  }

  #attributes(node: number): Buffer {
    const attributes = Buffer.alloc(88)
    const isRoot = node === ROOT
    attributes.writeBigUInt64LE(BigInt(node), 0)
    attributes.writeBigUInt64LE(BigInt(isRoot ? 0 : this.#file(node).size), 8)
    attributes.writeUInt32LE(isRoot ? 0o040700 : 0o100600, 60)
    attributes.writeUInt32LE(1, 64)
    attributes.writeUInt32LE(4096, 80)
    return attributes
  }

  #file(node: number): ServedFile {
    const file = [...this.#files.values()][node - FIRST_FILE]
    if (file === undefined) throw new Error(`the kernel asked for node ${node}`)
    return file
  }
}

const WRITE_BYTES_MAX = 128 * 1024
const HEADER_BYTES = 40
const EMPTY = Buffer.alloc(0)
const ROOT = 1
const FIRST_FILE = 2

const LOOKUP = 1
const GETATTR = 3
const SETATTR = 4
const OPEN = 14
const READ = 15
const WRITE = 16
const STATFS = 17
const RELEASE = 18
const FSYNC = 20
const FLUSH = 25
const INIT = 26
const OPENDIR = 27
const RELEASEDIR = 29
const ACCESS = 34
const DESTROY = 38
/** FORGET, INTERRUPT and BATCH_FORGET have no answer. */
const SILENT = new Set([2, 36, 42])

const ENOENT = 2
const ENOSYS = 38

/** Names and sizes never change, so the kernel may keep them for as long as it likes. */
function validity(length: number, at = 0): Buffer {
  const bytes = Buffer.alloc(length)
  for (let offset = at; offset < Math.min(length, at + 16); offset += 8) bytes.writeBigUInt64LE(3600n, offset)
  if (length === 16) bytes.fill(0, 8)
  return bytes
}

function initialAnswer(): Buffer {
  const answer = Buffer.alloc(64)
  answer.writeUInt32LE(7, 0)
  answer.writeUInt32LE(31, 4)
  answer.writeUInt32LE(WRITE_BYTES_MAX, 8)
  // FUSE_BIG_WRITES and FUSE_MAX_PAGES.
  answer.writeUInt32LE((1 << 5) | (1 << 22), 12)
  answer.writeUInt16LE(16, 16)
  answer.writeUInt16LE(12, 18)
  answer.writeUInt32LE(WRITE_BYTES_MAX, 20)
  answer.writeUInt32LE(1, 24)
  answer.writeUInt16LE(WRITE_BYTES_MAX / 4096, 28)
  return answer
}
