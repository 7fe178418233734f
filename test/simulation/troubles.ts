import { nodeOf } from '../../runtime/base/ids.ts'
import { fraction } from '../../runtime/base/random.ts'
import type { DiskImage } from './disk.ts'
import { EMPTY_IMAGE } from './disk.ts'
import type { SimulatedFleet } from './fleet.ts'
import { freeNodeId } from './fleet.ts'
import type { SimulatedNode } from './node.ts'
import { below, chance, pick, type Swarm, type Trouble } from './swarm.ts'

interface Backup {
  readonly image: DiskImage
  /** Its node knew of no other settled member when it was made. */
  readonly isAlone: boolean
}

/** Lets one thing after the other go wrong, or right again. */
export class Troubles {
  readonly #fleet: SimulatedFleet
  readonly #swarm: Swarm
  /** Who is away for most of the time, or null. */
  readonly #absent: SimulatedNode | null
  readonly #backups = new Map<SimulatedNode, Backup>()
  #newcomers = 0
  #clones = 0

  constructor(fleet: SimulatedFleet, swarm: Swarm, absent: SimulatedNode | null) {
    this.#fleet = fleet
    this.#swarm = swarm
    this.#absent = absent
  }

  causeOne(): void {
    const { random } = this.#fleet
    const living = this.#fleet.nodes.filter(({ isGone }) => !isGone)
    if (living.length > 0) this.#cause(pick(random, this.#swarm.troubles), pick(random, living))
  }

  #cause(trouble: Trouble, node: SimulatedNode): void {
    const fleet = this.#fleet
    const { random } = fleet
    switch (trouble) {
      case 'crash':
        return fleet.crash(node)
      case 'torn-write':
        return fleet.crash(node, 'torn')
      case 'crash-between':
        if (node.isUp) node.outputsToCrash = below(random, 12)
        return this.#say(node, trouble, `after ${node.outputsToCrash} more outputs`)
      case 'restart':
        return node === this.#absent && below(random, 10) > 0 ? undefined : fleet.restart(node)
      case 'full-disk':
        return this.#toggleFullDisk(node)
      case 'backup':
        this.#backups.set(node, { image: node.disk.image, isAlone: this.#isAlone(node) })
        return this.#say(node, trouble, `through record ${node.disk.image.last}`)
      case 'restore':
        return this.#isKeptWithout(node) ? this.#restore(node) : undefined
      case 'clone':
        return this.#clone(node)
      default:
        return this.#causeElsewhere(trouble, node)
    }
  }

  #causeElsewhere(trouble: Trouble, node: SimulatedNode): void {
    const fleet = this.#fleet
    const { random } = fleet
    switch (trouble) {
      case 'partition':
        this.#partition()
        return
      case 'one-way': {
        const other = pick(random, fleet.nodes)
        fleet.network.cuts.add(`${node.name}|${other.name}`)
        return this.#say(node, trouble, `${other.name} does not hear it`)
      }
      case 'heal':
        this.#say(node, trouble, '')
        return fleet.heal()
      case 'flap':
        return this.#flap(node)
      case 'jump':
        node.clock.advanceTo(node.clock.read(fleet.now) + 60_000 * fraction(random) ** 3, fleet.now)
        this.#say(node, trouble, 'its clock goes forward')
        return node.plan()
      case 'slow':
        node.slownessMs = chance(random, 0.5) ? 0 : pick(random, [30, 400, 2500])
        return this.#say(node, trouble, `up to ${node.slownessMs} ms`)
      default:
        return this.#changeMembership(trouble, node)
    }
  }

  #changeMembership(trouble: Trouble, node: SimulatedNode): void {
    const fleet = this.#fleet
    const { random } = fleet
    switch (trouble) {
      case 'join':
        if (this.#newcomers === this.#swarm.newcomers) return undefined
        this.#newcomers += 1
        return void fleet.add(freeNodeId(fleet), below(random, 4))
      case 'destroy':
        if (this.#isNeeded(node) || this.#isLast(node)) return undefined
        return 2 * fleet.nodes.filter(({ isGone }) => isGone).length < fleet.nodes.length
          ? fleet.destroy(node)
          : undefined
      case 'retire': {
        if (this.#isNeeded(node)) return undefined
        const at = this.#member(fleet.nodes.filter((other) => other !== node))
        return at === null ? undefined : this.#retire(at, [node], true)
      }
      case 'mutual-retirement':
      case 'two-operators':
        return this.#retireEachOther(trouble)
      default:
        return undefined
    }
  }

  /** The fleet falls into two; at each side one of the other side is retired. */
  #retireEachOther(trouble: 'mutual-retirement' | 'two-operators'): void {
    const fleet = this.#fleet
    const [left, right] = this.#partition()
    const [one, other] = [this.#member(left), this.#member(right)]
    if (one === null || other === null || one.node === other.node) return
    if ([...left, ...right].some((node) => this.#isNeeded(node))) return
    if (trouble === 'two-operators') fleet.witness.allowances.noteTwoOperators()
    this.#retire(one, [pick(fleet.random, right)], true)
    fleet.run(1000 * fraction(fleet.random))
    if (!other.isUp) return
    const last = pick(fleet.random, left)
    // With the first one retired this may be the only one left who could tell a machine that it was set back.
    if (!this.#isNeeded(last)) this.#retire(other, [last], trouble === 'mutual-retirement')
  }

  #retire(at: SimulatedNode, targets: readonly SimulatedNode[], knowsNewest: boolean): void {
    const members = at.replica
      .inspect(0)
      .members.filter(({ member, isRetired }) => !isRetired && targets.some(({ node }) => node === nodeOf(member)))
    const [first] = members
    if (first === undefined || this.#isLast(...targets)) return
    this.#say(at, knowsNewest ? 'retire' : 'two-operators', first.member)
    this.#fleet.operator.retire(at, [first.member], knowsNewest)
  }

  #partition(): [SimulatedNode[], SimulatedNode[]] {
    const { random, nodes, network } = this.#fleet
    const left = nodes.filter(() => below(random, 2) === 0)
    const right = nodes.filter((node) => !left.includes(node))
    const [ofLeft, ofRight] = [left, right].map((side) => side.map(({ name }) => name)) as [string[], string[]]
    network.partition(ofLeft, ofRight)
    this.#fleet.log?.add(this.#fleet.now, '', 'partition', null, `${ofLeft.join(' ')} | ${ofRight.join(' ')}`)
    return [left, right]
  }

  #member(among: readonly SimulatedNode[]): SimulatedNode | null {
    const { allowances } = this.#fleet.witness
    const members = among.filter(({ isUp, member, replica }) => {
      return isUp && !allowances.isResumed(member) && replica.inspect(0).status === 'member'
    })
    return members.length === 0 ? null : pick(this.#fleet.random, members)
  }

  /** A founder that knows of nobody would found its fleet a second time, until it hears those who have joined. */
  #restore(node: SimulatedNode): void {
    const { random, genesis } = this.#fleet
    const none = {
      image: EMPTY_IMAGE,
      isAlone: genesis.founders.length === 1 && genesis.founders[0]?.node === node.node,
    }
    const last = this.#backups.get(node) ?? { image: node.disk.image, isAlone: false }
    const { image, isAlone } = chance(random, 0.2) ? none : last
    if (!isAlone) this.#fleet.replaceDisk(node, image)
  }

  #isAlone({ replica }: SimulatedNode): boolean {
    const { self, floor, status, members } = replica.inspect(0)
    return status === 'member' && members.every(({ member, since }) => member === self || since > floor)
  }

  #toggleFullDisk(node: SimulatedNode): void {
    this.#say(node, 'full-disk', node.disk.isFull ? 'there is room again' : 'it takes nothing')
    if (node.disk.isFull) node.freeDisk()
    else node.disk.isFull = true
  }

  #clone(node: SimulatedNode): void {
    if (this.#clones > 0 || !this.#isKeptWithout(node)) return
    this.#clones += 1
    this.#fleet.clone(node)
  }

  /**
   * Who surely knows what the fleet has settled, besides `node`. Where the only one that does is set back or cloned there are
   * two histories, and nobody can tell (PROTOCOL section 10, a sole holder restored): no schedule goes there.
   */
  #isKeptWithout(node: SimulatedNode): boolean {
    const { allowances } = this.#fleet.witness
    return this.#fleet.nodes.some((other) => {
      if (other.node === node.node || other.isGone || allowances.isExcused(other.node)) return false
      if (this.#fleet.operator.hasRetired(other.member)) return false
      const { self, status, floor, members } = other.replica.inspect(0)
      return (
        status === 'member' &&
        members.some(({ member, since, isRetired }) => member === self && since <= floor && !isRetired)
      )
    })
  }

  /** Without them no member would be left: there would be nobody to go on with, and nothing to look at. */
  #isLast(...nodes: readonly SimulatedNode[]): boolean {
    return this.#fleet.nodes.every(
      (other) =>
        nodes.some(({ node }) => node === other.node) ||
        other.isGone ||
        this.#fleet.operator.hasRetired(other.member) ||
        other.replica.inspect(0).status !== 'member',
    )
  }

  /** Some machine has been set back or cloned, and only `node` could tell it. */
  #isNeeded(node: SimulatedNode): boolean {
    const { allowances } = this.#fleet.witness
    return !this.#isKeptWithout(node) && this.#fleet.nodes.some((other) => allowances.isExcused(other.node))
  }

  #flap(node: SimulatedNode): void {
    const link = pick(this.#fleet.random, this.#fleet.network.linksOf(node.name))
    if (!node.isUp) return
    const isUp = node.linksUp.has(link)
    this.#say(node, isUp ? 'link-down' : 'link-up', link)
    if (isUp) node.linkDown(link)
    else node.linkUp(link)
  }

  #say(node: SimulatedNode, event: string, detail: string): void {
    this.#fleet.log?.add(this.#fleet.now, node.name, event, null, detail)
  }
}
