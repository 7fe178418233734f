import { getHeapSpaceStatistics } from 'node:v8'
import { keepYoungGenerationSmall } from '../../runtime/cli/young-generation.ts'

/** Works as a gateway under load does, where many new objects live on for a while, and prints the bytes of room for new ones. */
if (process.argv[2] === 'small') keepYoungGenerationSmall()
const living = Array.from({ length: 50_000 }, (_, index) => ({ index }))
for (let turn = 0; turn < 2_000_000; turn++) living[turn % living.length] = { index: turn }
const room = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
console.log(living.length > 0 ? room?.space_size : 0)
