import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MeshError, type Strategy, systemClock } from '@resultity/interface'
import {
  ChildJobs,
  DEFAULT_JOB_LIMITS,
  type JobAnswer,
  type JobContext,
  type JobKind,
  JobKinds,
  JobRuntime,
  type PreparedJob
} from '@resultity/jobs'
import type { ServedModels } from '@resultity/placement'
import { GROUP_LANE, GROUP_LANES, openDatabase, openJobStore } from '@resultity/store'
import { pino } from 'pino'
import type { Test } from 'tap'
import { chatDialect } from '../../src/chat-dialect.ts'
import type { EnsemblePlan } from '../../src/ensemble-plan.ts'
import { EnsembleRun } from '../../src/ensemble-run.ts'
import type { Member } from '../../src/member-jobs.ts'

const CHAT = '/v1/chat/completions'
const ENSEMBLE = '/v1/ensemble'

/** What a model does with what it is asked: its answer, or an error. */
export type Part = (context: JobContext, asked: Asked) => Promise<string | MeshError>

interface Asked {
  readonly model: string
  readonly messages?: unknown
}

export interface PanelInit {
  readonly strategy: Strategy
  readonly models: readonly string[]
  readonly parts: Readonly<Record<string, Part>>
  readonly judge?: EnsemblePlan['judge']
  readonly voteField?: string
}

export interface PanelAnswer {
  readonly text: string | undefined
  readonly texts: readonly string[]
  readonly statuses: readonly string[]
  readonly judge: { readonly picked: number | null; readonly reasons: string } | undefined
  readonly votes: readonly number[] | undefined
}

/** Ensembles as jobs of a real runtime over a real store, whose models do what their part says. */
export class Panel {
  /** Models in the order in which they were asked. */
  readonly asked: string[] = []
  readonly #runtime: JobRuntime
  #jobs = 0
  readonly #restart: () => Promise<JobRuntime>

  private constructor(runtime: JobRuntime, restart: () => Promise<JobRuntime>) {
    this.#runtime = runtime
    this.#restart = restart
  }

  static async open(t: Test, init: PanelInit): Promise<Panel> {
    const dataDir = await mkdtemp(join(tmpdir(), 'resultity-panel-'))
    const database = await openDatabase({ dataDir })
    const store = await openJobStore(database, { waitingLanes: GROUP_LANES })
    let runtime: JobRuntime
    const admission = { check: async () => {}, submitPart: (_: unknown, submit: () => Promise<never>) => submit() }
    const children = new ChildJobs({ store, admission, runtime: () => runtime } as ConstructorParameters<
      typeof ChildJobs
    >[0])
    const chat = chatKind(init.parts, model => panel.asked.push(model))
    const ensemble = ensembleKind(init, chat, children)
    const start = async (): Promise<JobRuntime> => {
      const places = { places: () => 64, mayClaim: () => true, onChange: () => () => {} }
      const next = new JobRuntime(
        {
          store,
          kinds: new JobKinds([chat, ensemble]),
          places,
          clock: systemClock,
          logger: pino({ level: 'silent' }),
          admission
        },
        { ...DEFAULT_JOB_LIMITS, jobRetryMs: 1 }
      )
      await next.start()
      return next
    }
    runtime = await start()
    const panel: Panel = new Panel(runtime, async () => {
      await runtime[Symbol.asyncDispose]()
      runtime = await start()
      return runtime
    })
    t.teardown(async () => {
      await runtime[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true, force: true })
    })
    return panel
  }

  /** Asks, and resolves with the answer. `interrupted` resolves when the coordinator is to end meanwhile. */
  async ask(interrupted?: Promise<void>): Promise<PanelAnswer> {
    const id = `req_${String(++this.#jobs).padStart(32, '0')}`
    const tokens = { prompt: 0, answerMax: 0 }
    const prepared = { lane: GROUP_LANE, request: {}, streamed: false, outlivesClient: true, tokens, data: undefined }
    const options = { id, endpoint: ENSEMBLE, namespace: 'default', keyId: null, detached: true }
    await this.#runtime.submit(prepared, options)
    let runtime = this.#runtime
    if (interrupted !== undefined) {
      await interrupted
      runtime = await this.#restart()
    }
    const job = await runtime.untilEnd(id)
    if (job.error !== null) throw new MeshError('internal', job.error.message, { details: { reason: job.error.code } })
    return answerOf(job.result?.body)
  }
}

function chatKind(parts: PanelInit['parts'], onAsked: (model: string) => void): JobKind<Asked> {
  return {
    path: CHAT,
    prepare: async body => {
      const data = body as Asked
      const tokens = { prompt: 0, answerMax: 0 }
      return { lane: 'model:x', request: body as never, streamed: false, outlivesClient: true, tokens, data }
    },
    check: () => {},
    run: async (data, context): Promise<JobAnswer> => {
      onAsked(data.model)
      const said = await parts[data.model]?.(context, data)
      if (said === undefined || said instanceof MeshError) throw said ?? new MeshError('internal', `${data.model}?`)
      const [content, refusal] = said === 'DECLINED' ? [null, 'I will not.'] : [said, null]
      const choice = { index: 0, message: { role: 'assistant', content, refusal }, finish_reason: 'stop' }
      const body = { object: 'chat.completion', choices: [choice] }
      return { result: { status: 200, headers: {}, body }, usage: { promptTokens: 1, completionTokens: 2 } }
    }
  }
}

function ensembleKind(init: PanelInit, chat: JobKind, children: ChildJobs): JobKind {
  const { models, strategy, judge, voteField } = init
  const plan: EnsemblePlan = { models, strategy, judge, voteField, timeoutMs: undefined, choices: 'all' }
  // of a served model an ensemble reads its hash alone
  const served = { findDecoder: (id: string) => ({ placeable: { manifestSha256: id } }) } as unknown as ServedModels
  return {
    path: ENSEMBLE,
    prepare: async () => {
      const tokens = { prompt: 0, answerMax: 0 }
      return { lane: GROUP_LANE, request: {}, streamed: false, outlivesClient: true, tokens, data: undefined }
    },
    check: () => {},
    run: async (_, context) => {
      const request = { seed: 1, messages: [{ role: 'user', content: 'Which city?' }] }
      const members = await Promise.all(models.map((model, index) => memberOf(chat, model, index)))
      const components = { models: served, children, judging: () => chat, dialect: chatDialect }
      return await new EnsembleRun(components, { request, plan, members }, context).run()
    }
  }
}

async function memberOf(chat: JobKind, model: string, index: number): Promise<Member> {
  const prepared: PreparedJob = await chat.prepare({ model })
  return { index, model, role: 'member', endpoint: chat, prepared }
}

interface Body {
  readonly choices: readonly { readonly message: { readonly content: string } }[]
  readonly mesh: {
    readonly models: readonly { readonly status: string }[]
    readonly judge?: PanelAnswer['judge']
    readonly vote?: { readonly ballots: readonly { readonly votes: number }[] }
  }
}

function answerOf(body: unknown): PanelAnswer {
  const { choices, mesh } = body as Body
  return {
    text: choices[0]?.message.content,
    texts: choices.map(choice => choice.message.content),
    statuses: mesh.models.map(({ status }) => status),
    judge: mesh.judge,
    votes: mesh.vote?.ballots.map(({ votes }) => votes)
  }
}
