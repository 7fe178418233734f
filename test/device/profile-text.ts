import assert from 'node:assert/strict'
import { readProfileText, type LoadedProfile } from '../../runtime/device/profiles/document.ts'
import type { DeviceResource } from '../../runtime/device/profiles/profile.ts'

/** The text of a profile with one resource `point`. @param properties in YAML flow form, without the braces */
export function profileText(properties: string, attributes: string = ''): string {
  return [
    "apiVersion: '1'",
    'name: test',
    'deviceResources:',
    '  - name: point',
    `    attributes: { ${attributes} }`,
    `    properties: { ${properties} }`,
    '',
  ].join('\n')
}

export function accepted(text: string): LoadedProfile {
  const reading = readProfileText(text)
  assert.ok(reading.kind === 'accepted', reading.kind === 'refused' ? reading.problems[0]?.message : '')
  return reading.profile
}

/** Each problem as `line:column message`. */
export function problemsOf(text: string): string[] {
  const reading = readProfileText(text)
  assert.ok(reading.kind === 'refused', 'it was accepted')
  return reading.problems.map(({ line, column, message }) => `${line}:${column} ${message}`)
}

/** A resource that went through the loader. */
export function resourceOf(properties: string, attributes: string = ''): DeviceResource {
  const [resource] = accepted(profileText(properties, attributes)).profile.deviceResources
  assert.ok(resource)
  return resource
}

/** @param marked a text with one `^`, which stands before the place of the first problem */
export function refusedAtMark(marked: string, problem: RegExp): void {
  const offset = marked.indexOf('^')
  assert.ok(offset >= 0, 'the text has a mark')
  const before = marked.slice(0, offset).split('\n')
  const [first = ''] = problemsOf(before.join('\n') + marked.slice(offset + 1))
  const [place = '', ...words] = first.split(' ')
  assert.equal(place, `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`, first)
  assert.match(words.join(' '), problem)
}
