import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { silentLogger } from '../../runtime/base/logger.ts'
import { readProfileText } from '../../runtime/device/profiles/document.ts'
import { ProfileKeeper } from '../../runtime/gateway/profile-keeper.ts'
import { type DrivenClock, drivenClock } from '../device/driven-clock.ts'
import { profileText } from '../device/profile-text.ts'

const NINE = profileText('valueType: Uint8, readWrite: RW, maximum: 9')
const EIGHT = profileText('valueType: Uint8, readWrite: RW, maximum: 8')
const BAD = profileText('valueType: Uint8, readWrite: RO')

interface Stage {
  readonly keeper: ProfileKeeper
  readonly clock: DrivenClock
  /** Maxima of the profiles that took the place of one before. */
  readonly seen: unknown[]
  readonly errors: string[]
  /** Changes the file, as the watch notices it. */
  save(text: string): void
}

function stage(first: string): Stage {
  const clock = drivenClock()
  let text = first
  let notice: () => void = () => assert.fail('nobody watches')
  const errors: string[] = []
  const keeper = new ProfileKeeper({
    file: 'mine.yaml',
    read: (file) => {
      if (text === '') throw new FleetstepError('profile-invalid', `${file}: there is no such file`)
      return { file, text, reading: readProfileText(text) }
    },
    watch: (_file, onChange) => {
      notice = onChange
      return () => (notice = () => assert.fail('the watch has ended'))
    },
    clock,
    logger: { ...silentLogger, error: (message) => void errors.push(message) },
  })
  const seen: unknown[] = []
  keeper.observe(({ profile }) => seen.push(profile.deviceResources[0]?.properties.maximum))
  return {
    keeper,
    clock,
    seen,
    errors,
    save: (next) => {
      text = next
      notice()
    },
  }
}

describe('the profile of a running gateway', () => {
  it('is replaced a moment after its file was saved, and says what changed', () => {
    const { keeper, clock, seen, save } = stage(NINE)
    keeper.watch()
    save(EIGHT)
    assert.deepEqual(seen, [], 'an editor may still be writing')
    clock.advance(200)
    assert.deepEqual(seen, [8])
    assert.equal(keeper.current.profile.deviceResources[0]?.properties.maximum, 8)
    assert.equal(keeper.report().text, EIGHT)
    assert.equal(keeper.report().problem, null)
  })

  it('is replaced by what was saved between its reading and the beginning of the watch', () => {
    const { keeper, clock, seen, save } = stage(NINE)
    assert.throws(() => save(EIGHT), /nobody watches/)
    keeper.watch()
    clock.advance(200)
    assert.deepEqual(seen, [8])
  })

  it('stays when an edit is not valid, and the refusal names line and column, once', () => {
    const { keeper, clock, seen, errors, save } = stage(NINE)
    const { hash } = keeper.current
    keeper.watch()
    save(BAD)
    clock.advance(200)
    save(BAD)
    clock.advance(200)
    assert.deepEqual(seen, [])
    assert.equal(keeper.current.hash, hash)
    assert.match(keeper.report().problem ?? '', /^mine\.yaml:6:48: .*readWrite must be one of R, W, RW, but is "RO"/)
    assert.equal(keeper.report().text, NINE, 'what is in force is shown')
    assert.equal(errors.length, 1)
    assert.match(errors[0] ?? '', new RegExp(`^profile refused, version ${hash} stays in force: mine\\.yaml:6:48: `))
  })

  it('is mended by the next edit, also by one that says what is in force', () => {
    const { keeper, clock, seen, save } = stage(NINE)
    keeper.watch()
    for (const next of [BAD, NINE, BAD, EIGHT]) {
      save(next)
      clock.advance(200)
      assert.equal(keeper.report().problem === null, next !== BAD)
    }
    assert.deepEqual(seen, [8])
  })

  it('stays when its file is gone, and is read again when it is back', () => {
    const { keeper, clock, seen, save } = stage(NINE)
    keeper.watch()
    save('')
    clock.advance(200)
    assert.match(keeper.report().problem ?? '', /there is no such file/)
    save(EIGHT)
    clock.advance(200)
    assert.deepEqual(seen, [8])
  })

  it('is not replaced by comments and layout', () => {
    const { keeper, clock, seen, save } = stage(NINE)
    keeper.watch()
    save(`# moved\n${NINE}`)
    clock.advance(200)
    assert.deepEqual(seen, [])
    assert.match(keeper.report().text, /^# moved/)
  })

  it('is read at once when it is asked for, and an error is told to whoever asks', () => {
    const { keeper, seen, save } = stage(NINE)
    keeper.watch()
    assert.deepEqual(keeper.reload().differences, [])
    save(EIGHT)
    const { hash, differences } = keeper.reload()
    assert.equal(hash, keeper.current.hash)
    assert.deepEqual(differences, [{ what: 'point.properties.maximum', before: 9, after: 8 }])
    save(BAD)
    assert.throws(() => keeper.reload(), { code: 'profile-invalid' })
    assert.deepEqual(seen, [8])
  })

  it('is read once for a burst of changes, and not after the gateway has ended', () => {
    const { keeper, clock, seen, save } = stage(NINE)
    keeper.watch()
    for (const next of [BAD, '', EIGHT]) {
      save(next)
      clock.advance(50)
    }
    clock.advance(200)
    assert.deepEqual(seen, [8])
    save(NINE)
    keeper.stop()
    clock.advance(1000)
    assert.deepEqual([seen, clock.scheduled], [[8], 0])
  })

  it('must be valid to begin with', () => {
    assert.throws(() => stage(BAD), { code: 'profile-invalid' })
  })
})
