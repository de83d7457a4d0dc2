import { addShapedNode, type ShapedNode } from '../shaped-node.ts'
import { type Swarm, startSwarm } from '../swarm.ts'
import type { FaultKind } from './chaos-plan.ts'

/** As nobody sets it: a swarm is more patient, and an answer would wait ten seconds for a node that hangs. */
const NODE_SILENCE_S = 3

export interface ChaosMeshInit {
  readonly models: readonly string[]
  readonly nodes: number
  readonly stages: number
  /** Kept between swarms, so that a big model is converted once. */
  readonly coordinatorData?: string
}

/** A swarm of nodes that are struck, and replaced by fresh ones. */
export class ChaosMesh implements AsyncDisposable {
  readonly swarm: Swarm
  readonly #init: ChaosMeshInit
  #nodes: readonly ShapedNode[] = []
  readonly #struck = new Set<string>()

  private constructor(swarm: Swarm, init: ChaosMeshInit) {
    this.swarm = swarm
    this.#init = init
  }

  /** Resolves once every model serves, in as many stages as asked for. */
  static async start(init: ChaosMeshInit): Promise<ChaosMesh> {
    const { models, stages, coordinatorData } = init
    const data = coordinatorData === undefined ? {} : { coordinatorData }
    const coordinatorArgs = [`--node-silence=${NODE_SILENCE_S}`]
    const mesh = new ChaosMesh(await startSwarm({ nodes: 0, models, stages, coordinatorArgs, ...data }), init)
    try {
      await mesh.restore()
      return mesh
    } catch (error) {
      await mesh[Symbol.asyncDispose]()
      throw error
    }
  }

  /** The models' ids, in the order of the references. */
  async models(): Promise<string[]> {
    return (await this.swarm.api.models()).map(({ id }) => id)
  }

  /**
   * Does something to the node that has this stage of the model's route now.
   * @returns its peer id, or undefined when the model has no route, or the node was struck before
   */
  async strike(kind: FaultKind, model: string, stage: number): Promise<string | undefined> {
    const placements = (await this.swarm.api.placements()).filter(one => one.model === model)
    const placement = placements.find(({ state }) => state === 'ready') ?? placements.at(-1)
    const peerId = placement?.stages[stage]?.peerId
    const struck = this.#nodes.find(({ node }) => node.peerId === peerId)
    if (peerId === undefined || struck === undefined || this.#struck.has(peerId)) return undefined
    this.#struck.add(peerId)
    act(kind, struck)
    return peerId
  }

  /** Replaces what was struck. Resolves once all serves as it did. */
  async restore(): Promise<void> {
    const { nodes, stages } = this.#init
    const gone = this.#nodes.filter(({ node }) => this.#struck.has(node.peerId))
    this.#nodes = this.#nodes.filter(one => !gone.includes(one))
    this.#struck.clear()
    for (const { node, shaper } of gone) {
      await node.kill('SIGKILL')
      await shaper[Symbol.asyncDispose]()
    }
    const missing = Array.from({ length: nodes - this.#nodes.length }, () => addShapedNode(this.swarm))
    this.#nodes = [...this.#nodes, ...(await Promise.all(missing))]
    await this.swarm.untilNodes(nodes)
    await this.swarm.untilPlaced(({ state, stages: { length } }) => state === 'ready' && length === stages)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // one that stands still cannot stop
    for (const { node } of this.#nodes) if (this.#struck.has(node.peerId)) await node.kill('SIGKILL')
    await this.swarm.stop()
    for (const { shaper } of this.#nodes) await shaper[Symbol.asyncDispose]()
  }
}

function act(kind: FaultKind, { node, shaper }: ShapedNode): void {
  switch (kind) {
    case 'kill':
      void node.kill('SIGKILL')
      return
    case 'stop':
      void node.kill('SIGTERM')
      return
    case 'hang':
      process.kill(node.pid, 'SIGSTOP')
      return
    case 'stall':
      shaper.stallOpen()
      return
    case 'cut':
      shaper.set({ refusing: true })
  }
}
