import { type PrivateKey, peerIdOf } from '@resultity/mesh'
import { SeededRandom, SimulatedNetwork, VirtualScheduler } from '@resultity/test-mesh'
import { AskedPrompts } from './asked-prompts.ts'
import { type SimulatedModel, simulatedModel } from './simulated-model.ts'
import { Trace } from './trace.ts'

/** What libp2p's pings take to give up a connection that is dead. */
const DEAD_AFTER_MS = 49_000

/** All seeds have the same model: reading a tokenizer takes longer than most runs. */
let model: Promise<SimulatedModel> | undefined

/** What all parts of one simulation share. */
export class World {
  readonly random: SeededRandom
  readonly scheduler: VirtualScheduler
  readonly network: SimulatedNetwork
  readonly model: SimulatedModel
  readonly trace: Trace
  readonly prompts = new AskedPrompts()
  /** Called when a client is told a token of an answer that outlives its coordinator. */
  onLastingToken = (): void => {}
  /** Tokens that attempts took over from earlier ones. */
  takenOver = 0
  /** How long an engine takes for one position on one layer, this time. */
  readonly positionLayerMs: () => number
  readonly #releases: (() => void)[] = []

  private constructor(seed: number, model: SimulatedModel, onStep: () => void) {
    this.random = new SeededRandom(seed)
    this.scheduler = new VirtualScheduler({ seed: this.random.below(2 ** 32), onStep })
    this.trace = new Trace(() => this.scheduler.elapsedMs)
    this.network = new SimulatedNetwork({
      latencyMs: latencies(this.random.fork()),
      bytesPerMs: 10 ** this.random.between(3, 5),
      deadAfterMs: DEAD_AFTER_MS
    })
    this.model = model
    const computing = this.random.fork()
    const usualMs = 0.05 + this.random.fraction() / 2
    this.positionLayerMs = () => usualMs * (0.5 + computing.fraction())
  }

  /** @param onStep called after each step of virtual time; what it throws ends the run */
  static async make(seed: number, onStep: () => void): Promise<World> {
    model ??= simulatedModel()
    return new World(seed, await model, onStep)
  }

  /** Has `release` called when the simulation is over: what lets go of signals, which the runtime would keep for ever. */
  whenOver(release: () => void): void {
    this.#releases.push(release)
  }

  /** The simulation is over, and nobody looks any more. */
  async end(): Promise<void> {
    for (const release of this.#releases) release()
    await this.scheduler.run(() => false, 0)
  }

  /** The peer id of a key, which the trace calls `name`. */
  nameOf(privateKey: PrivateKey, name: string): string {
    const peerId = peerIdOf(privateKey)
    this.trace.add(name, peerId)
    return peerId
  }
}

/** Some links are long; every piece takes its own time; and now and then one takes very long. */
function latencies(random: SeededRandom): (from: string, to: string) => number {
  const usual = new Map<string, number>()
  return (from, to) => {
    const link = [from, to].toSorted().join(' ')
    const usualMs = usual.get(link) ?? 0.1 + 40 * random.fraction() ** 3
    usual.set(link, usualMs)
    const delayMs = random.chance(0.003) ? 1000 * random.fraction() : 0
    return usualMs * (0.8 + 0.4 * random.fraction()) + delayMs
  }
}
