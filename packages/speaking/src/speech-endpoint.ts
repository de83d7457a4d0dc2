import { type ApiRoute, parseInput } from '@resultity/api-kit'
import { audioMediaTypes, completeWav, type EncodingThread } from '@resultity/audio'
import { type SpeakerComponents, speak } from '@resultity/generation'
import { MeshError, type Route } from '@resultity/interface'
import { BEGUN, type JobAnswer, type JobContext, type PreparedJob, type StreamView } from '@resultity/jobs'
import { answerJob, type HttpEndpoint, modelName, randomSeed, requirePlace, routeHeader } from '@resultity/openai'
import type { PhonemeThread } from '@resultity/phonemes'
import type { NodePools, PlacementDirector, RouteConstraints, ServedModels } from '@resultity/placement'
import type { Job } from '@resultity/store'
import { type SpeechPlan, storedBytes, toSpeechPlan } from './speech-plan.ts'
import { type SpeechRequest, speechEventSchema, speechRequestSchema } from './speech-schema.ts'
import { AUDIO, speechView } from './speech-view.ts'

export interface SpeakingComponents extends SpeakerComponents {
  readonly models: ServedModels
  readonly director: PlacementDirector
  readonly pools: NodePools
  /** Encodes away from the event loop. */
  readonly encoding: EncodingThread
  /** Reads texts away from the event loop. */
  readonly phonemes: Pick<PhonemeThread, 'phonemize'>
}

interface PreparedSpeech {
  readonly plan: SpeechPlan
  /** As the request has it, or as it was drawn. */
  readonly seed: SpeechRequest['seed']
  readonly routing: RouteConstraints
}

/** Silence between two sentences at the usual speed, in seconds. */
const PAUSE_SECONDS = 0.2

const media = [...new Set(Object.values(audioMediaTypes))]

const createSpeech: ApiRoute = {
  method: 'POST',
  path: '/v1/audio/speech',
  id: 'createSpeech',
  summary: 'Says a text: sound as it is made, sentence by sentence.',
  body: speechRequestSchema,
  answers: {
    200: {
      description: 'The sound, in the form that was asked for; or events that carry it.',
      media,
      events: speechEventSchema,
      headers: {
        'x-resultity-voice': 'The voice that speaks.',
        'x-resultity-seed': 'Of a voice that draws its tokens: what it drew by.',
        'x-resultity-unspoken': 'How many different characters of the input have no sound here, where there are any.',
        'x-resultity-route': 'Who said the first sentence: `PEER[first,end)`.'
      }
    }
  },
  errors: [501]
}

/** `POST /v1/audio/speech`: a job for each sentence, on all nodes that serve the voice. */
export class SpeechEndpoint implements HttpEndpoint<PreparedSpeech> {
  readonly api = createSpeech
  readonly path = createSpeech.path
  readonly #components: SpeakingComponents

  constructor(components: SpeakingComponents) {
    this.#components = components
  }

  async prepare(body: unknown): Promise<PreparedJob<PreparedSpeech>> {
    const { models, pools, phonemes, encoding } = this.#components
    const parsed = parseInput(speechRequestSchema, body)
    const name = modelName(models, parsed.model, {
      fits: ({ kind }) => kind === 'voice',
      path: this.path,
      what: 'a voice, such as piper-joe'
    })
    const model = models.findVoice(name)
    // of a voice that draws, it is drawn now: another attempt says the same
    const request = model.tokenizer === undefined ? parsed : { ...parsed, seed: parsed.seed ?? randomSeed() }
    const routing = pools.routing(model, request.mesh)
    const plan = await toSpeechPlan(request, model, { phonemes, writes: format => encoding.writes(format) })
    return {
      ...answerJob(request, model, routing),
      // whoever waits gets the sound as it is made
      streamed: true,
      tokens: { prompt: plan.characters, answerMax: plan.secondsMax },
      resultBytes: storedBytes(plan),
      headers: headersOf(plan, request.seed),
      data: { plan, routing, seed: request.seed ?? undefined }
    }
  }

  check({ plan, routing }: PreparedSpeech): void {
    requirePlace(this.#components.director, plan.model.placeable, routing)
  }

  async run({ plan, routing, seed }: PreparedSpeech, { job, signal, log, losses }: JobContext): Promise<JobAnswer> {
    const { model, format, lengthScale, manner, voice, sentences } = plan
    const { sampleRate } = model.config
    using writer = this.#components.encoding.open(format, sampleRate, { signal })
    const parts: Uint8Array[] = []
    const add = async (bytes: Uint8Array): Promise<void> => {
      if (bytes.length === 0) return
      parts.push(bytes)
      await log.add(AUDIO, { audio: Buffer.from(bytes).toString('base64') })
    }
    const asked = { jobId: job.id, model: model.placeable, routing, sentences, manner }
    const speaker = voice.speaker === undefined ? {} : { speaker: voice.speaker }
    const pause = new Int16Array(Math.round(PAUSE_SECONDS * sampleRate * lengthScale))
    let first: Route | undefined
    let sampleCount = 0
    for await (const { samples, route } of speak(
      this.#components,
      { ...asked, ...speaker },
      { signal, workClass: job.class, losses }
    )) {
      if (first === undefined) {
        first = route
        await log.note(BEGUN, { headers: { ...headersOf(plan, seed), 'x-resultity-route': routeHeader(route) } })
      } else {
        sampleCount += pause.length
        await add(await writer.write(pause))
      }
      sampleCount += samples.length
      await add(await writer.write(samples))
    }
    if (first === undefined) throw new MeshError('internal', 'there was nothing to say')
    await add(await writer.finish())
    const file = Buffer.concat(parts)
    if (format === 'wav') completeWav(file)
    const headers = {
      ...headersOf(plan, seed),
      'content-type': audioMediaTypes[format],
      'x-resultity-route': routeHeader(first)
    }
    return {
      result: { status: 200, headers, body: file.toString('base64'), encoding: 'base64' },
      usage: { promptTokens: plan.characters, completionTokens: Math.ceil(sampleCount / sampleRate) }
    }
  }

  view(job: Job): StreamView {
    return speechView(job)
  }
}

function headersOf({ voice, unspoken }: SpeechPlan, seed: SpeechRequest['seed']): Record<string, string> {
  return {
    // a header is Latin-1, and names of voices need not be
    'x-resultity-voice': encodeURIComponent(voice.name),
    ...(seed === undefined || seed === null ? {} : { 'x-resultity-seed': String(seed) }),
    ...(unspoken.length === 0 ? {} : { 'x-resultity-unspoken': String(unspoken.length) })
  }
}
