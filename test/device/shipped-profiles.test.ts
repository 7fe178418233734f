import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bindingOf, type Binding } from '../../runtime/device/profiles/attributes.ts'
import type { LoadedProfile } from '../../runtime/device/profiles/document.ts'
import { loadProfile } from '../../runtime/device/profiles/load.ts'
import { headerPin } from './header.ts'
import { accepted } from './profile-text.ts'

/** Tests run at the root of the repository. */
const FOLDER = 'device-profiles'
const names = readdirSync(FOLDER).flatMap((name) => (name.endsWith('.yaml') ? [name.replace(/\.yaml$/, '')] : []))

describe('the profiles that are shipped', () => {
  it('are those of the README', () => {
    const readme = readFileSync(join(FOLDER, 'README.md'), 'utf8')
    const listed = [...readme.matchAll(/^\| \[`([a-z0-9-]+)`\]\(\1\.yaml\)/gm)].map(([, name]) => name)
    assert.deepEqual(new Set(listed), new Set(names))
    assert.equal(listed.length, names.length)
  })

  for (const name of names) {
    it(`${name} loads without a warning, is named like its file, and says what each point is`, () => {
      const { profile, warnings } = load(name)
      assert.deepEqual(warnings, [])
      assert.equal(profile.name, name)
      for (const resource of profile.deviceResources) assert.ok(resource.description, resource.name)
    })

    it(`${name} uses free lines of the header, and outputs only on those that are low from power-on`, () => {
      for (const { name: point, binding, isOutput } of linesOf(load(name))) {
        const pin = headerPin(binding.line)
        assert.ok(pin !== null, `BCM ${binding.line} of ${point} is not on the header`)
        assert.ok(!RESERVED.has(binding.line), `BCM ${binding.line} of ${point} is for I2C, UART, SPI or the EEPROM`)
        // BCM2835 ARM Peripherals, 6.2: lines 0 to 8 are pulled up at reset, 9 to 27 down.
        if (isOutput) assert.ok(binding.line > 8 && !binding.activeLow, `${point} would be on while the Pi boots`)
      }
    })

    it(`${name} gives each output a safe value, and each of its readings a bound`, () => {
      for (const { name: point, properties, attributes } of load(name).profile.deviceResources) {
        if (attributes['driver'] === undefined) continue
        if (properties.readWrite === 'RW') assert.notEqual(properties.optional.safeValue, undefined, point)
        else if (properties.valueType.startsWith('Float')) assert.notEqual(properties.minimum, undefined, point)
      }
    })
  }

  for (const name of ['pump-station', 'greenhouse']) {
    it(`${name} is wired as its table says`, () => {
      const table = readFileSync(join(FOLDER, `${name}.md`), 'utf8')
      const wired = [...table.matchAll(/^\| `(\w+)` +\| (\d+) +\| (\d+) +\|/gm)].map(([, point, bcm, pin]) => {
        assert.equal(headerPin(Number(bcm)), Number(pin), point)
        return `${point} ${bcm}`
      })
      const loaded = load(name)
      assert.deepEqual(
        wired.toSorted(),
        linesOf(loaded)
          .map(({ name: point, binding }) => `${point} ${binding.line}`)
          .toSorted(),
      )
      const stations = [...table.matchAll(/^\| ((?:`\w+`(?:, )?)+) +\| `([^`]+)` +\|/gm)].flatMap(
        ([, points = '', port]) => [...points.matchAll(/\w+/g)].map(([point]) => `${point} ${port}`),
      )
      const bound = loaded.profile.deviceResources.flatMap((resource) => {
        const binding = bindingOf(resource)
        return binding !== null && 'port' in binding ? [`${resource.name} ${binding.port}`] : []
      })
      assert.deepEqual(stations.toSorted(), bound.toSorted())
    })
  }

  it('are explained by examples in the README that load without a warning', () => {
    const readme = readFileSync(join(FOLDER, 'README.md'), 'utf8')
    const examples = [...readme.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, text]) => text ?? '')
    assert.ok(examples.length > 0)
    for (const example of examples) assert.deepEqual(accepted(example).warnings, [])
  })
})

/** I2C1, the UART, SPI0 with both its selects, and the EEPROM of a HAT. */
const RESERVED: ReadonlySet<number> = new Set([0, 1, 2, 3, 7, 8, 9, 10, 11, 14, 15])

function load(name: string): LoadedProfile {
  return loadProfile(join(FOLDER, `${name}.yaml`))
}

interface Line {
  readonly name: string
  readonly binding: Extract<Binding, { driver: 'gpio' }>
  readonly isOutput: boolean
}

function linesOf({ profile }: LoadedProfile): readonly Line[] {
  return profile.deviceResources.flatMap((resource): readonly Line[] => {
    const binding = bindingOf(resource)
    const isOutput = resource.properties.readWrite !== 'R'
    return binding?.driver === 'gpio' ? [{ name: resource.name, binding, isOutput }] : []
  })
}
