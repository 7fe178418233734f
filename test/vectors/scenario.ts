import { readFileSync } from 'node:fs'
import type { Comparison, WriteKind } from '../../runtime/state/operation.ts'
import type { Value } from '../../runtime/state/value.ts'

/** A file of golden scenarios. What each field means stands in the file's own `_format`. */
export interface ScenarioFile {
  readonly _format: unknown
  readonly scenarios: readonly Scenario[]
}

export interface Scenario {
  readonly name: string
  readonly nodes: Readonly<Record<string, { readonly id: string; readonly tier: number }>>
  /** Names of the nodes that are members at stage 0. All of them if it is absent. */
  readonly founders?: readonly string[]
  readonly ops: Readonly<Record<string, ScenarioOperation>>
  readonly observer: string
  readonly deliver: readonly Delivery[]
  readonly steps: readonly Step[]
  readonly expect: Ending
}

export interface ScenarioOperation {
  readonly by: string
  /** The n-th member id of that node: 1 is the first. */
  readonly member: number
  readonly seq: number
  readonly stage: number
  readonly floor: number
  /** Name of the previous operation, or `genesis`. */
  readonly prev: string
  readonly writes?: readonly (readonly [string, WriteKind, Value?, (string | null)?])[]
  readonly guards?: readonly (readonly [string, Comparison, Value])[]
  /** Name of the node that it admits. */
  readonly join?: string
}

/** What the observer gets: an operation by name, an epoch with its cuts, or the leave to fold up to a stage. */
export type Delivery = string | { readonly fold: number } | { readonly epoch: Readonly<Record<string, string | null>> }

/** What is seen after one delivery. */
export interface Step {
  readonly d: Delivery
  readonly how: string
  readonly executed: readonly string[]
  readonly undone?: readonly string[]
  readonly removed?: readonly string[]
  readonly journal: readonly string[]
  readonly waiting: readonly string[]
  readonly deferred: readonly string[]
  readonly outcomes: Readonly<Record<string, string>>
  readonly floor?: number
}

/** What is seen at the end. */
export interface Ending {
  readonly outcomes: Readonly<Record<string, string>>
  readonly state: Readonly<Record<string, Value>>
  readonly conflicts: readonly { readonly op: string; readonly path: string; readonly by: string }[]
  readonly members: readonly string[]
}

/** @throws Error that says what is wrong with the file or its scenarios */
export function readScenarios(file: string): readonly Scenario[] {
  const content = JSON.parse(readFileSync(file, 'utf8')) as Partial<ScenarioFile>
  if (!Array.isArray(content.scenarios)) throw new Error(`${file} has no list "scenarios"`)
  const { scenarios } = content as ScenarioFile
  for (const scenario of scenarios) checkReferences(file, scenario)
  return scenarios
}

function checkReferences(file: string, scenario: Scenario): void {
  const fail = (problem: string): never => {
    throw new Error(`${file}: scenario ${scenario.name}: ${problem}`)
  }
  if (scenario.nodes[scenario.observer] === undefined) fail(`the observer ${scenario.observer} is no node`)
  if (scenario.steps.length !== scenario.deliver.length) fail('it has not one step for each delivery')
  for (const [name, operation] of Object.entries(scenario.ops)) {
    if (scenario.nodes[operation.by] === undefined) fail(`${name} is by ${operation.by}, which is no node`)
    if (operation.prev !== 'genesis' && scenario.ops[operation.prev] === undefined)
      fail(`${name} follows ${operation.prev}, which is no operation`)
  }
  for (const delivery of scenario.deliver) {
    if (typeof delivery === 'string' && scenario.ops[delivery] === undefined)
      fail(`${delivery} is delivered and is no operation`)
  }
}
