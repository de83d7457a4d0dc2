import {
  type Route,
  readTranscriptionResult,
  requireSpeech,
  SPEECH_SAMPLE_RATE,
  type SpeechManifest,
  TRANSCRIPTIONS_ENDPOINT,
  type TranscriptionJob,
  type TranscriptionResult,
  toPcm
} from '@resultity/interface'
import type { PlaceableModel, Replicas, RouteConstraints } from '@resultity/placement'
import { fanOut } from './fan-out.ts'
import type { NodeJobOptions, NodeJobResult, NodeJobs } from './node-jobs.ts'
import { wrongResult } from './wrong-result.ts'

export interface TranscriberComponents {
  readonly nodeJobs: Pick<NodeJobs, 'run'>
  readonly replicas: Pick<Replicas, 'ask' | 'jobsMax' | 'onChange'>
}

export interface TranscribeRequest extends Omit<TranscriptionJob, 'pcm'> {
  readonly jobId: string
  readonly model: PlaceableModel
  readonly routing: RouteConstraints
  /** What is heard at once: f32 at 16 kHz, 30 s at the most. The cut is the same for any number of nodes. */
  readonly pieces: readonly Float32Array[]
}

/** What a node heard in one piece; its times are within the piece. */
export interface TranscribedPiece extends TranscriptionResult {
  readonly route: Route
}

/**
 * Has nodes write what is said, piece by piece, on all of them that serve the model: one whose node is lost is heard by
 * another. Where no language is given, the first piece in which something is said decides it for those behind it, so that the
 * text is the same for any number of nodes.
 *
 * @returns the pieces in order
 * @throws MeshError as {@link NodeJobs.run} does; `protocol_violation` for a result that is none
 */
export async function* transcribe(
  components: TranscriberComponents,
  request: TranscribeRequest,
  options: NodeJobOptions = {}
): AsyncGenerator<TranscribedPiece> {
  const { replicas } = components
  const { model, routing, pieces } = request
  const { config } = requireSpeech(model.manifest)
  if (pieces.length > 1) replicas.ask(model, routing, pieces.length)
  let { language } = request
  let heard = 0
  while (config.multilingual && language === undefined && heard < pieces.length) {
    const piece = await hear(components, request, heard++, options)
    if (piece.segments.length > 0) language = piece.language.code
    yield piece
  }
  const first = heard
  const known = language === undefined ? request : { ...request, language }
  yield* fanOut(
    {
      count: pieces.length - first,
      atOnce: () => replicas.jobsMax(model, routing),
      onChange: listener => replicas.onChange(listener),
      signal: options.signal
    },
    (index, signal) => hear(components, known, first + index, { ...options, signal })
  )
}

async function hear(
  { nodeJobs }: TranscriberComponents,
  { jobId, model, routing, pieces, ...asked }: TranscribeRequest,
  index: number,
  options: NodeJobOptions
): Promise<TranscribedPiece> {
  const piece = pieces[index] ?? new Float32Array()
  const job: TranscriptionJob = {
    pcm: toPcm(piece),
    task: asked.task,
    language: asked.language,
    prompt: asked.prompt,
    temperatures: asked.temperatures,
    words: asked.words,
    // no two pieces draw alike
    seed: asked.seed + index
  }
  const body = new TextEncoder().encode(JSON.stringify(job))
  const done = await nodeJobs.run({ jobId, model, routing, endpoint: TRANSCRIPTIONS_ENDPOINT, body }, options)
  return readPiece(done, requireSpeech(model.manifest), piece.length / SPEECH_SAMPLE_RATE)
}

/** @throws MeshError `protocol_violation` naming the node */
function readPiece({ result, route }: NodeJobResult, manifest: SpeechManifest, seconds: number): TranscribedPiece {
  const piece = readTranscriptionResult(result)
  if (piece === undefined || !isOf(manifest, piece)) throw wrongResult(route, `nothing that ${manifest.name} writes`)
  const within = <T extends { readonly start: number; readonly end: number }>(one: T): T => ({
    ...one,
    // a window is longer than a short piece, and so may be what a model says of it
    start: Math.min(one.start, seconds),
    end: Math.min(one.end, seconds)
  })
  const segments = piece.segments.map(segment => {
    const { words, ...rest } = within(segment)
    return words === undefined ? rest : { ...rest, words: words.map(within) }
  })
  return { language: piece.language, segments, route }
}

/** Whether a result may come of a model: of its languages and tokens, in order. */
function isOf({ config }: SpeechManifest, { language, segments }: TranscriptionResult): boolean {
  const { vocabularySize, languages, multilingual, tokens } = config
  const known = multilingual ? Object.hasOwn(languages, language.code) : language.code === 'en'
  const isText = (token: number): boolean => token < tokens.endOfText
  const isWritten = (token: number): boolean =>
    isText(token) || (token >= tokens.firstTimestamp && token < vocabularySize)
  const fits = segments.every(
    segment => segment.tokens.every(isWritten) && (segment.words ?? []).every(word => word.tokens.every(isText))
  )
  const ordered = segments.every(({ seek }, index) => seek >= (segments[index - 1]?.seek ?? 0))
  return known && fits && ordered
}
