import {
  DENOISE_ENDPOINT,
  DESCRIPTIONS_ENDPOINT,
  EMBEDDINGS_ENDPOINT,
  MeshError,
  PICTURES_ENDPOINT,
  readDenoiseJob,
  readDescriptionJob,
  readPictureJob,
  SPEECH_ENDPOINT,
  TRANSCRIPTIONS_ENDPOINT
} from '@resultity/interface'
import { runDenoiseJob } from './denoise-job.ts'
import { runDescriptionJob } from './description-job.ts'
import { parseEmbeddingJob, runEmbeddingJob } from './embedding-job.ts'
import type { JobEndpoint } from './job-work.ts'
import type { ReadyWhole } from './loaded-model.ts'
import { runPictureJob } from './picture-job.ts'
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
  [
    PICTURES_ENDPOINT,
    body => {
      const job = readPictureJob(body)
      return async (ready, options) => {
        if (ready.kind !== 'diffusion') throw otherKind(ready, 'draws no pictures')
        return await runPictureJob(ready, job, options)
      }
    }
  ],
  [
    DENOISE_ENDPOINT,
    body => {
      const job = readDenoiseJob(body)
      return async (ready, options) => {
        if (ready.kind !== 'diffusion') throw otherKind(ready, 'draws no pictures')
        return await runDenoiseJob(ready, job, options)
      }
    }
  ]
])

function otherKind({ manifest }: ReadyWhole, lacks: string): MeshError {
  return new MeshError('invalid_request', `${manifest.name} ${lacks}`, {
    hint: 'the coordinator sent the job to the wrong model; upgrade it if it is older than this node'
  })
}
