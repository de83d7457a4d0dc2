import type {
  AbortOptions,
  Captioner,
  CaptionManifest,
  DecoderManifest,
  DiffusionManifest,
  DiffusionModel,
  LayerRange,
  SpeechManifest,
  SpeechModel,
  WeightFile,
  WorkClass
} from '@resultity/interface'
import type { Spinning } from '@resultity/onnx-runtime'
import type { BarkInit, BarkVoice } from './bark-voice.ts'
import type { Encoder, EncoderInit } from './encoder.ts'
import type { PictureReader, PictureReaderInit } from './picture-reader.ts'

export type { HeardWindow, SpeechModel, SpeechRunOptions, SpeechSession } from '@resultity/interface'

import type { Voice, VoiceInit } from './voice.ts'

export interface StageInit {
  readonly manifest: DecoderManifest
  readonly range: LayerRange
  /** Longest session, in positions. */
  readonly contextLength: number
  /** Sessions that may be open at once, each with its own KV cache. */
  readonly sessionsMax: number
  readonly threads: number
  readonly spinning: Spinning
  /** Where a weight file of {@link stageFiles} lies on this machine. */
  weightPath(file: WeightFile): string
  /**
   * An existing directory. Where the weight files lie in several folders, the stage makes one of its own in it, and removes
   * that when disposed.
   */
  readonly workDir: string
  /** On the last stage: logits of a run's last position (default) or of each. */
  readonly logits?: 'last' | 'all'
}

/** Builds and runs layer ranges, and whole models of other kinds. Two implementations and one compliance suite stand behind this port. */
export interface Engine {
  /**
   * @throws MeshError `model_invalid` or `engine_failed` when the weights do not make a graph, `invalid_request` for a
   *   wrong range or setting
   */
  loadStage(init: StageInit, options?: AbortOptions): Promise<Stage>
  /** @throws MeshError `model_invalid` or `engine_failed` when the weights do not make a graph */
  loadEncoder(init: EncoderInit, options?: AbortOptions): Promise<Encoder>
  /**
   * @throws MeshError `model_invalid` or `engine_failed` when the weights do not make a graph, `invalid_request` for a wrong
   *   limit
   */
  loadSpeech(init: SpeechInit, options?: AbortOptions): Promise<SpeechModel>
  /**
   * @throws MeshError `model_invalid` or `engine_failed` when the weights do not make a graph, `invalid_request` for a wrong
   *   limit
   */
  loadCaptioner(init: CaptionerInit, options?: AbortOptions): Promise<Captioner>
  /** @throws MeshError `model_invalid` or `engine_failed` when the weights do not make a graph */
  loadDiffusion(init: DiffusionInit, options?: AbortOptions): Promise<DiffusionModel>
  /** What looks at pictures for a first stage. @throws MeshError as {@link loadStage}, `invalid_request` for a model that reads none */
  loadPictureReader(init: PictureReaderInit, options?: AbortOptions): Promise<PictureReader>
  /** @throws MeshError `engine_failed` when the file does not make a graph */
  loadVoice(init: VoiceInit, options?: AbortOptions): Promise<Voice>
  /** @throws MeshError `model_invalid` or `engine_failed` when the weights do not make a graph */
  loadBark(init: BarkInit, options?: AbortOptions): Promise<BarkVoice>
}

/**
 * One layer range of one model, loaded. It serves one run at a time: that of one session, or the steps of one position of all
 * sessions that have one to do, where the engine can compute them together. Each gives the bits that it would give alone.
 * Interactive sessions go before batch ones, which run where they leave the engine idle, or have left it too little for
 * long; within a class steps and longer runs alternate, and each kind keeps the order in which it came.
 */
export interface Stage extends AsyncDisposable {
  readonly range: LayerRange
  /** Takes token ids instead of hidden states. */
  readonly first: boolean
  /** Gives logits instead of hidden states. */
  readonly last: boolean
  readonly hiddenSize: number
  readonly vocabularySize: number
  readonly contextLength: number
  readonly sessionsMax: number
  readonly sessionsOpen: number
  /** Share, from 0 to 1, of the weights a decode step multiplies by that lies in the layers; the rest is the head's. */
  readonly layersShare: number
  /**
   * Takes a KV slot.
   *
   * @throws MeshError `resource_exhausted` when all slots are taken, `context_length_exceeded` when `positionsMax` is
   *   over the stage's context, `unavailable` after disposal
   */
  open(init: SessionInit): StageSession
  /** Nothing that sessions of this scope have left is used from now on. An engine that keeps nothing has no such method. */
  forgetPrefixes?(scope: string): void
}

/** The beginning of a session's prompt, which another session may have computed already, or may begin with later. */
export interface PrefixInit {
  /** Nothing is shared between scopes. */
  readonly scope: string
  /** Positions of a block: a run of exactly so many, from a multiple of it on, computes one. */
  readonly blockPositions: number
  /**
   * A name for each block, which nobody can guess who may not share it. It stands for all tokens up to the end of its block, and
   * for all else that decides what a run of them leaves in the cache.
   */
  readonly blocks: readonly string[]
  /** Begin with blocks that are kept; else all of them are computed. */
  readonly reuse: boolean
}

export interface SessionInit {
  /** Positions this session will have at most; what it allocates follows from it. */
  readonly positionsMax: number
  /** Default `interactive`. */
  readonly workClass?: WorkClass
  /**
   * Of an interactive session: as long as it is open, runs of batch sessions make way, the more so until one of its own
   * begins behind so many positions. Default 0: they do only while its runs wait or are at work.
   */
  readonly promptCount?: number
  /** Default: it begins with nothing, and leaves nothing. */
  readonly prefix?: PrefixInit
}

export interface RunOptions extends AbortOptions {
  /** On the last stage, false skips reading the logits and resolves with an empty array. Default true. */
  readonly needLogits?: boolean
  /** On the first stage of a model that reads pictures: what takes the place of tokens. Not for runs of one position. */
  readonly shown?: readonly ShownStates[]
}

/** States that are read in the place of consecutive tokens. */
export interface ShownStates {
  /** Index of the first in the run's input. */
  readonly at: number
  /** f32 `[count, hiddenSize]`. */
  readonly states: Float32Array
}

/** One generation's KV cache on one stage. */
export interface StageSession extends Disposable {
  /** Positions in the cache: the index of the next one. A session that begins with blocks that were kept has theirs at once. */
  readonly position: number
  /**
   * Runs the next positions through the layers and keeps their keys and values.
   *
   * @param input token ids on the first stage; elsewhere hidden states, `[count, hiddenSize]`. It must stay as it is until
   *   the promise settles
   * @returns hidden states `[count, hiddenSize]`, or on the last stage logits `[1 or count, vocabularySize]`: a view,
   *   valid until this session's next run or disposal
   * @throws MeshError `invalid_request` for input of a wrong kind, length or token id, or states that fit nowhere, `context_length_exceeded` over
   *   `positionsMax`, `engine_failed` when the runtime broke off, `unavailable` after disposal; the reason of
   *   `signal`. After a failed or aborted run the cache is unknown and every later run fails.
   */
  run(input: Uint32Array | Float32Array, options?: RunOptions): Promise<Float32Array>
  /** Prepares what a run of one position needs, so that it starts at once. Call it while nothing waits. */
  warm?(): void
  /**
   * Forgets the positions from `position` on.
   *
   * @throws MeshError `invalid_request` when the session is not that long, or is running
   */
  truncate(position: number): void
  /**
   * Once it is disposed, later sessions may begin with its blocks, those of its {@link PrefixInit} that it has computed. An engine
   * that keeps nothing has no such method.
   */
  leavePrefix?(): void
}

export interface SpeechInit {
  readonly manifest: SpeechManifest
  readonly threads: number
  readonly spinning: Spinning
  /** Windows that may be open at once, each with its keys and values. */
  readonly windowsMax: number
  /** Sessions that may be open on one window at once. Default 1. */
  readonly sessionsPerWindow?: number
  /** Where a weight file of the manifest lies on this machine. */
  weightPath(file: WeightFile): string
  /** As {@link StageInit.workDir}. */
  readonly workDir: string
}

export interface CaptionerInit {
  readonly manifest: CaptionManifest
  readonly threads: number
  readonly spinning: Spinning
  /** Pictures that may be open at once, each with its keys and values and those of its text. */
  readonly picturesMax: number
  /** Where a weight file of the manifest lies on this machine. */
  weightPath(file: WeightFile): string
  /** As {@link StageInit.workDir}. */
  readonly workDir: string
}

export interface DiffusionInit {
  readonly manifest: DiffusionManifest
  /** The sections that lie in it are loaded; runs of others fail. Default: all layers. */
  readonly range?: LayerRange
  readonly threads: number
  readonly spinning: Spinning
  /** Where a weight file of the manifest lies on this machine. */
  weightPath(file: WeightFile): string
  /** As {@link StageInit.workDir}. */
  readonly workDir: string
}
