import { type AudioFormat, audioMediaTypes } from '@resultity/audio'
import { safeParse } from '@resultity/interface'
import type { StreamView } from '@resultity/jobs'
import type { Job, JobEvent } from '@resultity/store'
import { z } from 'zod'
import { type SpeechEvent, speechRequestSchema } from './speech-schema.ts'

/** Type of a log's entry that carries the next bytes of the file. */
export const AUDIO = 'audio'

const audioEntrySchema = z.object({ audio: z.string() })

/** Bytes of an entry, in base64; undefined for an entry of another kind. */
function audioOf({ type, data }: JobEvent): string | undefined {
  return type === AUDIO ? audioEntrySchema.parse(data).audio : undefined
}

/** The file as it is made: its bytes, or events with them. */
export function speechView(job: Job): StreamView {
  const request = safeParse(speechRequestSchema, requestOf(job)).data
  return request?.stream_format === 'sse' ? events : bytesOf(request?.response_format ?? 'mp3')
}

const events: StreamView = {
  named: true,
  begin: () => [],
  render: event => {
    const audio = audioOf(event)
    return audio === undefined ? [] : [{ type: 'speech.audio.delta', audio } satisfies SpeechEvent]
  },
  end: ({ usage }) => [{ type: 'speech.audio.done', usage: toSpeechUsage(usage) } satisfies SpeechEvent]
}

function bytesOf(format: AudioFormat): StreamView {
  return {
    mediaType: audioMediaTypes[format],
    begin: () => [],
    render: event => {
      const audio = audioOf(event)
      return audio === undefined ? [] : [Buffer.from(audio, 'base64')]
    },
    end: () => []
  }
}

function toSpeechUsage(usage: Job['usage']): Extract<SpeechEvent, { type: 'speech.audio.done' }>['usage'] {
  const { promptTokens = 0, completionTokens = 0 } = usage ?? {}
  return { input_tokens: promptTokens, output_tokens: completionTokens, total_tokens: promptTokens + completionTokens }
}

function requestOf({ body }: Job): unknown {
  return body !== null && typeof body === 'object' && 'request' in body ? body.request : undefined
}
