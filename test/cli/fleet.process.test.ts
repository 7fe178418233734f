import assert from 'node:assert/strict'
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { connectAsync } from 'mqtt'
import type { Digest } from '../../runtime/base/digest.ts'
import type { GatewayStatus } from '../../runtime/gateway/inspection.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import { until } from '../links/clocks.ts'
import { HandIssuer } from '../support/handmade.ts'
import { foundFleet, stop } from './founded-fleet.ts'
import { fleetstep, PROGRAM, runGateway, startCommand, workplace } from './program.ts'

describe('a fleet that is founded by its operator', () => {
  it('takes in two newcomers over MQTT, and all come to one state', async (t) => {
    const fleet = await foundFleet(t, { uses: 2 })
    await fleet.change('anna', 'a', 1)
    await fleet.run('bert')
    await fleet.change('bert', 'b', 2)
    await fleet.run('carl')
    await fleet.change('carl', 'c', 3)
    for (const name of ['anna', 'bert', 'carl'])
      await fleet.sees(name, ({ status }) => status === 'member', 'it is a member')
    await fleet.agree(['anna', 'bert', 'carl'], { a: 1, b: 2, c: 3 })
    const members = await fleetstep(fleet.place, '--gateway', 'bert', 'fleet', 'members')
    assert.equal(members.stdout.trimEnd().split('\n').length, 4)
    assert.match(members.stdout, new RegExp(`${fleet.token}  member`))
    assert.deepEqual(
      ['anna', 'bert', 'carl'].map((name) => statSync(join(fleet.place.folder, name, 'member.key')).mode & 0o777),
      [0o600, 0o600, 0o600],
    )
    for (const run of fleet.place.runs) for (const secret of fleet.secrets()) assert.ok(!run.stderr.includes(secret))
  })

  it('refuses whoever comes when the token is used up, and takes it in when the operator replaces', async (t) => {
    const fleet = await foundFleet(t, { uses: 1 })
    await fleet.run('bert')
    await fleet.sees('bert', ({ status }) => status === 'member', 'bert is a member')
    await fleet.run('carl')
    await fleet.change('carl', 'c', 3)
    const refused = await fleet.sees('carl', ({ refusal }) => refusal !== null, 'carl is refused')
    assert.match(refused.refusal ?? '', new RegExp(`its token ${fleet.token} is used up: 1 of 1`))
    const shown = await fleetstep(fleet.place, '--gateway', 'carl', 'status')
    assert.match(
      shown.stdout,
      /\nnode .*, stands still: .*\n +not taken in: .*is used up: 1 of 1: the operator lets it in .*\n/,
    )
    await fleet.sees('anna', ({ candidates }) => candidates.length === 1, 'anna has heard carl')
    assert.match(
      (await fleetstep(fleet.place, '--gateway', 'anna', 'fleet', 'members')).stdout,
      /not taken in: its token/,
    )
    await fleet.operator('anna', 'replace', refused.node)
    await fleet.sees('carl', ({ status }) => status === 'member', 'carl is a member')
    await fleet.agree(['anna', 'bert', 'carl'], { c: 3 })
    const { epoch } = await fleet.status('anna')
    assert.deepEqual([epoch.number, epoch.retired, epoch.admitted.length], [1, [], 1])
  })

  it('tells whoever has the seed of a founder that it is not why it stands still, until the operator lets it in', async (t) => {
    const fleet = await foundFleet(t, { uses: 1 })
    const file = fleet.place.file('dora.yaml', 'fleet: { seed: founder.seed }\ndevice: dora\ndataDirectory: dora\n')
    const first = await runGateway(fleet.place, file, '--node-id', 'dora')
    const told = /the seed is that of the founder, node [0-9a-f]{16}, and this is node ([0-9a-f]{16}): it stands still/
    await until(() => told.test(first.stderr), 'it says whose seed it is')
    await fleet.sees('anna', ({ candidates }) => candidates.length === 1, 'anna has heard dora')
    const { node } = await fleet.status('dora')
    assert.equal(told.exec(first.stderr)?.[1], node)
    await fleet.operator('anna', 'replace', node)
    await fleet.sees('dora', ({ status }) => status === 'member', 'dora is a member')
    await stop(first)
    const second = await runGateway(fleet.place, file, '--node-id', 'dora')
    assert.doesNotMatch(second.stderr, told)
  })

  it('lets an observer see all and change nothing, as its seed says', async (t) => {
    const fleet = await foundFleet(t, { uses: 1, role: 'observer' })
    const seed = await fleetstep(fleet.place, 'seed', 'check', 'cards.seed')
    assert.match(seed.stdout, /for newcomers, tier 0 at most, observer/)
    await fleet.run('bert')
    await fleet.sees('bert', ({ status }) => status === 'member', 'bert is a member')
    const refused = await fleetstep(fleet.place, '--gateway', 'bert', 'state', 'set', 'lamp', 'true')
    assert.deepEqual([refused.code, refused.stdout], [8, ''])
    assert.match(refused.stderr, /this node is an observer: it changes nothing/)
    await fleet.change('anna', 'lamp', 1)
    await fleet.agree(['anna', 'bert'], { lamp: 1 })
    const { stdout } = await fleetstep(fleet.place, '--gateway', 'anna', 'fleet', 'members')
    assert.match(stdout, new RegExp(`observer +${fleet.token}  member`))
  })

  it('refuses a token that was revoked, everywhere', async (t) => {
    const fleet = await foundFleet(t, { uses: 9 })
    await fleet.operator('anna', 'revoke', fleet.token)
    await fleet.run('bert')
    const { refusal } = await fleet.sees('bert', (status) => status.refusal !== null, 'bert is refused')
    assert.match(refusal ?? '', new RegExp(`its token ${fleet.token} was revoked`))
  })

  it('brings a restored backup back as a new member id once the operator replaces it', async (t) => {
    const fleet = await foundFleet(t, { uses: 1 })
    const bert = await fleet.run('bert')
    await fleet.change('bert', 'before', 1)
    await fleet.agree(['anna', 'bert'], { before: 1 })
    const { self } = await fleet.status('bert')
    await stop(bert)
    const folder = join(fleet.place.folder, 'bert')
    cpSync(folder, `${folder}-backup`, { recursive: true })
    const again = await fleet.run('bert')
    await fleet.change('bert', 'after', 2)
    await fleet.agree(['anna', 'bert'], { before: 1, after: 2 })
    await stop(again)
    rmSync(folder, { recursive: true })
    cpSync(`${folder}-backup`, folder, { recursive: true })
    await fleet.run('bert')
    const restored = await fleet.sees('bert', ({ refusal }) => refusal !== null, 'bert is a draft')
    assert.equal(restored.status, 'draft')
    assert.notEqual(restored.self, self)
    assert.ok(restored.alarms.some(({ name }) => name === 'regressed'))
    const shown = await fleetstep(fleet.place, '--gateway', 'bert', 'status')
    assert.match(
      shown.stdout,
      /dropped frames, by reason\n( +[0-9]+ .*\n)* +[0-9]+ +sign that this node was set back or cloned\n/,
    )
    assert.match(shown.stdout, /alarms\n +regressed: this node stands still: .*its card was cloned/)
    await fleet.sees('anna', ({ candidates }) => candidates.length > 0, 'anna has heard bert')
    await fleet.operator('anna', 'replace', restored.node)
    const back = await fleet.sees('bert', ({ status }) => status === 'member', 'bert is a member')
    assert.notEqual(back.self, self)
    await fleet.agree(['anna', 'bert'], { before: 1, after: 2 })
    const { members } = await fleet.status('anna')
    assert.deepEqual(
      members.filter(({ isRetired }) => isRetired).map(({ member }) => member),
      [self],
    )
  })

  it('makes a new node of a card that was copied to other hardware, with a key of its own', async (t) => {
    const fleet = await foundFleet(t, { uses: 2 })
    const bert = await fleet.run('bert', { label: 'bert' })
    const before = await fleet.sees('bert', ({ status }) => status === 'member', 'bert is a member')
    await stop(bert)
    const folder = join(fleet.place.folder, 'bert')
    const key = readFileSync(join(folder, 'member.key'), 'utf8')
    // As the record stands on the other machine.
    const record = JSON.parse(readFileSync(join(folder, 'identity.json'), 'utf8')) as { fingerprint: string }
    writeFileSync(join(folder, 'identity.json'), JSON.stringify({ ...record, fingerprint: 'f'.repeat(32) }))
    const clone = await fleet.run('bert', { label: 'bert-2' })
    const told = new RegExp(`this is not node ${before.node}: .*its card was copied or moved`)
    await until(() => told.test(clone.stderr), 'it says that it was copied')
    const after = await fleet.sees('bert', ({ status }) => status === 'member', 'the clone is a member')
    assert.notEqual(after.node, before.node)
    assert.notEqual(readFileSync(join(folder, 'member.key'), 'utf8'), key)
    assert.equal(readFileSync(join(folder, `of-node-${before.node}`, 'member.key'), 'utf8'), key)
    await fleet.sees('anna', ({ members }) => members.length === 3, 'anna knows both')
  })

  it('retires a dead node, so that the others settle again; signed on one machine and applied on another', async (t) => {
    const fleet = await foundFleet(t, { uses: 2 })
    const bert = await fleet.run('bert')
    await fleet.run('carl')
    for (const name of ['bert', 'carl'])
      await fleet.sees(name, ({ status }) => status === 'member', `${name} is a member`)
    const { node } = await fleet.status('bert')
    // A node that has just joined counts once its join is settled.
    await fleet.sees('anna', ({ floor, last }) => floor === last.stage, 'the joins are settled')
    bert.kill('SIGKILL')
    await bert.ended
    await fleet.change('anna', 'x', 1)
    await fleet.sees('anna', ({ floorHold }) => floorHold?.member.startsWith(node) === true, 'the floor waits for bert')
    const { place } = fleet
    const proposed = await fleetstep(place, '--gateway', 'anna', 'fleet', 'retire', node, '--unsigned', 'p.json')
    assert.equal(proposed.code, 0)
    assert.match(proposed.stderr, new RegExp(`can join again while token ${fleet.token} has uses left`))
    const unsigned = await fleetstep(place, '--gateway', 'anna', 'fleet', 'apply', 'p.json')
    assert.match(unsigned.stderr, /p\.json is not signed/)
    const sign = await fleetstep(place, 'fleet', 'sign', 'p.json', '--fleet', 'plant', '--out', 'e.json')
    assert.match(sign.stdout, new RegExp(`retired +${node}`))
    // The fleet is split while it is applied: carl hears of it when he is back.
    await fleetstep(place, '--gateway', 'carl', 'link', 'close', 'mqtt')
    await fleet.change('carl', 'y', 2)
    const apply = await fleetstep(place, '--gateway', 'anna', 'fleet', 'apply', 'e.json')
    assert.equal(apply.code, 0, apply.stderr)
    await fleet.change('anna', 'x', 3)
    const split = await fleet.status('anna')
    assert.deepEqual([split.epoch.number, split.epoch.knowsCuts, split.epoch.waitsFor.length], [1, false, 1])
    assert.equal((await fleet.status('carl')).epoch.number, 0)
    await fleetstep(place, '--gateway', 'carl', 'link', 'open', 'mqtt')
    await fleet.agree(['anna', 'carl'], { x: 3, y: 2 })
    for (const name of ['anna', 'carl'])
      await fleet.sees(name, ({ floor, last }) => floor === last.stage, `${name} settles`)
    const epochs = await fleetstep(place, '--gateway', 'anna', 'fleet', 'epochs')
    assert.match(epochs.stdout, /^epoch +1, announced 1\n/)
    const twice = await fleetstep(place, 'fleet', 'sign', 'p.json', '--fleet', 'plant', '--out', 'f.json')
    assert.match(twice.stderr, /epoch 1 was signed here already/)
    // What was retired is no member any more, and its used token does not bring it back.
    await fleet.run('bert')
    const back = await fleet.sees('bert', ({ refusal }) => refusal !== null, 'bert is refused')
    assert.equal(back.status, 'draft')
  })

  it('believes nobody who publishes in the name of a member, and nothing that was altered on the way', async (t) => {
    const fleet = await foundFleet(t, { uses: 1 })
    const attacker = await connectAsync(`mqtt://127.0.0.1:${fleet.port}`, { protocolVersion: 4, reconnectPeriod: 0 })
    t.after(() => attacker.end(true))
    const heard: { readonly topic: string; readonly frame: Buffer }[] = []
    attacker.on('message', (topic, frame) => void heard.push({ topic, frame }))
    await attacker.subscribeAsync('#')
    await fleet.run('bert')
    await fleet.sees('bert', ({ status }) => status === 'member', 'bert is a member')
    await fleet.change('anna', 'lamp', 1)
    await fleet.agree(['anna', 'bert'], { lamp: 1 })
    const anna = await fleet.status('anna')
    await until(
      () => ['op', 'b'].every((kind) => heard.some(({ topic }) => topic.endsWith(`/${kind}/${anna.node}`))),
      'the attacker has heard changes and announcements of anna',
    )
    const issuer = new HandIssuer(anna.self, 1)
    issuer.issue({ set: ['lamp', 666] })
    const forged = encodeFrame(anna.fleet as Digest, { kind: 'batch', batch: issuer.batches[0]! })
    const ofAnna = heard.filter(({ topic, frame }) => topic.includes(anna.node) && frame.length > 0)
    for (const { topic, frame } of ofAnna) {
      const altered = Buffer.from(frame)
      altered[altered.length - 1]! ^= 1
      await attacker.publishAsync(topic, frame)
      await attacker.publishAsync(topic, altered)
      await attacker.publishAsync(topic, Buffer.from(forged))
    }
    const isTold = ({ dropped }: GatewayStatus): boolean =>
      (dropped['batch is not signed'] ?? 0) > 0 && (dropped['announcement is not signed by its member'] ?? 0) > 0
    const seen = await fleet.sees('bert', isTold, 'bert has counted what it dropped')
    const shown = await fleetstep(fleet.place, '--gateway', 'bert', 'status')
    assert.match(shown.stdout, /dropped frames, by reason\n( +[0-9]+ .*\n)* +[0-9]+ +batch is not signed\n/)
    await attacker.endAsync(true)
    assert.deepEqual([seen.status, seen.alarms, seen.epoch.number], ['member', [], 0])
    await fleet.agree(['anna', 'bert'], { lamp: 1 })
    await fleet.change('bert', 'lamp', 2)
    await fleet.agree(['anna', 'bert'], { lamp: 2 })
  })

  it('takes no epoch that somebody else has signed', async (t) => {
    const fleet = await foundFleet(t, { uses: 1 })
    await fleet.run('bert')
    const { node } = await fleet.sees('bert', ({ status }) => status === 'member', 'bert is a member')
    const { place } = fleet
    await fleetstep(place, '--gateway', 'anna', 'fleet', 'retire', node, '--unsigned', 'p.json')
    const proposal = JSON.parse(readFileSync(join(place.folder, 'p.json'), 'utf8')) as object
    place.file('e.json', JSON.stringify({ ...proposal, signature: 'ab'.repeat(64) }))
    const apply = await fleetstep(place, '--gateway', 'anna', 'fleet', 'apply', 'e.json')
    assert.equal(apply.code, 8)
    assert.match(apply.stderr, /epoch 1 was not taken in: it is not signed by the operator/)
    assert.equal((await fleet.status('anna')).epoch.number, 0)
  })
})

describe('the files of the operator', () => {
  it('leaves nothing of a file for which there is no room, and says so', async (t) => {
    const place = workplace(t)
    await fleetstep(place, 'fleet', 'create', 'plant', '--founder', '0a00000000000001')
    const servers = Array.from({ length: 8 }, (_, index) => [
      '--server',
      `mqtt://s${index}${'a'.repeat(60)}.example:1883`,
    ])
    const words = ['seed', 'create', 'a.seed', '--fleet', 'plant', ...servers.flat()]
    // The shell lets it write files of 512 or 1024 bytes, and the beginning of a longer one without an error.
    const limited = startCommand(place, 'sh', [
      '-c',
      'ulimit -f 1; exec "$@"',
      'sh',
      process.execPath,
      PROGRAM,
      ...words,
    ])
    await limited.ended
    assert.notEqual(limited.code, 0)
    assert.match(limited.stderr, /cannot write .*a\.seed: EFBIG/)
    assert.equal(existsSync(join(place.folder, 'a.seed')), false)
    assert.equal((await fleetstep(place, ...words)).code, 0)
    assert.ok(readFileSync(join(place.folder, 'a.seed')).length > 1024)
  })

  it('are for their owner alone, and are never written over', async (t) => {
    const place = workplace(t)
    const { stdout } = await fleetstep(place, 'node', 'id', '--node-id', 'anna')
    const words = ['fleet', 'create', 'plant', '--founder', stdout.trim()]
    assert.equal((await fleetstep(place, ...words)).code, 0)
    assert.equal((await fleetstep(place, ...words)).code, 4)
    const folder = join(place.folder, 'plant')
    assert.deepEqual(readdirSync(folder).toSorted(), ['fleet.json', 'founder.key', 'operator.key'])
    for (const name of readdirSync(folder)) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name)
    const seed = ['seed', 'create', 'a.seed', '--fleet', 'plant']
    const made = await fleetstep(place, ...seed, '--founder', '--json')
    assert.equal(made.code, 0, made.stderr)
    assert.equal(existsSync(join(folder, 'founder.key')), false)
    assert.equal(statSync(join(place.folder, 'a.seed')).mode & 0o777, 0o600)
    assert.match((await fleetstep(place, ...seed)).stderr, /a\.seed is there already: choose another name/)
    const second = await fleetstep(place, 'seed', 'create', 'b.seed', '--fleet', 'plant', '--founder')
    assert.deepEqual([second.code, existsSync(join(place.folder, 'b.seed'))], [3, false])
    assert.match(second.stderr, /the seed of the founder was made already/)
    const { founderKey } = JSON.parse(readFileSync(join(place.folder, 'a.seed'), 'utf8')) as { founderKey: string }
    assert.ok(!made.stdout.includes(founderKey))
  })

  it('are checked before they are used', async (t) => {
    const fleet = await foundFleet(t, { uses: 1 })
    const { place } = fleet
    const text = readFileSync(join(place.folder, 'cards.seed'), 'utf8')
    const seed = JSON.parse(text) as { fleet: object; enrolment: { token: string } }
    const { token } = seed.enrolment
    const cases: readonly (readonly [object | string, RegExp])[] = [
      ['{', /is no seed of a fleet/],
      [{ ...seed, more: 1 }, /is no seed of a fleet/],
      [{ ...seed, fleet: { ...seed.fleet, name: 'other' } }, /was changed: its fleet has another id/],
      [{ ...seed, enrolment: null }, /is neither of the founder nor of a newcomer/],
      [
        { ...seed, enrolment: { ...seed.enrolment, token: `${token.slice(0, -8)}AAAAAAAA` } },
        /holds a token that the operator of this fleet has not signed/,
      ],
      [{ ...seed, links: [{ servers: ['http://x'] }] }, /http:\/\/x is no server/],
    ]
    for (const [index, [content, message]] of cases.entries()) {
      const file = place.file(`bad-${index}.seed`, typeof content === 'string' ? content : JSON.stringify(content))
      const open = await fleetstep(place, 'seed', 'check', file)
      assert.match(open.stderr, /can be read by others than its owner: chmod 600/)
      rmSync(file)
      writeFileSync(file, readTextOf(content), { mode: 0o600 })
      const run = await fleetstep(place, 'seed', 'check', file)
      assert.equal(run.code, 3)
      assert.match(run.stderr, message)
      assert.equal(run.stderr.split('\n').length, 2)
    }
    assert.equal((await fleetstep(place, 'seed', 'check', 'cards.seed')).code, 0)
  })
})

function readTextOf(content: object | string): string {
  return typeof content === 'string' ? content : JSON.stringify(content)
}
