import type { MeshParts } from '@resultity/coordinator'
import { AnswerProgress } from '@resultity/generation'
import { GREEDY } from '@resultity/interface'
import {
  DEFAULT_JOB_LIMITS,
  type JobContext,
  type JobKind,
  JobKinds,
  type JobProgress,
  JobRuntime,
  ModelPlaces,
  type PreparedJob
} from '@resultity/jobs'
import { type JobStore, type MemoryDisk, modelLane, openDatabase, openJobStore } from '@resultity/store'
import type { VirtualProcess } from '@resultity/test-mesh'
import type { Logger } from 'pino'
import { z } from 'zod'
import type { SimulatedModel } from './simulated-model.ts'

const PATH = '/v1/simulated'

/** How long a job waits for a place, attached and by itself; shorter than the defaults, so that a run reaches both. */
export const JOB_LIMITS = { ...DEFAULT_JOB_LIMITS, slotWaitMs: 10_000, detachedWaitMs: 60_000 }

/** The request of a job. It is stored, and each attempt reads it again. */
const bodySchema = z.object({ prompt: z.array(z.number()), tokensMax: z.number() })

/** A request of a job. */
export interface JobRequestBody {
  readonly prompt: readonly number[]
  readonly tokensMax: number
}

/** A piece of an answer in its job's log. */
export const tokenSchema = z.object({ index: z.literal(0), token: z.number() })
export const TOKEN = 'token'

/** What a job that succeeded has. */
export const resultSchema = z.object({ tokens: z.array(z.number()), count: z.number() })

export interface SimulatedJobsComponents {
  readonly mesh: MeshParts
  readonly model: SimulatedModel
  readonly disk: MemoryDisk
  readonly machine: VirtualProcess
  readonly logger: Logger
  /** An attempt went on from so many tokens of earlier ones. */
  onResumed(tokens: number): void
}

/** Far more than any answer here has. */
const PROGRESS_BYTES_MAX = 1024 * 1024

/** The job runtime of a coordinator, over a database that outlives it; its one endpoint generates. */
export class SimulatedJobs {
  readonly runtime: JobRuntime
  readonly store: JobStore
  readonly #components: SimulatedJobsComponents

  private constructor(components: SimulatedJobsComponents, store: JobStore) {
    const { mesh, machine, logger } = components
    this.#components = components
    this.store = store
    const kind: JobKind<JobRequestBody> = {
      path: PATH,
      prepare: async body => this.prepare(bodySchema.parse(body), true),
      check: () => {},
      run: (request, context) => this.#run(request, context)
    }
    this.runtime = new JobRuntime(
      {
        store,
        kinds: new JobKinds([kind]),
        places: new ModelPlaces(mesh, { groupsMax: 1 }),
        clock: machine,
        scheduler: machine,
        logger,
        admission: { check: async () => {} }
      },
      JOB_LIMITS
    )
  }

  static async open(components: SimulatedJobsComponents): Promise<SimulatedJobs> {
    const { disk, machine } = components
    const latencyMs = (): number => 2 * machine.random()
    const database = await openDatabase({ disk, scheduler: machine, latencyMs })
    // a coordinator that crashes is none that the job ended
    const jobs = new SimulatedJobs(components, await openJobStore(database, { interruptionsMax: 1000 }))
    await jobs.runtime.start()
    return jobs
  }

  get path(): string {
    return PATH
  }

  prepare(request: JobRequestBody, streamed: boolean): PreparedJob<JobRequestBody> {
    const { prompt, tokensMax } = request
    return {
      lane: modelLane(this.#components.model.served.id),
      request: { prompt, tokensMax },
      streamed,
      outlivesClient: false,
      tokens: { prompt: prompt.length, answerMax: tokensMax },
      data: request
    }
  }

  async #run({ prompt, tokensMax }: JobRequestBody, { job, signal, log, losses }: JobContext) {
    const { mesh, model, onResumed } = this.#components
    const { placeable, tokenizer } = model.served
    const progress = log.progress && keptIn(log.progress)
    const generation = await mesh.driver.start(
      { model: placeable, tokenizer, prompt, tokensMax, sampling: GREEDY, stop: [], ignoreEndTokens: false },
      { signal, workClass: job.class, namespace: job.namespace, watched: log.wanted, losses, progress }
    )
    await using _ = generation
    onResumed(generation.resumed ?? 0)
    const tokens: number[] = []
    let count = 0
    let cached = 0
    try {
      for await (const event of generation.events) {
        if (event.type === 'end') {
          count = event.usage.completionTokens
          cached = event.usage.cachedTokens ?? 0
        }
        if (event.type !== 'token') continue
        tokens.push(event.tokenId)
        await log.add(TOKEN, { index: 0, token: event.tokenId })
      }
    } catch (error) {
      throw losses.told(error)
    }
    const usage = { promptTokens: prompt.length, cachedTokens: cached, completionTokens: count }
    return { result: { status: 200, headers: {}, body: { tokens, count } }, usage }
  }
}

function keptIn(log: JobProgress): AnswerProgress {
  const progress = new AnswerProgress({ index: 0, entries: log.earlier, bytesMax: PROGRESS_BYTES_MAX })
  progress.onChange(log.keep(() => progress.take()))
  return progress
}
