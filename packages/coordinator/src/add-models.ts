import type { FileBlobStore } from '@resultity/blobs'
import { applyAliases } from '@resultity/ensembles'
import {
  type AbortOptions,
  type Clock,
  MeshError,
  type ModelAliases,
  type Quantize,
  type SubcloudDefinition
} from '@resultity/interface'
import { type HubAccess, modelNameOf, parseModelReference } from '@resultity/model'
import { type FailedModel, requireSubcloudModels } from '@resultity/placement'
import { templateShortcomings } from '@resultity/tokenizer'
import type { Logger } from 'pino'
import { loadModel, type ModelProgress } from './load-model.ts'
import type { MeshParts } from './mesh-parts.ts'

/** Which models a coordinator serves, and by which further names. */
export interface ModelSettings {
  /** Model references; all are imported before the coordinator is up, which serves those that could be. */
  readonly models: readonly string[]
  /** Positions of one session; default: each model's own, at most 4096. */
  readonly contextLength?: number
  /** Sessions that one placement serves at once; default 4. */
  readonly sessionsMax?: number
  /** The hub that models come from. Default: the public one, without a token. */
  readonly hub?: HubAccess | undefined
  /**
   * Largest weights of a hub's model that this coordinator fetches and converts itself. Of a larger one it reads the headers, and
   * each node makes its own layers. Default 2 GB.
   */
  readonly importMaxBytes?: number | undefined
  /** What becomes of matrices of plain numbers in models that generate text. Default `auto`. */
  readonly quantize?: Quantize | undefined
  /** Further names of models, and names of ensembles. */
  readonly aliases?: ModelAliases
  readonly onProgress?: (reference: string, progress: ModelProgress) => void
  /** A model cannot be served; the others are. */
  readonly onModelFailed?: (model: FailedModel) => void
}

export interface AddModelsInit extends ModelSettings {
  readonly dataDir: string
  readonly subclouds?: Readonly<Record<string, SubcloudDefinition>>
  readonly logger: Logger
}

export interface AddModelsComponents {
  readonly store: FileBlobStore
  readonly mesh: MeshParts
  readonly clock: Clock
}

/**
 * Imports the models one after the other and serves each as soon as it is here. One that cannot be loaded is told of and left
 * out.
 *
 * @throws MeshError `settings_invalid`, `invalid_request` or `model_not_found` for references and names that cannot be meant;
 * the failure of the model when none can be served
 */
export async function addModels(
  init: AddModelsInit,
  components: AddModelsComponents,
  options: AbortOptions = {}
): Promise<void> {
  const { models, loop } = components.mesh
  // a slip of the pen is told before anything is downloaded
  for (const reference of init.models) parseModelReference(reference)
  for (const reference of init.models) {
    try {
      await addModel(reference, init, components, options)
    } catch (error) {
      options.signal?.throwIfAborted()
      const failure = MeshError.from(error)
      if (failure.code === 'settings_invalid' || init.models.length === 1) throw failure
      const failed = { reference, names: namesOf(reference), error: failure }
      models.addFailed(failed)
      init.logger.error({ model: reference, err: failure, hint: failure.hint }, 'a model cannot be served')
      init.onModelFailed?.(failed)
    }
  }
  if (models.list().length === 0 && models.failed().length > 0) throw noneServed(models.failed())
  models.complete = true
  applyAliases(init.aliases ?? {}, models)
  requireSubcloudModels(init.subclouds ?? {}, models)
  loop.reconcile()
}

async function addModel(
  reference: string,
  init: AddModelsInit,
  { store, mesh: { models, director }, clock }: AddModelsComponents,
  options: AbortOptions
): Promise<void> {
  const loaded = await loadModel(
    reference,
    {
      dataDir: init.dataDir,
      store,
      nowMs: clock.now(),
      hub: init.hub,
      importMaxBytes: init.importMaxBytes,
      quantize: init.quantize,
      ...(init.contextLength === undefined ? {} : { contextLength: init.contextLength }),
      ...(init.sessionsMax === undefined ? {} : { sessionsMax: init.sessionsMax }),
      onProgress: progress => init.onProgress?.(reference, progress)
    },
    options
  )
  const model = models.toldApart(loaded)
  if (model.id !== loaded.id) {
    const facts = { model: model.id, reference, name: loaded.id }
    init.logger.warn(facts, 'another model has this name; requests name this one by its longer name, or its reference')
  }
  if (models.add(model)) director.addModel(model.placeable)
  init.logger.info({ model: model.id, layers: model.placeable.manifest.layers.length }, 'a model is served')
  if (model.kind !== 'decoder') return
  for (const shortcoming of templateShortcomings(model.tokenizer.capabilities)) {
    init.logger.warn({ model: model.id }, shortcoming)
  }
}

function namesOf(reference: string): string[] {
  return [...new Set([modelNameOf(parseModelReference(reference)), reference])]
}

function noneServed(failed: readonly FailedModel[]): MeshError {
  const reasons = failed.map(({ reference, error }) => `${reference}: ${error.message}`)
  return new MeshError(
    failed[0]?.error.code ?? 'model_unavailable',
    `none of the ${failed.length} models can be served (${reasons.join('; ')})`,
    { hint: 'Mend one of them, or serve another: resultity pull REF tells what is wrong with each.' }
  )
}
