import { MeshError } from '@resultity/interface'
import { createParser } from 'eventsource-parser'

/**
 * The data of server-sent events, in order. Comments and other fields are passed over.
 *
 * @param eventBytesMax bytes since the last event ended: bounds what is kept of a line that does not end
 * @throws MeshError `upstream_failed` for an event that is too long, and for bytes that are no text
 */
export async function* readEvents(
  body: AsyncIterable<Uint8Array>,
  eventBytesMax: number
): AsyncGenerator<string, void> {
  let events: string[] = []
  let unfinished = 0
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const parser = createParser({
    onEvent: ({ data }) => events.push(data),
    onComment: () => {
      unfinished = 0
    }
  })
  for await (const chunk of body) {
    unfinished += chunk.length
    parser.feed(decoded(decoder, chunk))
    if (events.some(data => data.length > eventBytesMax)) throw tooLong(eventBytesMax)
    if (events.length > 0) unfinished = 0
    if (unfinished > eventBytesMax) throw tooLong(eventBytesMax)
    const complete = events
    events = []
    yield* complete
  }
}

function decoded(decoder: TextDecoder, chunk: Uint8Array): string {
  try {
    return decoder.decode(chunk, { stream: true })
  } catch (cause) {
    throw new MeshError('upstream_failed', 'its answer is no UTF-8', { cause })
  }
}

function tooLong(eventBytesMax: number): MeshError {
  return new MeshError('upstream_failed', `an event of its answer is longer than ${eventBytesMax} bytes`)
}
