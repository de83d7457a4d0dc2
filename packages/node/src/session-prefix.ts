import type { SessionInit } from '@resultity/engine'
import { sharedPrefillSteps } from '@resultity/interface'
import type { OpenSession } from '@resultity/wire'

/**
 * What a session may begin with and leave in its stage's cache: of the steps that have names, those that others may have in common
 * with it. A placement has one coordinator, so nothing is shared between two of them.
 */
export function prefixOf(open: OpenSession): Pick<SessionInit, 'prefix'> {
  const { placementId, prefillChunk, promptCount, prefix } = open
  if (prefix === undefined) return {}
  const blocks = prefix.blocks.slice(0, sharedPrefillSteps(promptCount, prefillChunk))
  return { prefix: { scope: placementId, blockPositions: prefillChunk, blocks, reuse: !prefix.afresh } }
}
