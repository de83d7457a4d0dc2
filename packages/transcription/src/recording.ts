import { type AudioDecoder, type AudioLimits, cutAtPauses, type SampleSpan, type SpeechRules } from '@resultity/audio'
import { type AbortOptions, invalidRequest, MeshError, type Turns } from '@resultity/interface'
import type { FileService } from '@resultity/jobs'
import type { StoredFile } from '@resultity/store'

export interface MeasureComponents {
  readonly fileService: Pick<FileService, 'findInUse' | 'read'>
  readonly audio: AudioDecoder
}

export interface RecordingComponents extends MeasureComponents {
  /** As many as are decoded at once: many attempts may begin in one moment, and none of them is refused. */
  readonly reading: Turns
}

/** A recording, and the pieces of it in which somebody speaks. */
export interface Recording {
  readonly seconds: number
  readonly pieces: readonly Float32Array[]
  /** Where each piece is, in samples. */
  readonly spans: readonly SampleSpan[]
}

/**
 * The seconds of a stored recording, all of which are decoded, since headers are not believed, and none of which are kept.
 *
 * @throws MeshError `not_found` for a file that is not there; `invalid_request` for one that is no audio, or too much of it;
 *   `resource_exhausted` when too many are being read; the signal's reason
 */
export async function measureRecording(
  components: MeasureComponents,
  id: string,
  namespace: string,
  options: AbortOptions = {}
): Promise<number> {
  const file = await findFile(components, id, namespace)
  return await components.audio.measure(await bytesOf(components, file, options), options)
}

/**
 * Reads a stored recording, and cuts it at pauses into pieces that a model hears at once.
 *
 * @throws MeshError as {@link measureRecording} does
 */
export async function readRecording(
  components: RecordingComponents,
  { id, namespace, rules }: { readonly id: string; readonly namespace: string; readonly rules: SpeechRules },
  options: AbortOptions
): Promise<Recording> {
  const { audio, reading } = components
  const file = await findFile(components, id, namespace)
  const read = async () => await audio.decode(await bytesOf(components, file, options), { speech: rules, ...options })
  const { samples, seconds, speech } = await reading.run(read, options)
  const spans = cutAtPauses(speech ?? [], samples.length)
  return { seconds, spans, pieces: spans.map(({ start, end }) => samples.subarray(start, end)) }
}

async function findFile({ fileService, audio }: MeasureComponents, id: string, namespace: string): Promise<StoredFile> {
  const file = await fileService.findInUse(id, namespace).catch((error: unknown) => {
    throw named(error)
  })
  requireSize(file, audio.limits)
  return file
}

/** Before a byte of it is read. */
function requireSize({ bytes }: StoredFile, { bytesMax }: AudioLimits): void {
  if (bytes <= bytesMax) return
  const message = `the file has ${bytes} bytes, and recordings have ${bytesMax} at the most`
  throw new MeshError('invalid_request', message, {
    hint: 'Cut it, or send it in a format that takes less, such as Opus or MP3.',
    details: { param: 'file', reason: 'request_too_large' }
  })
}

/** In the terms of this request, whose field is called otherwise. */
function named(error: unknown): MeshError {
  const known = MeshError.from(error)
  return known.code === 'not_found' ? invalidRequest('file', known.message, known.hint) : known
}

async function bytesOf(
  { fileService }: MeasureComponents,
  file: StoredFile,
  options: AbortOptions = {}
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(file.bytes)
  let at = 0
  for await (const chunk of fileService.read(file, options)) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}
