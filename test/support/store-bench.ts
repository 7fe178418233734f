import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '../../runtime/base/random.ts'
import { JournalStore } from '../../runtime/storage/journal-store.ts'
import { nodeFileSystem, nodeProcessTable } from '../../runtime/storage/node-file-system.ts'
import type { StoreOwner } from '../../runtime/storage/store.ts'
import { SimulatedFileSystem } from './simulated-file-system.ts'
import type { StoreBench } from './store-acceptance.ts'

export const OWNER: StoreOwner = { fleet: '0011223344556677', node: 'b827eb0000000001' }
export const DIRECTORY = '/data'
/** Four pages: a few commits go once round. */
export const SMALL_SEGMENT_BYTES: number = 16 * 1024

/** Stores on a simulated disk. */
export class SimulatedBench implements StoreBench {
  readonly fileSystem: SimulatedFileSystem
  readonly #segmentBytes: number

  constructor(seed = 1, segmentBytes: number = SMALL_SEGMENT_BYTES) {
    this.fileSystem = new SimulatedFileSystem(seededRandom(seed))
    this.#segmentBytes = segmentBytes
  }

  store(owner: StoreOwner = OWNER): JournalStore {
    const { fileSystem } = this
    const { processes } = fileSystem
    return new JournalStore({ fileSystem, processes, directory: DIRECTORY, owner, segmentBytes: this.#segmentBytes })
  }

  end(): Promise<void> {
    return Promise.resolve()
  }
}

/** Stores in a directory of this machine. */
export async function makeRealBench(): Promise<StoreBench & { readonly directory: string }> {
  const above = await mkdtemp(join(tmpdir(), 'fleetstep-store-'))
  const directory = join(above, 'gateway', 'data')
  return {
    directory,
    store: () => new JournalStore({ fileSystem: nodeFileSystem, processes: nodeProcessTable, directory, owner: OWNER }),
    end: () => rm(above, { recursive: true }),
  }
}
