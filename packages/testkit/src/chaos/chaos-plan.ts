import { SeededRandom } from '@resultity/test-mesh'

/**
 * - `kill`  kill -9 of the node
 * - `hang`  SIGSTOP: its connections stand, and nothing comes of them
 * - `stop`  SIGTERM
 * - `stall` what its neighbours have sent it, and it them over connections that they made, stays under way
 * - `cut`   those connections are reset, and it takes no new ones; the coordinator's, which it made, stands
 */
export const FAULT_KINDS = ['kill', 'hang', 'stop', 'stall', 'cut'] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

/** How an answer is asked for. */
export const FORMS = ['greedy', 'seeded', 'constrained', 'two choices', 'not streamed', 'batch'] as const
export type Form = (typeof FORMS)[number]

export interface ChaosFault {
  /** Of a node; or the coordinator is killed by kill -9. */
  readonly kind: FaultKind | 'coordinator'
  /** Of nodes: index in the route as it is then. */
  readonly stage: number
  /** In the prompt: after that share of the time to the undisturbed first token; else of the answer's tokens, or its time. */
  readonly inPrompt: boolean
  readonly share: number
}

/** One run: what is asked, and what goes wrong meanwhile, in order. */
export interface ChaosPlan {
  readonly index: number
  readonly model: string
  readonly form: Form
  readonly faults: readonly ChaosFault[]
}

const TWO_FAULTS_CHANCE = 0.25
const IN_PROMPT_CHANCE = 0.2

/** Draws run number `index` of a seed in which the coordinator is killed. Forms take turns. Pure. */
export function drawCoordinatorPlan(seed: number, index: number, models: readonly string[]): ChaosPlan {
  const random = new SeededRandom(seed * 1_000_003 + index)
  const form = FORMS[index % FORMS.length] ?? 'greedy'
  const model = models[Math.floor(index / FORMS.length) % models.length] ?? ''
  return {
    index,
    model,
    form,
    faults: [{ kind: 'coordinator', stage: 0, inPrompt: false, share: 0.8 * random.fraction() }]
  }
}

/** Draws run number `index` of a seed. Kinds of faults take turns, so that each has its share of few runs. Pure. */
export function drawPlan(seed: number, index: number, models: readonly string[], stages: number): ChaosPlan {
  const random = new SeededRandom(seed * 1_000_003 + index)
  const kind = FAULT_KINDS[index % FAULT_KINDS.length] ?? 'kill'
  const model = models[index % models.length] ?? ''
  const inPrompt = random.chance(IN_PROMPT_CHANCE)
  const first: ChaosFault = { kind, stage: random.below(stages), inPrompt, share: 0.7 * random.fraction() }
  const form = random.pick(FORMS)
  const faults = [first]
  if (random.chance(TWO_FAULTS_CHANCE)) {
    const share = inPrompt ? 0.7 * random.fraction() : first.share + (0.9 - first.share) * random.fraction()
    faults.push({ kind: random.pick(FAULT_KINDS), stage: random.below(stages), inPrompt: false, share })
  }
  return { index, model, form, faults }
}
