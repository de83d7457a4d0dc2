import {
  fromSynthesisResult,
  type Route,
  readJson,
  requireVoice,
  SPEECH_ENDPOINT,
  type SynthesisJob,
  synthesisResultSchema,
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

export interface SpeakRequest extends Omit<SynthesisJob, 'phonemeIds'> {
  readonly jobId: string
  readonly model: PlaceableModel
  readonly routing: RouteConstraints
  /** Phoneme ids of each sentence, in the voice's own ids. */
  readonly sentences: readonly (readonly number[])[]
}

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
  { jobId, model, routing, sentences, speaker, lengthScale }: SpeakRequest,
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
      const job: SynthesisJob = {
        phonemeIds: [...(sentences[index] ?? [])],
        ...(speaker === undefined ? {} : { speaker }),
        lengthScale
      }
      const body = new TextEncoder().encode(JSON.stringify(job))
      const done = await nodeJobs.run(
        { jobId, model, routing, endpoint: SPEECH_ENDPOINT, body },
        { ...options, signal }
      )
      return { samples: readSamples(done, manifest), route: done.route }
    }
  )
}

/** @throws MeshError `protocol_violation` naming the node */
function readSamples({ result, route }: NodeJobResult, { name, config }: VoiceManifest): Int16Array<ArrayBuffer> {
  const read = readJson(synthesisResultSchema, result)
  const samples = read?.sampleRate === config.sampleRate ? fromSynthesisResult(read) : undefined
  if (samples === undefined) throw wrongResult(route, `nothing that ${name} says`)
  return samples
}
