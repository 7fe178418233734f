import { fraction } from '../../runtime/base/random.ts'
import type { SimulatedFleet } from './fleet.ts'
import type { SimulatedNode } from './node.ts'
import { below, pick, type Trouble } from './swarm.ts'

/** Lets one thing go wrong, or right again. @param absent stays as it is */
export function cause(trouble: Trouble, fleet: SimulatedFleet, absent: SimulatedNode | null): void {
  const { random, network } = fleet
  const node = pick(random, fleet.nodes)
  const say = (detail: string): void => fleet.log?.add(fleet.now, node.name, trouble, null, detail)
  switch (trouble) {
    case 'crash':
      return fleet.crash(node)
    case 'crash-between':
      if (node.isUp) node.outputsToCrash = below(random, 12)
      return say(`after ${node.outputsToCrash} more outputs`)
    case 'restart':
      return node === absent && below(random, 10) > 0 ? undefined : fleet.restart(node)
    case 'partition': {
      const side = fleet.nodes.filter(() => below(random, 2) === 0).map(({ name }) => name)
      network.partition(
        side,
        fleet.nodes.map(({ name }) => name).filter((name) => !side.includes(name)),
      )
      return say(`${side.join(' ')} | the others`)
    }
    case 'one-way': {
      const other = pick(random, fleet.nodes)
      network.cuts.add(`${node.name}|${other.name}`)
      return say(`${other.name} does not hear ${node.name}`)
    }
    case 'heal':
      say('')
      return fleet.heal()
    case 'flap':
      return flap(fleet, node)
    case 'jump':
      node.clock.advanceTo(node.clock.read(fleet.now) + 60_000 * fraction(random) ** 3, fleet.now)
      say('its clock goes forward')
      return node.plan()
  }
}

function flap(fleet: SimulatedFleet, node: SimulatedNode): void {
  const link = pick(fleet.random, fleet.network.linksOf(node.name))
  if (!node.isUp) return
  const isUp = node.linksUp.has(link)
  fleet.log?.add(fleet.now, node.name, isUp ? 'link-down' : 'link-up', null, link)
  if (isUp) node.linkDown(link)
  else node.linkUp(link)
}
