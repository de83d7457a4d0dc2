import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError, recipeOf } from '@resultity/interface'
import { type HubAccess, HubClient, RemoteModel } from '@resultity/model'
import type { ContentJudge } from '@resultity/placement'

export interface ContentJudgeInit {
  readonly dataDir: string
  readonly hub: HubAccess | undefined
  /** Aborts when the coordinator stops. */
  readonly signal: AbortSignal
}

/**
 * Settles what a weight file holds by making it: of the ranges of one layer alone, and without keeping what comes of them, or what
 * came of them before it broke off. One at a time.
 */
export function contentJudge({ dataDir, hub, signal }: ContentJudgeInit): ContentJudge {
  return async (manifest, index) => {
    const recipe = recipeOf(manifest)
    if (recipe === undefined) throw new MeshError('internal', `${manifest.name} names its files by their bytes`)
    const judging = join(dataDir, 'judging')
    const directory = join(judging, recipe.repository.replace('/', '--'), recipe.commit)
    try {
      await using model = await RemoteModel.open(recipe, { client: new HubClient(hub), directory }, { signal })
      return await model.hashOf(index, { signal })
    } finally {
      await rm(judging, { recursive: true, force: true })
    }
  }
}
