import { type ApiRoute, parseInput } from '@resultity/api-kit'
import { type AbortOptions, invalidRequest, safeParse } from '@resultity/interface'
import type { JobAnswer, JobContext, PreparedJob, StreamView } from '@resultity/jobs'
import { answerJob, type HttpEndpoint, modelName, randomSeed, requirePlace } from '@resultity/openai'
import type { NodePools, PlacementDirector, ServedModels, ServedSpeech } from '@resultity/placement'
import { z } from 'zod'
import { measureRecording } from './recording.ts'
import { type SpeechPlan, toSpeechPlan } from './speech-plan.ts'
import { soundTokens } from './transcript-answer.ts'
import { transcriptView } from './transcript-view.ts'
import { type PreparedTranscription, runTranscription, type TranscriptionRunComponents } from './transcription-run.ts'
import {
  type SpeechRequest,
  transcriptEventSchema,
  transcriptionRequestSchema,
  transcriptSchema,
  translationRequestSchema,
  verboseTranscriptSchema
} from './transcription-schema.ts'

export interface TranscriptionEndpointComponents extends TranscriptionRunComponents {
  readonly models: ServedModels
  readonly director: PlacementDirector
  readonly pools: NodePools
}

/** What is done with a recording, and where that is asked for. */
export interface SpeechRoute {
  readonly api: ApiRoute
  readonly task: SpeechPlan['task']
  readonly schema: z.ZodType<SpeechRequest>
}

function route(path: string, id: string, summary: string, body: z.ZodType): ApiRoute {
  return {
    method: 'POST',
    path,
    id,
    summary,
    body,
    bodyType: 'multipart/form-data',
    answers: {
      200: {
        description:
          'What was said, in the form that was asked for. Streamed: its text as it is heard, as `data:` events.',
        json: z.union([transcriptSchema, verboseTranscriptSchema]),
        events: transcriptEventSchema,
        media: ['text/plain'],
        headers: { 'x-resultity-route': 'Who heard the recording: `PEER[first,end)`, one or several.' }
      }
    },
    errors: [413, 501]
  }
}

const toEnglish = 'Writes in English what is said in a recording.'

/** `POST /v1/audio/transcriptions`, `POST /v1/audio/translations`, and the latter by its older name. */
export const speechRoutes: readonly SpeechRoute[] = [
  {
    api: route(
      '/v1/audio/transcriptions',
      'createTranscription',
      'Writes what is said in a recording.',
      transcriptionRequestSchema
    ),
    task: 'transcribe',
    schema: transcriptionRequestSchema
  },
  {
    api: route('/v1/audio/translations', 'createTranslation', toEnglish, translationRequestSchema),
    task: 'translate',
    schema: translationRequestSchema
  },
  {
    api: route('/v1/audio/translation', 'createTranslationAsBefore', toEnglish, translationRequestSchema),
    task: 'translate',
    schema: translationRequestSchema
  }
]

/** Stored with a request: the seconds of its recording. */
const measuredSchema = z.looseObject({ recording_seconds: z.number().nonnegative() })

/** Tokens of a second of quick speech, and what a short recording may have beside. */
const TEXT_TOKENS_PER_SECOND = 8
const TEXT_TOKENS_LEAST = 224

/** Bytes of a token in an answer: its text; and with a segment around it, its id, its word. */
const PLAIN_TOKEN_BYTES = 16
const VERBOSE_TOKEN_BYTES = 128

/** A route that writes what is said: a job whose pieces many nodes share. */
export class TranscriptionEndpoint implements HttpEndpoint<PreparedTranscription> {
  readonly api: ApiRoute
  readonly path: string
  readonly #components: TranscriptionEndpointComponents
  readonly #route: SpeechRoute

  constructor(components: TranscriptionEndpointComponents, speechRoute: SpeechRoute) {
    this.api = speechRoute.api
    this.path = speechRoute.api.path
    this.#components = components
    this.#route = speechRoute
  }

  /** Decodes the whole recording: what is no audio is refused before it waits for a place, and its seconds are known. */
  async complete(body: unknown, namespace: string, options: AbortOptions = {}): Promise<unknown> {
    const request = parseInput(this.#route.schema, body)
    // a fault of the request is told before one of the recording, which takes time to find
    this.#plan(request)
    const seconds = await measureRecording(this.#components, request.file, namespace, options)
    return { ...request, recording_seconds: seconds }
  }

  async prepare(body: unknown): Promise<PreparedJob<PreparedTranscription>> {
    const parsed = parseInput(this.#route.schema, body)
    const { recording_seconds: seconds } = measured(body)
    const request = { ...parsed, seed: parsed.seed ?? randomSeed(), recording_seconds: seconds }
    const { model, plan } = this.#plan(request)
    const routing = this.#components.pools.routing(model, request.mesh)
    const answerMax = TEXT_TOKENS_LEAST + Math.ceil(TEXT_TOKENS_PER_SECOND * seconds)
    const verbose = plan.form.format === 'verbose_json' || plan.form.logprobs
    return {
      ...answerJob(request, model, routing),
      tokens: { prompt: plan.prompt.length + soundTokens(seconds), answerMax },
      resultBytes: answerMax * (verbose ? VERBOSE_TOKEN_BYTES : PLAIN_TOKEN_BYTES),
      data: { model, routing, plan, fileId: request.file, seconds, seed: pieceSeed(request.seed) }
    }
  }

  check({ model, routing }: PreparedTranscription): void {
    requirePlace(this.#components.director, model.placeable, routing)
  }

  async run(data: PreparedTranscription, context: JobContext): Promise<JobAnswer> {
    return await runTranscription(this.#components, data, context)
  }

  view(): StreamView {
    return transcriptView()
  }

  #plan(request: SpeechRequest): { readonly model: ServedSpeech; readonly plan: SpeechPlan } {
    const { models } = this.#components
    const name = modelName(models, request.model, {
      fits: ({ kind }) => kind === 'speech',
      path: this.path,
      what: 'a model for speech, such as whisper-base'
    })
    const model = models.findSpeech(name)
    return { model, plan: toSpeechPlan(request, this.#route.task, model) }
  }
}

/** @throws MeshError `invalid_request` where nobody could look the recording up */
function measured(body: unknown): z.infer<typeof measuredSchema> {
  const { data } = safeParse(measuredSchema, body)
  if (data !== undefined) return data
  const hint = 'Send it by itself, or as a line of a batch of /v1/batches.'
  throw invalidRequest('file', 'a recording cannot be looked up within this request', hint)
}

const SEEDS = 2n ** 47n

/** What pieces count their own seeds from; those of the API have more bits than nodes are told. */
function pieceSeed(seed: number | string): number {
  return Number(BigInt.asUintN(64, BigInt(seed)) % SEEDS)
}
