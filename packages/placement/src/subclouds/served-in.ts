import type { ServedModels } from '../served-models.ts'
import type { Subclouds } from './subclouds.ts'

export interface ServedInComponents {
  readonly models: ServedModels
  readonly subclouds: Subclouds
}

/**
 * Which models a subcloud serves: all, where it names none. One that is still being imported is not there yet.
 * @param name undefined: no subcloud, and so every model
 * @throws MeshError `not_found` when there is no such subcloud
 */
export function servedIn(
  name: string | undefined,
  { models, subclouds }: ServedInComponents
): (model: string) => boolean {
  const names = name === undefined ? undefined : subclouds.find(name).definition.models
  const ids = names?.filter(one => models.has(one)).map(one => models.find(one).id)
  return model => models.has(model) && (ids === undefined || ids.includes(models.find(model).id))
}
