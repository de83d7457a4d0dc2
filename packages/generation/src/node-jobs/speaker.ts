import {
  type BarkManifest,
  fromSynthesisResult,
  type Route,
  readJson,
  requireVoice,
  type SentenceJob,
  SPEECH_ENDPOINT,
  type SynthesisJob,
  synthesisResultSchema,
  type TokenSynthesisJob,
  type VoiceManifest
} from '@resultity/interface'
import type { PlaceableModel, Replicas, RouteConstraints } from '@resultity/placement'
import { fanOut } from './fan-out.ts'
import type { NodeJobOptions, NodeJobResult, NodeJobs } from './node-jobs.ts'
import { wrongResult } from './wrong-result.ts'

export interface SpeakerComponents {
  readonly nodeJobs: Pick<NodeJobs, 'run'>
  readonly replicas: Pick<Replicas, 'ask' | 'jobsMax' | 'onChange'>
}

/** How a model says sentences that reads sounds, or one that reads tokens. */
export type Manner = Pick<SynthesisJob, 'lengthScale'> | Pick<TokenSynthesisJob, 'seed' | 'temperature'>

export interface SpeakRequest {
  readonly jobId: string
  readonly model: PlaceableModel
  readonly routing: RouteConstraints
  /** Of each sentence, ids of its sounds or its tokens, as the model has them. */
  readonly sentences: readonly (readonly number[])[]
  /** Of a model with several voices. */
  readonly speaker?: number
  readonly manner: Manner
}

/** How many times as long a sentence may take that is written token by token: a processor says 15 s in minutes. */
const TOKEN_JOBS = 20

export interface SpokenSentence {
  /** s16, one channel, at the voice's rate. */
  readonly samples: Int16Array<ArrayBuffer>
  readonly route: Route
}

/**
 * Has nodes say sentences, each as a job of its own, on all of them that serve the voice: one whose node is lost is said by
 * another.
 *
 * @returns the sentences in order, as they are made
 * @throws MeshError as {@link NodeJobs.run} does; `protocol_violation` for a result that is none
 */
export function speak(
  { nodeJobs, replicas }: SpeakerComponents,
  { jobId, model, routing, sentences, speaker, manner }: SpeakRequest,
  options: NodeJobOptions = {}
): AsyncGenerator<SpokenSentence> {
  const manifest = requireVoice(model.manifest)
  if (sentences.length > 1) replicas.ask(model, routing, sentences.length)
  return fanOut(
    {
      count: sentences.length,
      atOnce: () => replicas.jobsMax(model, routing),
      onChange: listener => replicas.onChange(listener),
      signal: options.signal
    },
    async (index, signal) => {
      const ids = [...(sentences[index] ?? [])]
      const who = speaker === undefined ? {} : { speaker }
      const job: SentenceJob =
        'seed' in manner ? { tokens: ids, ...who, ...manner, sentence: index } : { phonemeIds: ids, ...who, ...manner }
      const body = new TextEncoder().encode(JSON.stringify(job))
      const done = await nodeJobs.run(
        { jobId, model, routing, endpoint: SPEECH_ENDPOINT, body, jobs: 'seed' in manner ? TOKEN_JOBS : 1 },
        { ...options, signal }
      )
      return { samples: readSamples(done, manifest), route: done.route }
    }
  )
}

/** @throws MeshError `protocol_violation` naming the node */
function readSamples(
  { result, route }: NodeJobResult,
  { name, config }: VoiceManifest | BarkManifest
): Int16Array<ArrayBuffer> {
  const read = readJson(synthesisResultSchema, result)
  const samples = read?.sampleRate === config.sampleRate ? fromSynthesisResult(read) : undefined
  if (samples === undefined) throw wrongResult(route, `nothing that ${name} says`)
  return samples
}
