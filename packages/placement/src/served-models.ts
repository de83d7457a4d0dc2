import {
  type BarkConfig,
  type BlipConfig,
  type Classifier,
  type DiffusionConfig,
  MeshError,
  type VoiceConfig
} from '@resultity/interface'
import type { EncoderTokenizer, ModelTokenizer, PicturePromptEncoder, PromptEncoder } from '@resultity/tokenizer'
import type { PlaceableModel } from './placement/placeable-model.ts'

interface Served {
  /** Its name in the API. */
  readonly id: string
  /** Other names that it answers to: the reference it was imported by. */
  readonly aliases: readonly string[]
  readonly placeable: PlaceableModel
  /** Unix seconds since when it is served. */
  readonly createdAt: number
}

/** A model that generates text. */
export interface ServedDecoder extends Served {
  readonly kind: 'decoder'
  readonly tokenizer: ModelTokenizer
  /** Makes tokens of what clients send, however long. */
  readonly prompts: PromptEncoder
}

/** A model that turns texts into vectors. */
export interface ServedEncoder extends Served {
  readonly kind: 'encoder'
  readonly tokenizer: EncoderTokenizer
}

/** A model that scores texts, or pairs of them, by labels. */
export interface ServedClassifier extends Served {
  readonly kind: 'classifier'
  readonly tokenizer: EncoderTokenizer
  readonly classifier: Classifier
}

/** A model that writes what is said in a recording. */
export interface ServedSpeech extends Served {
  readonly kind: 'speech'
  /** Turns what was decoded into text, and a prompt into tokens; ids of timestamps are no text. */
  readonly tokenizer: ModelTokenizer
}

/** A model that says texts by their sounds. */
export interface ServedSoundVoice extends Served {
  readonly kind: 'voice'
  readonly config: VoiceConfig
  readonly tokenizer?: undefined
}

/** A model that says texts by their tokens. */
export interface ServedTokenVoice extends Served {
  readonly kind: 'voice'
  readonly config: BarkConfig
  readonly tokenizer: EncoderTokenizer
}

/** A model that says texts. */
export type ServedVoice = ServedSoundVoice | ServedTokenVoice

/** A model that says what pictures show. */
export interface ServedCaptioner extends Served {
  readonly kind: 'captioner'
  readonly config: BlipConfig
  /** Turns a question or a beginning into tokens, and what was written into text. */
  readonly tokenizer: EncoderTokenizer
}

/** A model that draws pictures. */
export interface ServedDiffusion extends Served {
  readonly kind: 'diffusion'
  readonly config: DiffusionConfig
  /** Makes tokens of prompts, however long, for each text encoder. */
  readonly prompts: PicturePromptEncoder
}

/** A model that requests may name. */
export type ServedModel =
  | ServedDecoder
  | ServedEncoder
  | ServedClassifier
  | ServedSpeech
  | ServedVoice
  | ServedCaptioner
  | ServedDiffusion

type Kind = ServedModel['kind']

/** What models of a kind do, and where to ask them for it. */
const kinds: Readonly<Record<Kind, { readonly does: string; readonly path: string }>> = {
  decoder: { does: 'generates text', path: '/v1/chat/completions' },
  encoder: { does: 'turns texts into vectors', path: '/v1/embeddings' },
  classifier: { does: 'scores texts', path: '/v1/rerank or /v1/moderations' },
  speech: { does: 'writes what is said', path: '/v1/audio/transcriptions' },
  voice: { does: 'says texts', path: '/v1/audio/speech' },
  captioner: { does: 'says what pictures show', path: '/v1/images/description' },
  diffusion: { does: 'draws pictures', path: '/v1/images/generations' }
}

/** A model that should be served and is not. */
export interface FailedModel {
  readonly reference: string
  /** What requests would have named it by. */
  readonly names: readonly string[]
  readonly error: MeshError
}

/** Of a hash, in a name that would be another model's without. */
const HASH_DIGITS = 8

/** The models of a coordinator, by name. */
export class ServedModels implements AsyncDisposable {
  /** Whether all configured models are imported. Until then, an unknown name may belong to one of the others. */
  complete = true
  readonly #models: ServedModel[] = []
  readonly #failed: FailedModel[] = []
  readonly #elsewhere: (name: string) => MeshError | undefined

  /** @param elsewhere says of a name that none of these has where it is served, if it is */
  constructor(elsewhere: (name: string) => MeshError | undefined = () => undefined) {
    this.#elsewhere = elsewhere
  }

  /**
   * The model by a name that no other one has: where its own is taken, with the beginning of its manifest's hash behind
   * it, which is the same after every start.
   */
  toldApart(model: ServedModel): ServedModel {
    const { manifestSha256 } = model.placeable
    const namesake = this.#named(model.id)
    if (namesake === undefined || namesake.placeable.manifestSha256 === manifestSha256) return model
    const id = `${model.id}@${manifestSha256.slice(0, HASH_DIGITS)}`
    // its placements are shown by the same name
    return { ...model, id, placeable: { ...model.placeable, name: id } }
  }

  /**
   * Serves one more model, or one that is served already under one more name.
   * @returns whether its manifest is new here
   * @throws MeshError `settings_invalid` when another model has its name
   */
  add(model: ServedModel): boolean {
    const { manifestSha256 } = model.placeable
    const at = this.#models.findIndex(other => other.placeable.manifestSha256 === manifestSha256)
    const same = this.#models[at]
    if (same === undefined) {
      const namesake = this.#named(model.id)
      if (namesake !== undefined) throw sameName(namesake, model)
      this.#models.push(model)
      return true
    }
    this.#models[at] = { ...same, aliases: [...same.aliases, model.id, ...model.aliases] }
    return false
  }

  /** Ends what runs for them. */
  async [Symbol.asyncDispose](): Promise<void> {
    const reading = this.#models.flatMap(model => ('prompts' in model ? [model.prompts] : []))
    await Promise.all(reading.map(prompts => prompts[Symbol.asyncDispose]()))
  }

  list(): readonly ServedModel[] {
    return this.#models
  }

  /** Remembers a model that could not be loaded, to tell whoever asks for it. */
  addFailed(model: FailedModel): void {
    this.#failed.push(model)
  }

  /** Models that could not be loaded. */
  failed(): readonly FailedModel[] {
    return this.#failed
  }

  /** Whether `name` is that of a model that could not be loaded. */
  hasFailed(name: string): boolean {
    return this.#failed.some(({ names }) => names.includes(name))
  }

  /** One more name for a model, served or failed. @throws MeshError `model_not_found` */
  alias(name: string, model: string): void {
    const at = this.#failed.findIndex(({ names }) => names.includes(model))
    const failed = this.#failed[at]
    if (failed !== undefined && !this.has(model)) {
      this.#failed[at] = { ...failed, names: [...failed.names, name] }
      return
    }
    const known = this.find(model)
    this.#models[this.#models.indexOf(known)] = { ...known, aliases: [...known.aliases, name] }
  }

  has(name: string): boolean {
    return this.#named(name) !== undefined
  }

  /** Whether a name is none of these models', and is served in another way. */
  isElsewhere(name: string): boolean {
    return !this.has(name) && this.#elsewhere(name) !== undefined
  }

  /** @throws MeshError `model_not_found` naming what is served; `unavailable` while models are still being imported */
  find(name: string | undefined): ServedModel {
    const found = name === undefined ? undefined : this.#named(name)
    if (found !== undefined) return found
    if (name !== undefined && this.hasFailed(name)) throw this.#notLoaded(name)
    const elsewhere = name === undefined ? undefined : this.#elsewhere(name)
    if (elsewhere !== undefined) throw elsewhere
    if (!this.complete) {
      throw new MeshError('unavailable', `the coordinator is starting and still imports its models`, {
        hint: 'Try again in a moment; GET /v1/models lists those that are here.'
      })
    }
    const message = name === undefined ? 'the request names no model' : `no model "${name}" is served here`
    throw new MeshError('model_not_found', message, {
      hint: `Name one of those that are: ${this.#quotedNames()}.`,
      details: { param: 'model' }
    })
  }

  /** @throws MeshError `model_not_found`; `invalid_request` for a model of another kind */
  findDecoder(name: string | undefined): ServedDecoder {
    const model = this.find(name)
    if (model.kind === 'decoder') return model
    throw this.#otherKind(model, 'does not generate text', ['decoder'])
  }

  /** @throws MeshError `model_not_found`; `invalid_request` for a model of another kind */
  findEncoder(name: string | undefined): ServedEncoder {
    const model = this.find(name)
    if (model.kind === 'encoder') return model
    throw this.#otherKind(model, 'gives no embeddings', ['encoder'])
  }

  /** One that tells how well two texts go together. @throws MeshError `model_not_found`; `invalid_request` for another kind */
  findScorer(name: string | undefined): ServedEncoder | ServedClassifier {
    const model = this.find(name)
    if (model.kind === 'encoder' || model.kind === 'classifier') return model
    throw this.#otherKind(model, 'does not compare texts', ['encoder', 'classifier'])
  }

  /** @throws MeshError `model_not_found`; `invalid_request` for a model of another kind */
  findClassifier(name: string | undefined): ServedClassifier {
    const model = this.find(name)
    if (model.kind === 'classifier') return model
    throw this.#otherKind(model, 'has no labels for texts', ['classifier'])
  }

  /** @throws MeshError `model_not_found`; `invalid_request` for a model of another kind */
  findSpeech(name: string | undefined): ServedSpeech {
    const model = this.find(name)
    if (model.kind === 'speech') return model
    throw this.#otherKind(model, 'hears no speech', ['speech'])
  }

  /** @throws MeshError `model_not_found`; `invalid_request` for a model of another kind */
  findVoice(name: string | undefined): ServedVoice {
    const model = this.find(name)
    if (model.kind === 'voice') return model
    throw this.#otherKind(model, 'has no voice', ['voice'])
  }

  /** @throws MeshError `model_not_found`; `invalid_request` for a model of another kind */
  findCaptioner(name: string | undefined): ServedCaptioner {
    const model = this.find(name)
    if (model.kind === 'captioner') return model
    throw this.#otherKind(model, 'describes no pictures', ['captioner'])
  }

  /** @throws MeshError `model_not_found`; `invalid_request` for a model of another kind */
  findDiffusion(name: string | undefined): ServedDiffusion {
    const model = this.find(name)
    if (model.kind === 'diffusion') return model
    throw this.#otherKind(model, 'draws no pictures', ['diffusion'])
  }

  /** Why is for the operator: it names files of this machine. */
  #notLoaded(name: string): MeshError {
    return new MeshError('model_not_found', `the model "${name}" could not be loaded when the coordinator started`, {
      hint: `Its log says why. Served are: ${this.#quotedNames()}.`,
      details: { param: 'model' }
    })
  }

  #quotedNames(): string {
    return this.#models.map(model => `"${model.id}"`).join(', ') || 'none yet'
  }

  #otherKind(model: ServedModel, lacks: string, wanted: readonly Kind[]): MeshError {
    const { does, path } = kinds[model.kind]
    const fitting = this.#models.filter(({ kind }) => wanted.includes(kind)).map(({ id }) => `"${id}"`)
    const others = fitting.length > 0 ? `Name one of ${fitting.join(', ')}` : 'No other is served here'
    return new MeshError('invalid_request', `the model "${model.id}" ${does} and ${lacks}`, {
      hint: `${others}, or send it to ${path}.`,
      details: { param: 'model' }
    })
  }

  #named(name: string): ServedModel | undefined {
    return this.#models.find(model => model.id === name || model.aliases.includes(name))
  }
}

function sameName(first: ServedModel, second: ServedModel): MeshError {
  const [one = first.id, two = second.id] = [first, second].map(model => model.aliases[0])
  return new MeshError('settings_invalid', `two models have the name "${second.id}": ${one} and ${two}`, {
    hint: 'Requests tell models apart by their names: rename one of the files or folders.'
  })
}
