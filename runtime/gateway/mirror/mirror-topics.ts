/**
 * Topics of the mirror, for people and tools without CBOR.
 *
 * | topic                             | payload                               | retained | published by |
 * | --------------------------------- | ------------------------------------- | -------- | ------------ |
 * | `fleet/<group>/s/<node>/<path>`   | a value in JSON; empty: it is gone    | yes      | `<node>`     |
 * | `fleet/<group>/q/<node>/<path>`   | `{"quality", "ageMs"}` of the value   | yes      | `<node>`     |
 * | `fleet/<group>/set/<node>/<path>` | a wish: a value in JSON               | no       | people       |
 * | `fleet/<group>/n/<node>/err`      | `{"path", "code", "message"}`         | no       | `<node>`     |
 * | `fleet/<group>/n/<node>/mirror`   | `online`, `offline`                   | yes      | `<node>`     |
 * | `homeassistant/device/<node>/config` | device discovery of Home Assistant | yes      | `<node>`     |
 */
import type { NodeId } from '../../base/ids.ts'
import { isPath, type Path } from '../../state/path.ts'

export interface MirrorTopics {
  readonly leaves: string
  readonly qualities: string
  readonly wishes: string
  readonly errors: string
  readonly availability: string
  readonly discovery: string
  /** Home Assistant says here that it has started. */
  readonly assistant: string
}

export function mirrorTopics(fleet: string, node: NodeId): MirrorTopics {
  const root = `fleet/${fleet}`
  return {
    leaves: `${root}/s/${node}/`,
    qualities: `${root}/q/${node}/`,
    wishes: `${root}/set/${node}/`,
    errors: `${root}/n/${node}/err`,
    availability: `${root}/n/${node}/mirror`,
    discovery: `homeassistant/device/${node}/config`,
    assistant: 'homeassistant/status',
  }
}

/**
 * A path as levels of a topic. Bytes of UTF-8 other than letters, digits, `_` and `-` become `_` and two hexadecimal digits,
 * and so does a `_` that could be read as such: brokers rewrite or refuse the rest.
 */
export function topicOfPath(path: Path): string {
  const marked = path.replaceAll(/_(?=[0-9a-f]{2})/g, escapeCharacter)
  return marked.replaceAll(/[^A-Za-z0-9_/-]/gu, escapeCharacter)
}

/** The inverse of {@link topicOfPath}; null if it names no path. */
export function pathOfTopic(topic: string): Path | null {
  const bytes = topic.replaceAll(/_([0-9a-f]{2})/g, (_whole, hex: string) =>
    String.fromCodePoint(Number.parseInt(hex, 16)),
  )
  // What is not escaped is ASCII, so each character is a byte by now.
  if (!/^[A-Za-z0-9_/-]*$/.test(topic)) return null
  const path = Buffer.from(bytes, 'latin1').toString('utf8')
  return isPath(path) && topicOfPath(path) === topic ? path : null
}

function escapeCharacter(character: string): string {
  return [...Buffer.from(character, 'utf8')].map((byte) => `_${byte.toString(16).padStart(2, '0')}`).join('')
}
