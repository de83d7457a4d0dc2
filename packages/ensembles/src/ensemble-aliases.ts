import { type EnsembleAlias, MeshError, type ModelAliases } from '@resultity/interface'
import type { ServedModels } from '@resultity/placement'

/** The ensembles that requests may name as their model. */
export class EnsembleAliases {
  readonly #ensembles: ReadonlyMap<string, EnsembleAlias>

  constructor(aliases: ModelAliases = {}) {
    const ensembles = Object.entries(aliases).flatMap(([name, alias]) =>
      typeof alias === 'string' ? [] : [[name, alias] as const]
    )
    this.#ensembles = new Map(ensembles)
  }

  get(name: string): EnsembleAlias | undefined {
    return this.#ensembles.get(name)
  }

  list(): readonly (readonly [name: string, alias: EnsembleAlias])[] {
    return [...this.#ensembles]
  }
}

/**
 * Gives models their further names, and looks whether all that aliases name is there, or was to be.
 * @throws MeshError `settings_invalid` naming the alias
 */
export function applyAliases(aliases: ModelAliases, models: ServedModels): void {
  for (const [name, alias] of Object.entries(aliases)) {
    if (models.has(name)) throw wrong(name, `there is a model of that name`, 'Choose another name.')
    const named = typeof alias === 'string' ? [alias] : [...alias.models, ...(alias.judge ? [alias.judge.model] : [])]
    for (const model of named) {
      if (!models.has(model) && !models.hasFailed(model))
        throw wrong(name, `there is no model "${model}"`, `Serve it too: --model ${model}.`)
    }
    if (typeof alias !== 'string' && alias.strategy === 'judge' && alias.judge == null) {
      throw wrong(name, 'its strategy is "judge" and it has no judge', 'Add "judge": {"model": "…"}.')
    }
  }
  for (const [name, alias] of Object.entries(aliases)) if (typeof alias === 'string') models.alias(name, alias)
}

function wrong(name: string, what: string, hint: string): MeshError {
  return new MeshError('settings_invalid', `the alias "${name}" cannot be: ${what}`, { hint })
}
