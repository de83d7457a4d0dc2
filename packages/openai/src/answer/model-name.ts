import { MeshError } from '@resultity/interface'
import type { ServedModel, ServedModels } from '@resultity/placement'

/** Models that a route can be served by. */
export interface ModelWanted {
  readonly fits: (model: ServedModel) => boolean
  readonly path: string
  /** What would do, for whoever runs the coordinator. */
  readonly what: string
}

/**
 * The name of the model that a request means: clients of servers with one such model name none.
 *
 * @throws MeshError `not_implemented` where no model that fits is served at all, and none is being imported
 */
export function modelName(
  models: ServedModels,
  name: string | null | undefined,
  { fits, path, what }: ModelWanted
): string | undefined {
  const fitting = models.list().filter(fits)
  if (models.complete && fitting.length === 0) {
    throw new MeshError('not_implemented', `POST ${path} is not served here: no model does that`, {
      hint: `Serve ${what}: \`resultity up --model REF\`.`
    })
  }
  const [only] = fitting
  return name ?? (models.complete && fitting.length === 1 ? only?.id : undefined)
}
