import { SEGMENT_BYTES } from '../../runtime/base/limits.ts'
import { MemoryMedium, MemoryStore } from '../../runtime/storage/memory-store.ts'
import { describeStore } from '../support/store-acceptance.ts'
import { SimulatedBench, makeRealBench } from '../support/store-bench.ts'

describeStore('MemoryStore', () => {
  const medium = new MemoryMedium()
  return Promise.resolve({ store: () => new MemoryStore(medium), end: () => Promise.resolve() })
})

describeStore('JournalStore on a simulated disk', () => Promise.resolve(new SimulatedBench(1, SEGMENT_BYTES)))

describeStore('JournalStore on this machine', makeRealBench)
