import type { GenerationEvent } from '@resultity/generation'

/**
 * A bug to see whether a simulation finds it: once a link has failed while an answer was under way, its next token is told
 * twice, as by a replay that does not know what the client has.
 */
export async function* tokenTwiceAfterLinkFault(
  events: AsyncIterable<GenerationEvent>,
  linkFaults: () => number
): AsyncGenerator<GenerationEvent, void> {
  let seen = linkFaults()
  for await (const event of events) {
    yield event
    if (event.type !== 'token' || linkFaults() === seen) continue
    seen = linkFaults()
    yield event
  }
}
