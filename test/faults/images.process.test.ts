import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkCrashImages, obstacleToImages } from './crash-images.ts'

describe('A power cut as the block device sees it', () => {
  const obstacle = obstacleToImages()

  it('costs no acknowledged record, whatever becomes of the sectors in flight', options(obstacle), async (test) => {
    const figures = await checkCrashImages({ images: IMAGES, seed: 4 })
    test.diagnostic(
      `${figures.images} crash images: ${figures.inFlight} writes in flight, ${figures.findings} openings reported a torn tail`,
    )
    assert.equal(figures.images, IMAGES)
    // Otherwise the cuts met a disk at rest, or a store without records, and prove nothing.
    assert.ok(figures.inFlight > IMAGES && figures.acknowledged > 50 * IMAGES, JSON.stringify(figures))
    assert.ok(figures.findings > IMAGES / 10, JSON.stringify(figures))
  })
})

const IMAGES = 80

function options(obstacle: string | null): { skip?: string } {
  return obstacle === null ? {} : { skip: obstacle }
}
