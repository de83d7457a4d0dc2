import {
  DECODE_ENDPOINT,
  DENOISE_ENDPOINT,
  DESCRIPTIONS_ENDPOINT,
  type DiffusionSection,
  diffusionSections,
  EMBEDDINGS_ENDPOINT,
  MeshError,
  PICTURES_ENDPOINT,
  readDecodeJob,
  readDenoiseJob,
  readDescriptionJob,
  readPictureJob,
  readStepsJob,
  readTextJob,
  SOURCE_ENDPOINT,
  SPEECH_ENDPOINT,
  STEPS_ENDPOINT,
  TEXT_ENDPOINT,
  TRANSCRIPTIONS_ENDPOINT
} from '@resultity/interface'
import { runDenoiseJob } from './denoise-job.ts'
import { runDescriptionJob } from './description-job.ts'
import { parseEmbeddingJob, runEmbeddingJob } from './embedding-job.ts'
import type { JobEndpoint, JobWorkOptions } from './job-work.ts'
import type { ReadyDiffusion, ReadyWhole } from './loaded-model.ts'
import { runPictureJob } from './picture-job.ts'
import { runDecodeJob, runSourceJob, runStepsJob, runTextJob } from './picture-parts-job.ts'
import { parseSynthesisJob, runSynthesisJob } from './synthesis-job.ts'
import { parseTranscriptionJob, runTranscriptionJob } from './transcription-job.ts'

/** What jobs this node runs, by their endpoint. */
export const JOB_ENDPOINTS: ReadonlyMap<string, JobEndpoint> = new Map([
  [
    EMBEDDINGS_ENDPOINT,
    body => {
      const job = parseEmbeddingJob(body)
      return async (ready, options) => {
        if (ready.kind !== 'encoder') throw otherKind(ready, 'gives no vectors')
        return await runEmbeddingJob(ready, job, options)
      }
    }
  ],
  [
    TRANSCRIPTIONS_ENDPOINT,
    body => {
      const job = parseTranscriptionJob(body)
      return async (ready, options) => {
        if (ready.kind !== 'speech') throw otherKind(ready, 'hears no speech')
        return await runTranscriptionJob(ready, job, options)
      }
    }
  ],
  [
    SPEECH_ENDPOINT,
    body => {
      const job = parseSynthesisJob(body)
      return async (ready, options) => {
        if (ready.kind !== 'voice') throw otherKind(ready, 'has no voice')
        return await runSynthesisJob(ready, job, options)
      }
    }
  ],
  [
    DESCRIPTIONS_ENDPOINT,
    body => {
      const job = readDescriptionJob(body)
      return async (ready, options) => {
        if (ready.kind !== 'captioner') throw otherKind(ready, 'describes no pictures')
        return await runDescriptionJob(ready, job, options)
      }
    }
  ],
  [PICTURES_ENDPOINT, drawing(readPictureJob, runPictureJob)],
  [DENOISE_ENDPOINT, drawing(readDenoiseJob, runDenoiseJob)],
  [TEXT_ENDPOINT, drawing(readTextJob, runTextJob)],
  [SOURCE_ENDPOINT, drawing(readPictureJob, runSourceJob)],
  [STEPS_ENDPOINT, drawing(readStepsJob, runStepsJob)],
  [DECODE_ENDPOINT, drawing(readDecodeJob, runDecodeJob)]
])

/** Which sections of a model that draws a job is for. */
const SECTIONS: ReadonlyMap<string, readonly DiffusionSection[]> = new Map<string, readonly DiffusionSection[]>([
  [PICTURES_ENDPOINT, diffusionSections],
  [DENOISE_ENDPOINT, ['text', 'denoiser']],
  [TEXT_ENDPOINT, ['text']],
  [SOURCE_ENDPOINT, ['coder']],
  [STEPS_ENDPOINT, ['denoiser']],
  [DECODE_ENDPOINT, ['coder']]
])

/** Whether what is here of a model can do a job; a job for another kind of model is refused where it is done. */
export function isFor(endpoint: string, ready: ReadyWhole): boolean {
  if (ready.kind !== 'diffusion') return true
  return (SECTIONS.get(endpoint) ?? []).every(section => ready.sections.has(section))
}

/** A job for a model that draws. */
function drawing<Job>(
  read: (body: Uint8Array) => Job,
  run: (ready: ReadyDiffusion, job: Job, options: JobWorkOptions) => Promise<Uint8Array>
): JobEndpoint {
  return body => {
    const job = read(body)
    return async (ready, options) => {
      if (ready.kind !== 'diffusion') throw otherKind(ready, 'draws no pictures')
      return await run(ready, job, options)
    }
  }
}

function otherKind({ manifest }: ReadyWhole, lacks: string): MeshError {
  return new MeshError('invalid_request', `${manifest.name} ${lacks}`, {
    hint: 'the coordinator sent the job to the wrong model; upgrade it if it is older than this node'
  })
}
