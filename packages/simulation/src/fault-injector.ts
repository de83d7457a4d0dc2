import type { VirtualProcess } from '@resultity/test-mesh'
import type { Fault } from './faults.ts'
import type { SimulatedCoordinator } from './simulated-coordinator.ts'
import type { SimulatedNode } from './simulated-node.ts'
import type { World } from './world.ts'

/** Given to a node that is asked to leave: some answers end in it, others go on elsewhere, and some are cut off. */
const DRAIN_MS = 5000

/** How long a crash waits for the tokens that it is to fall between. */
const TOKENS_WAIT_MS = 5000

export interface FaultInjectorComponents {
  readonly world: World
  readonly nodes: readonly SimulatedNode[]
  readonly coordinator: SimulatedCoordinator
  /** Whose time faults last in: that of none of those that may fail. */
  readonly machine: VirtualProcess
  /** The coordinator is about to crash. */
  onCoordinatorCrash(): void
  /** It is back. */
  onCoordinatorStarted(): void
}

/** Makes faults happen, and pass. */
export class FaultInjector {
  readonly #components: FaultInjectorComponents
  /** Of connections: drops, cuts and stalls so far. */
  #linkFaults = 0
  #starting = false
  #mended = false

  constructor(components: FaultInjectorComponents) {
    this.#components = components
  }

  get linkFaults(): number {
    return this.#linkFaults
  }

  /** @returns once it has begun */
  async inject(fault: Fault): Promise<void> {
    const { world, machine } = this.#components
    const { network, trace } = world
    trace.add('fault', JSON.stringify(fault))
    switch (fault.type) {
      case 'drop':
        this.#linkFaults++
        return network.drop(this.#peerId(fault.a), this.#peerId(fault.b))
      case 'cut':
        this.#linkFaults++
        network.cut(this.#peerId(fault.a), this.#peerId(fault.b))
        return this.#healAfter(fault)
      case 'stall':
        this.#linkFaults++
        network.stall(this.#peerId(fault.a), this.#peerId(fault.b))
        return this.#healAfter(fault)
      case 'crash':
        this.#node(fault.node).crash()
        return this.#startAfter(fault.node, fault.ms)
      case 'stop':
        machine.setTimeout(() => void this.#node(fault.node).stop(), 0)
        return this.#startAfter(fault.node, fault.ms)
      case 'drain':
        machine.setTimeout(() => void this.#node(fault.node).stop(DRAIN_MS), 0)
        return this.#startAfter(fault.node, fault.ms)
      case 'hang': {
        const hanging = this.#node(fault.node).machine
        hanging?.hang()
        machine.setTimeout(() => hanging?.resume(), fault.ms)
        return
      }
      case 'slow': {
        const node = this.#node(fault.node)
        node.slowness = fault.factor
        machine.setTimeout(() => {
          node.slowness = 1
        }, fault.ms)
        return
      }
      case 'clock':
        this.#machineOf(fault.peer)?.jumpClock(fault.byMs)
        return
      case 'coordinator':
        return this.#crashCoordinatorAt(fault)
    }
  }

  /** Everything works again. */
  mend(): void {
    const { world, nodes, coordinator } = this.#components
    world.trace.add('fault', 'all mended')
    this.#mended = true
    world.network.healAll()
    this.#startCoordinator()
    // machines whose clocks are far apart do not believe each other's adverts, and are right
    coordinator.machine?.setClock()
    for (const node of nodes) {
      node.slowness = 1
      node.machine?.resume()
      node.machine?.setClock()
      void node.start(coordinator.address)
    }
  }

  #startCoordinator(): void {
    const { coordinator, onCoordinatorStarted } = this.#components
    if (this.#starting || coordinator.mesh !== undefined) return
    this.#starting = true
    void coordinator.start().then(() => {
      this.#starting = false
      onCoordinatorStarted()
    })
  }

  #crashCoordinatorAt({ ms, tokens }: { readonly ms: number; readonly tokens: number }): void {
    if (tokens === 0) {
      this.#crashCoordinator(ms)
      return
    }
    const { world, machine } = this.#components
    let left = tokens
    const crash = (): void => {
      machine.clear(timer)
      world.onLastingToken = () => {}
      // not from within what is told
      machine.setTimeout(() => this.#crashCoordinator(ms), 0)
    }
    const timer = machine.setTimeout(crash, TOKENS_WAIT_MS)
    world.onLastingToken = () => {
      if (--left === 0) crash()
    }
  }

  #crashCoordinator(ms: number): void {
    const { coordinator, machine, onCoordinatorCrash } = this.#components
    if (coordinator.mesh === undefined || this.#mended) return
    onCoordinatorCrash()
    coordinator.crash()
    machine.setTimeout(() => this.#startCoordinator(), ms)
  }

  #healAfter({ a, b, ms }: { readonly a: number; readonly b: number; readonly ms: number }): void {
    const { world, machine } = this.#components
    machine.setTimeout(() => world.network.heal(this.#peerId(a), this.#peerId(b)), ms)
  }

  #startAfter(index: number, ms: number): void {
    const { machine, coordinator } = this.#components
    // all run again once all is mended, until they are asked to stop for good
    machine.setTimeout(() => {
      if (!this.#mended) void this.#node(index).start(coordinator.address)
    }, ms)
  }

  #node(index: number): SimulatedNode {
    const node = this.#components.nodes[index]
    if (node === undefined) throw new Error(`there is no node ${index}`)
    return node
  }

  #peerId(peer: number): string {
    const { nodes, coordinator } = this.#components
    return nodes[peer]?.peerId ?? coordinator.peerId
  }

  #machineOf(peer: number): VirtualProcess | undefined {
    const { nodes, coordinator } = this.#components
    return peer < nodes.length ? nodes[peer]?.machine : coordinator.machine
  }
}
