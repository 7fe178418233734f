import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import * as v from 'valibot'
import { equalBytes } from '../base/bytes.ts'
import { FleetstepError } from '../base/errors.ts'
import { isMemberId, type MemberId, type NodeId, nodeOf } from '../base/ids.ts'
import { EPOCH_LEAP_MAX } from '../base/limits.ts'
import { type Enrolment, issueToken, signGrant } from '../device/identity/enrolment.ts'
import { createSigningKey, parsePrivateKey, privateKeyText, type SigningKey } from '../device/identity/keys.ts'
import { FACTS, type FleetFacts, factsFromJson, factsToJson, type Seed, seedText } from '../device/identity/seed.ts'
import { marked, type Role, ROLES } from '../state/role.ts'
import { type AdmittedDraft, type Epoch, epochDigest, epochPayload, epochProblem } from '../sync/epoch.ts'
import { type EpochDocument, epochFromText, epochText, type ProposedEpoch } from './epoch-file.ts'
import { fleetIdOfFacts } from './fleet.ts'
import { createSecretFile, readSecretFile, removeSecretFile } from './secret-file.ts'

/** What the operator keeps of a fleet on his own machine: a folder that no gateway needs, with a backup elsewhere. */
export interface FleetFolder {
  readonly path: string
  readonly facts: FleetFacts
}

export interface NewFleet {
  readonly path: string
  readonly name: string
  readonly founder: { readonly node: NodeId; readonly tier: number }
}

/** Makes the operator's key, the founder's key and the fleet file. @throws FleetstepError `file-occupied`, `fleet-invalid` */
export function createFleetFolder({ path, name, founder }: NewFleet): FleetFolder {
  const folder = resolve(path)
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new FleetstepError('file-occupied', `${folder} is not empty: name another folder with --directory`)
  const [operator, founderKey] = [createSigningKey(), createSigningKey()]
  const founding = { ...founder, key: founderKey.publicKey }
  const facts = { name, operator: operator.publicKey, founder: founding }
  const fleet: FleetFacts = { ...facts, id: fleetIdOfFacts(facts) }
  write(join(folder, OPERATOR_KEY), privateKeyText(operator))
  write(join(folder, FOUNDER_KEY), privateKeyText(founderKey))
  write(join(folder, FLEET_FILE), `${JSON.stringify({ format: FORMAT, fleet: factsToJson(fleet) }, null, 2)}\n`)
  return { path: folder, facts: fleet }
}

/** @throws FleetstepError `fleet-invalid` */
export function openFleetFolder(path: string): FleetFolder {
  const folder = resolve(path)
  const file = join(folder, FLEET_FILE)
  const text = readSecretFile(file, 'fleet-invalid')
  if (text === null)
    throw new FleetstepError('fleet-invalid', `${file} is not there: name the folder that fleetstep fleet create made`)
  const parsed = v.safeParse(FILE, jsonOf(text))
  if (!parsed.success) throw new FleetstepError('fleet-invalid', `${file} is damaged: restore it from its backup`)
  const facts = factsFromJson(parsed.output.fleet)
  if (fleetIdOfFacts(facts) !== facts.id)
    throw new FleetstepError('fleet-invalid', `${file} was changed: its id is not that of its content; restore it`)
  return { path: folder, facts }
}

/** @throws FleetstepError `fleet-invalid`, `key-invalid` if it is not the key of this fleet */
function operatorKey({ path, facts }: FleetFolder): SigningKey {
  return readKey(
    join(path, OPERATOR_KEY),
    facts.operator,
    'the operator key is needed here: restore it from its backup',
  )
}

/** What a token can make of those who join with it. */
export type TokenRole = Role
export const TOKEN_ROLES: readonly TokenRole[] = ROLES

export interface NewSeed {
  /** The seed file, which must not be there. */
  readonly file: string
  readonly links: Seed['links']
  /** The terms of its token; null for the founder's seed, which can be made once. */
  readonly token: {
    readonly tier: number
    readonly role: TokenRole
    readonly uses: number
    readonly days: number
    readonly now: number
  } | null
}

/** Writes a seed. @throws FleetstepError `file-occupied`, `fleet-invalid`, `key-invalid` */
export function createSeed(folder: FleetFolder, { file, links, token }: NewSeed): Seed {
  const { path, facts } = folder
  if (token !== null) {
    const last = lastSignedEpoch(folder)
    const epoch = last === null ? null : { number: last.number, digest: epochDigest(last) }
    return written(file, { fleet: facts, founderKey: null, enrolment: enrolmentOf(folder, token), epoch, links })
  }
  const keyFile = join(path, FOUNDER_KEY)
  const missing = 'the seed of the founder was made already: there is one founder; its copies would speak as one node'
  const founderKey = readKey(keyFile, facts.founder.key, missing)
  const seed = written(file, { fleet: facts, founderKey, enrolment: null, epoch: null, links })
  removeSecretFile(keyFile)
  return seed
}

/** Signs an epoch, and keeps it in the folder: the operator's own record of all that he has said. */
export function signEpoch(folder: FleetFolder, proposed: Omit<Epoch, 'signature'>): Epoch {
  const { id } = folder.facts
  const operator = operatorKey(folder)
  const admitted = proposed.admitted?.map((draft) => ({
    ...draft,
    grant: signGrant({ fleet: id, ...draft }, operator),
  }))
  const granted = admitted === undefined ? proposed : { ...proposed, admitted }
  const epoch = { ...granted, signature: operator.sign(epochPayload(id, granted)) }
  write(epochFile(folder, epoch.number), epochText({ fleet: id, epoch }))
  return epoch
}

/** What the operator has asked for, by node ids, member ids and tokens. */
export interface Asked {
  readonly retire: readonly string[]
  readonly replace: readonly string[]
  readonly revoke: readonly string[]
  /** Whom it lets in may be operators. */
  readonly mayBeOperators?: boolean
  /** Who shall count in an epoch that is forced; none if it is not to be. */
  readonly force?: readonly string[]
}

/**
 * A gateway proposes, and may be in wrong hands: beside what was signed here before, the epoch says no more than was asked for.
 * @param asked null if a person has read it
 * @throws FleetstepError `operation-refused`
 */
export function assertAsked(
  folder: FleetFolder,
  { fleet, epoch }: EpochDocument<ProposedEpoch>,
  asked: Asked | null,
): void {
  if (fleet !== folder.facts.id) throw refused(`it is of fleet ${fleet}, and the key of ${folder.facts.id}`)
  const last = lastSignedEpoch(folder)
  assertFollows(folder, epoch, last)
  if (asked === null) return
  const forced = new Set(asked.force ?? [])
  if (epoch.isForced === true && !epoch.counting.every((member) => isNamed(member, forced)))
    throw refused('it is forced in favour of others than was asked for: read it with --unsigned, then sign it')
  assertNothingMore(epoch, last, asked)
  const said = new Set([...epoch.retired, ...epoch.retired.map(nodeOf), ...(epoch.revoked ?? [])] as string[])
  const missing = [...asked.retire, ...asked.revoke].filter((name) => !said.has(name))
  if (missing.length > 0)
    throw refused(`it says nothing of ${missing.join(' ')}, which was asked for: ask another gateway`)
}

/** What holds of any epoch after the last one, whoever has asked for it: gateways that missed the last would believe it. */
function assertFollows(folder: FleetFolder, epoch: ProposedEpoch, last: Epoch | null): void {
  const number = last?.number ?? 0
  if (epoch.number <= number)
    throw refused(
      `epoch ${number} was signed here already: hand it over first, with fleetstep fleet apply ${epochFile(folder, number)}`,
    )
  if (epoch.number > number + EPOCH_LEAP_MAX)
    throw refused(`it has number ${epoch.number} and the last that was signed here ${number}: ask another gateway`)
  const lost = last?.retired.find((member) => !epoch.retired.includes(member))
  if (lost !== undefined) throw refused(`it takes back that ${lost} was retired`)
  const allowed = last?.revoked?.find((token) => epoch.revoked?.includes(token) !== true)
  if (allowed !== undefined) throw refused(`it takes back that ${allowed} was revoked`)
  const problem = epochProblem({ ...epoch, signature: new Uint8Array() }, last)
  if (problem !== null) throw refused(problem)
}

function assertNothingMore(epoch: ProposedEpoch, last: Epoch | null, asked: Asked): void {
  const isNew = (draft: AdmittedDraft): boolean => !wasAdmitted(last, draft)
  const admitted = (epoch.admitted ?? []).filter(isNew)
  const [operator] = asked.mayBeOperators === true ? [] : admitted.filter(({ role }) => role === 'operator')
  if (operator !== undefined)
    throw refused(
      `${operator.member} asks to join as an operator, who may set the rules of devices: say --operator if it shall`,
    )
  // Whoever is let in by a member id takes the place of its whole node.
  const retired = new Set([...asked.retire, ...asked.replace, ...asked.replace.filter(isMemberId).map(nodeOf)])
  const replaced = new Set(asked.replace)
  const more = [
    ...epoch.retired.filter((member) => last?.retired.includes(member) !== true && !isNamed(member, retired)),
    ...admitted.map(({ member }) => member).filter((member) => !isNamed(member, replaced)),
    ...(epoch.revoked ?? []).filter(
      (token) => last?.revoked?.includes(token) !== true && !asked.revoke.includes(token),
    ),
  ]
  if (more.length === 0) return
  throw refused(`it also speaks of ${more.join(' ')}, which was not asked for: read it with --unsigned, then sign it`)
}

function isNamed(member: MemberId, names: ReadonlySet<string>): boolean {
  return names.has(member) || names.has(nodeOf(member))
}

/** As the very same: not with another tier, role or key. */
function wasAdmitted(last: Epoch | null, { member, tier, role, key }: AdmittedDraft): boolean {
  const isSame = (other: AdmittedDraft): boolean =>
    other.member === member && other.tier === tier && other.role === role && equalBytes(other.key, key)
  return last?.admitted?.some(isSame) === true
}

function refused(problem: string): FleetstepError {
  return new FleetstepError('operation-refused', `what the gateway proposes is not signed: ${problem}`)
}

/** The newest epoch that was signed here, or null. */
export function lastSignedEpoch(folder: FleetFolder): Epoch | null {
  const numbers = readdirSync(folder.path).flatMap((name) => /^epoch-([1-9][0-9]{0,15})\.json$/.exec(name)?.[1] ?? [])
  if (numbers.length === 0) return null
  const file = epochFile(folder, Math.max(...numbers.map(Number)))
  return epochFromText(readSecretFile(file, 'fleet-invalid') ?? '', file).epoch
}

const FLEET_FILE = 'fleet.json'
const OPERATOR_KEY = 'operator.key'
const FOUNDER_KEY = 'founder.key'
const FORMAT = 'fleetstep-fleet/1'

const FILE = v.strictObject({ format: v.literal(FORMAT), fleet: FACTS })

function enrolmentOf(folder: FleetFolder, { tier, role, uses, days, now }: NonNullable<NewSeed['token']>): Enrolment {
  const tokenKey = createSigningKey()
  const times = { issuedAt: now, expiresAt: now + days * SECONDS_PER_DAY }
  const terms = { fleet: folder.facts.id, tier, ...marked(role), uses, ...times, key: tokenKey.publicKey }
  return { token: issueToken(terms, operatorKey(folder)), tokenKey }
}

const SECONDS_PER_DAY = 86_400

function epochFile({ path }: FleetFolder, number: number): string {
  return join(path, `epoch-${number}.json`)
}

function written(file: string, seed: Seed): Seed {
  createSecretFile({ file, text: seedText(seed), code: 'seed-invalid' })
  return seed
}

function readKey(file: string, publicKey: Uint8Array, missing: string): SigningKey {
  const text = readSecretFile(file, 'key-invalid')
  if (text === null) throw new FleetstepError('key-invalid', `${file} is not there: ${missing}`)
  const key = parsePrivateKey(text, file)
  if (Buffer.compare(key.publicKey, publicKey) === 0) return key
  throw new FleetstepError('key-invalid', `${file} is the key of another fleet: restore it from its backup`)
}

function write(file: string, text: string): void {
  createSecretFile({ file, text, code: 'fleet-invalid' })
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
